import { Command, Option } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { median } from "../../src/common/median.ts";
import { UserError } from "../../src/common/userError.ts";
import { startLibraries, whyNot } from "./javascriptPartners.ts";
import type { Partner } from "./partner.ts";
import { startPython } from "./pythonPartner.ts";
import type { Work } from "./smallWork.ts";

interface Figures {
  name: string;
  ours_ns: number;
  python_ns: number;
  /** Which of Python's ways was the fastest, where it has several. */
  python_way?: string;
  ratio: number;
  limit: number;
  /** Of each JavaScript library the time, and ours as a share of it; or why there is none. */
  javascript: Record<string, { ns: number; ratio: number } | { missing: string }>;
}

interface OpsOptions {
  rounds: number;
  threads: number;
  only?: string;
  javascript?: string;
  device: "auto" | "cpu" | "cuda";
  json: boolean;
}

/** Measurements before the first that counts: the JavaScript of the first calls is not compiled yet. */
const warmUp = 20;

/** Nanoseconds per call. `wait` waits until an accelerator is done. */
function time(work: Work, wait: () => void): number {
  const start = Bun.nanoseconds();
  work.run(work.calls);
  wait();
  return (Bun.nanoseconds() - start) / work.calls;
}

interface Sides {
  readonly partner: Partner;
  readonly javascript: ReadonlyMap<string, Partner>;
  readonly rounds: number;
  wait(): void;
}

/** JavaScript libraries need up to a thousand times as long for a small operator: fewer calls do. */
const fewer = (calls: number): number => Math.ceil(calls / 20);

/**
 * All sides take turns within each round; the ratio is the median of the rounds' ratios, so that a busy
 * machine harms all alike.
 */
async function compare(work: Work, { partner, javascript, rounds, wait }: Sides): Promise<Figures> {
  for (let i = 0; i < (work.calls > 1 ? warmUp : 2); i++) work.run(work.calls);
  const asks = work.partners.map((name) => ({ name, side: partner, calls: work.calls }));
  const missing: Figures["javascript"] = {};
  for (const [name, side] of javascript) {
    const reason = whyNot(side.facts, work.name);
    if (reason) missing[name] = { missing: reason };
    else asks.push({ name: work.name, side, calls: fewer(work.calls) });
  }
  // Python's side warms up by itself.
  for (const { name, side, calls } of asks) if (side !== partner) await side.ask(`${name} ${calls} 3`);
  const ours: number[] = [];
  const theirs = asks.map((ask) => ({ ...ask, times: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    // As Python's side does before each of its turns: what it left of the caches is not ours.
    work.run(work.calls);
    wait();
    ours.push(time(work, wait));
    for (const { name, side, calls, times } of theirs) {
      const answer = await side.ask(`${name} ${calls} 1`);
      times.push(answer["median_ns"] as number);
    }
  }
  const ratio = (times: readonly number[]) => median(ours.map((own, i) => own / times[i]));
  const python = theirs.filter(({ side }) => side === partner);
  const [best] = python.sort((x, y) => median(x.times) - median(y.times));
  const measured = [...javascript].flatMap(([name, side]) => {
    const found = theirs.find((one) => one.side === side);
    return found ? [[name, { ns: median(found.times), ratio: ratio(found.times) }] as const] : [];
  });
  return {
    name: work.name,
    ours_ns: median(ours),
    python_ns: median(best.times),
    ...(python.length > 1 ? { python_way: best.name } : {}),
    ratio: ratio(best.times),
    limit: work.limit,
    javascript: { ...Object.fromEntries(measured), ...missing },
  };
}

/** A line of the table. */
function row(found: Figures): string {
  const others = Object.values(found.javascript).map((one) =>
    "ns" in one
      ? `${duration(one.ns).padStart(12)} ${one.ratio.toFixed(3).padStart(7)}`
      : one.missing.padStart(20),
  );
  const cells = [
    found.name.padEnd(12),
    duration(found.ours_ns).padStart(10),
    duration(found.python_ns).padStart(11),
    found.ratio.toFixed(2).padStart(7),
    `<= ${found.limit.toFixed(1)}`.padStart(9),
    ...others,
  ];
  return cells.join(" ") + (found.python_way ? `  (${found.python_way})` : "");
}

function duration(nanoseconds: number): string {
  return nanoseconds < 100_000 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1000).toFixed(0)} us`;
}

export function makeCommand(): Command {
  const device = new Option("--device <name>", "where both compute").choices(["auto", "cpu", "cuda"]);
  return new Command("ops")
    .description(
      "small operators, a small network, an optimizer's step, and steps of a GPT and a ResNet, against Python's torch (and JavaScript's libraries) in the same run",
    )
    .option("--rounds <n>", "turns that both sides take", positiveWholeNumber, 61)
    .option("--threads <n>", "threads of an operator, on both sides", positiveWholeNumber, 1)
    .option("--only <name>", "one line of the table")
    .option(
      "--javascript <folder>",
      "compare with TensorFlow.js and jax-js too, as far as they are installed in this folder",
    )
    .addOption(device.default("cpu"))
    .action(async (options: OpsOptions) => {
      const torch = await import("../../src/torch/index.ts");
      const { smallWork } = await import("./smallWork.ts");
      const device = await chooseDevice(options.device);
      torch.setNumThreads(options.threads);
      const all = smallWork(device);
      const works = options.only === undefined ? all : all.filter(({ name }) => name === options.only);
      if (works.length === 0)
        throw new UserError(
          `--only: there is no line "${options.only}"; there are ${all.map(({ name }) => name).join(", ")}.`,
        );
      await using partner = await startPython("ops", { threads: options.threads, device });
      const { rounds, javascript: folder } = options;
      await using libraries = await startLibraries(folder);
      const { javascript } = libraries;
      const sides = { partner, javascript, rounds, wait: () => torch.synchronize() };
      const figures: Figures[] = [];
      const heads = [...javascript.keys()].map((name) => `${name.padStart(13)}   ratio`).join("");
      if (!options.json) console.log(`                  ours    Python's   ratio  promised${heads}`);
      for (const work of works) {
        figures.push(await compare(work, sides));
        if (!options.json) console.log(row(figures[figures.length - 1]));
      }
      const facts = {
        libtorch: torch.buildInfo().libtorch,
        python_torch: partner.facts["torch"],
        bun: Bun.version,
        javascript: Object.fromEntries([...javascript].map(([name, { facts }]) => [name, facts])),
        device,
      };
      if (options.json) console.log(JSON.stringify({ ...facts, threads: options.threads, ops: figures }));
      else {
        for (const [name, { facts: their }] of javascript)
          console.log(`${name}: ${their["missing"] ?? `${their["version"]}, ${their["backend"]}`}`);
        for (const [name, { facts: their }] of javascript)
          for (const [work, reason] of Object.entries((their["refused"] as Record<string, string>) ?? {}))
            console.log(`${name} cannot ${work}: ${reason}`);
        if (folder === undefined)
          console.log(
            "TensorFlow.js and jax-js: not measured (--javascript FOLDER, where they are installed)",
          );
        console.log(
          `LibTorch ${facts.libtorch}, Bun ${facts.bun}; Python's torch ${facts.python_torch}; ${options.threads} thread(s)`,
        );
      }
    });
}
