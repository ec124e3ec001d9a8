import type { ProfilerEvent } from "./events.ts";

/** All events of one name together. Times in nanoseconds. */
export interface Average {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly count: number;
  /** With what ran within, and without. */
  readonly total: number;
  readonly self: number;
  /** Of the accelerator's kernels by that name. */
  readonly acceleratorTotal: number;
  /** What was allocated (and freed) within, without what ran within. */
  readonly selfBytes: number;
  readonly flops: number;
}

export interface KeyAverages extends Iterable<Average> {
  readonly rows: readonly Average[];
  /** The table, sorted (default by `self`), of at most `rowLimit` rows (default 30). */
  table(options?: {
    sortBy?: "self" | "total" | "count" | "selfBytes" | "flops" | "acceleratorTotal";
    rowLimit?: number;
  }): string;
  toString(): string;
}

const memoryName = "[memory]";

interface Nested {
  readonly event: ProfilerEvent;
  children: number;
  bytes: number;
}

/** How long each event ran without those within it, and what was allocated directly in it. */
function nest(events: readonly ProfilerEvent[]): Nested[] {
  const byThread = new Map<number, ProfilerEvent[]>();
  for (const event of events) {
    if (event.device !== "cpu") continue;
    const list = byThread.get(event.thread);
    if (list) list.push(event);
    else byThread.set(event.thread, [event]);
  }
  const all: Nested[] = [];
  for (const list of byThread.values()) {
    list.sort((a, b) => a.start - b.start || b.duration - a.duration);
    const open: Nested[] = [];
    for (const event of list) {
      while (open.length > 0) {
        const { event: top } = open[open.length - 1];
        if (event.start < top.start + top.duration) break;
        open.pop();
      }
      const outer = open.at(-1);
      if (event.name === memoryName) {
        if (outer) outer.bytes += event.bytes;
        continue;
      }
      if (outer) outer.children += event.duration;
      const own = { event, children: 0, bytes: 0 };
      all.push(own);
      open.push(own);
    }
  }
  return all;
}

export function keyAverages(events: readonly ProfilerEvent[], byShape: boolean): KeyAverages {
  const sums = new Map<string, { -readonly [Key in keyof Average]: Average[Key] }>();
  const rowOf = ({ name, shapes }: ProfilerEvent) => {
    const key = byShape ? `${name} ${JSON.stringify(shapes)}` : name;
    let row = sums.get(key);
    if (!row) {
      row = {
        name,
        shapes: byShape ? shapes : [],
        count: 0,
        total: 0,
        self: 0,
        acceleratorTotal: 0,
        selfBytes: 0,
        flops: 0,
      };
      sums.set(key, row);
    }
    return row;
  };
  for (const { event, children, bytes } of nest(events)) {
    const row = rowOf(event);
    row.count++;
    row.total += event.duration;
    row.self += Math.max(0, event.duration - children);
    row.selfBytes += bytes;
    row.flops += event.flops;
  }
  for (const event of events) {
    if (event.device === "cpu" || event.name === memoryName) continue;
    const row = rowOf(event);
    row.count++;
    row.acceleratorTotal += event.duration;
  }
  const rows = [...sums.values()];
  const table: KeyAverages["table"] = ({ sortBy = "self", rowLimit = 30 } = {}) => {
    const sorted = [...rows].sort((a, b) => b[sortBy] - a[sortBy]);
    const whole = rows.reduce((sum, row) => sum + row.self, 0) || 1;
    const time = (ns: number) =>
      ns >= 1e9
        ? `${(ns / 1e9).toFixed(3)}s`
        : ns >= 1e6
          ? `${(ns / 1e6).toFixed(3)}ms`
          : `${(ns / 1e3).toFixed(3)}us`;
    const hasMemory = rows.some(({ selfBytes }) => selfBytes !== 0);
    const hasFlops = rows.some(({ flops }) => flops !== 0);
    const hasKernels = rows.some(({ acceleratorTotal }) => acceleratorTotal !== 0);
    const head = ["Name", "Self CPU %", "Self CPU", "CPU total", "CPU time avg", "# of Calls"];
    if (hasKernels) head.push("Device total");
    if (hasMemory) head.push("Self CPU Mem");
    if (hasFlops) head.push("Total FLOPs");
    if (byShape) head.push("Input Shapes");
    const cells = sorted.slice(0, rowLimit).map((row) => {
      const list = [row.name, `${((100 * row.self) / whole).toFixed(2)}%`, time(row.self), time(row.total)];
      list.push(time(row.total / Math.max(row.count, 1)), String(row.count));
      if (hasKernels) list.push(time(row.acceleratorTotal));
      if (hasMemory) list.push(`${(row.selfBytes / 2 ** 10).toFixed(2)} KiB`);
      if (hasFlops) list.push(row.flops === 0 ? "--" : row.flops.toLocaleString("en-US"));
      if (byShape) list.push(JSON.stringify(row.shapes));
      return list;
    });
    const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
    const line = (row: readonly string[]) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
    const rule = widths.map((width) => "-".repeat(width)).join("  ");
    return [rule, line(head), rule, ...cells.map(line), rule, `Self CPU time total: ${time(whole)}`].join(
      "\n",
    );
  };
  return { rows, table, toString: () => table(), [Symbol.iterator]: () => rows[Symbol.iterator]() };
}
