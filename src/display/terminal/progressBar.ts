import { durationText } from "../numberText.ts";
import type { LogFile } from "./logFile.ts";
import {
  type EpochSummary,
  epochLine,
  orderedParts,
  type ProgressParts,
  paceText,
  partTexts,
} from "./progressText.ts";
import { standardTerminal, type Terminal } from "./terminal.ts";

export { type EpochSummary, epochLine, epochTitle, type ProgressParts } from "./progressText.ts";
export { standardTerminal, type Terminal } from "./terminal.ts";

/** How a run shows itself: a moving bar, plain lines, nothing but warnings, or one JSON object per line. */
export type DisplayMode = "bar" | "lines" | "quiet" | "json";

/**
 * `--quiet` and `--json` decide; otherwise a bar on a terminal that can move its cursor,
 * and plain lines elsewhere.
 */
export function chooseDisplayMode(
  options: { readonly quiet?: boolean; readonly json?: boolean },
  isTerminal = process.stdout.isTTY === true && process.env.TERM !== "dumb",
): DisplayMode {
  if (options.json) return "json";
  if (options.quiet) return "quiet";
  return isTerminal ? "bar" : "lines";
}

const redrawSeconds = { bar: 0.1, lines: 15, quiet: Number.POSITIVE_INFINITY, json: 1 };
const rateWindowSeconds = 30;

/**
 * Shows what a run is doing. One stretch of work (an epoch, a validation) goes from `begin` over `update` to
 * `end`; `message`, `warn` and `epoch` may come at any time. It never throws for what it is given to show,
 * and draws only when called: no timers, so that a loop without pauses shows up too.
 */
export class ProgressDisplay {
  readonly mode: DisplayMode;
  readonly #terminal: Terminal;
  readonly #now: () => number;
  readonly #log: Pick<LogFile, "write"> | undefined;
  #title = "";
  #total = 0;
  #unit = "samples";
  #done = 0;
  #parts: ProgressParts = {};
  #marks: { time: number; done: number }[] = [];
  #startTime = 0;
  #lastDraw = 0;
  #running = false;
  #barIsShown = false;

  /**
   * `log` gets every message, warning and epoch, whatever the mode shows. `now`: milliseconds.
   */
  constructor(
    mode: DisplayMode,
    terminal: Terminal = standardTerminal(),
    now: () => number = Date.now,
    log?: Pick<LogFile, "write">,
  ) {
    this.#log = log;
    this.mode = mode;
    this.#terminal = terminal;
    this.#now = now;
  }

  /** Starts a stretch of `total` units of work; see `epochTitle` for an epoch's title. */
  begin(title: string, total: number, unit = "samples"): void {
    this.end();
    this.#title = title;
    this.#total = total;
    this.#unit = unit;
    this.#done = 0;
    this.#parts = {};
    this.#startTime = this.#now();
    this.#lastDraw = this.#startTime;
    this.#marks = [{ time: this.#startTime, done: 0 }];
    this.#running = true;
    if (this.mode === "bar") this.#drawBar();
  }

  /** `done`: units of work since `begin`. `parts`: the figures as of now. */
  update(done: number, parts: ProgressParts = {}): void {
    if (!this.#running) return;
    const time = this.#now();
    this.#done = done;
    this.#parts = parts;
    const lastMark = this.#marks[this.#marks.length - 1];
    if (time - lastMark.time >= 1000) this.#marks.push({ time, done });
    while (this.#marks.length > 2 && time - this.#marks[1].time > rateWindowSeconds * 1000)
      this.#marks.shift();
    if (time - this.#lastDraw < redrawSeconds[this.mode] * 1000) return;
    this.#lastDraw = time;
    if (this.mode === "bar") this.#drawBar();
    else if (this.mode === "json") this.#writeJson(this.#progressRecord("progress"));
    else if (this.mode === "lines") this.#terminal.write(`${this.#lineText()}\n`);
  }

  /** Ends the stretch of work; does nothing if none is under way. */
  end(): void {
    if (!this.#running) return;
    // A whole stretch has an average pace, not the last seconds' one.
    this.#marks = [{ time: this.#startTime, done: 0 }];
    if (this.mode === "bar") {
      this.#drawBar();
      this.#terminal.write("\n");
      this.#barIsShown = false;
    } else if (this.mode === "json") {
      this.#writeJson(this.#progressRecord("done"));
    }
    this.#running = false;
  }

  /** A line of information. */
  message(text: string): void {
    this.#log?.write("INFO", text);
    if (this.mode === "quiet") return;
    if (this.mode === "json") this.#writeJson({ event: "message", text });
    else this.#above(() => this.#terminal.write(`${text}\n`));
  }

  /** A line the user must see; shown in every mode. */
  warn(text: string): void {
    this.#log?.write("WARNING", text);
    if (this.mode === "json") this.#writeJson({ event: "warning", text });
    else this.#above(() => this.#terminal.writeError(`Warning: ${text}\n`));
  }

  /** What an epoch came to. */
  epoch(summary: EpochSummary): void {
    const line = epochLine(summary);
    if (this.mode === "json") {
      this.#log?.write("INFO", line);
      this.#writeJson({ event: "epoch", ...summary });
    } else {
      this.message(line);
    }
  }

  /** Any other record for programs that read `--json`; nothing in the other modes. */
  record(event: string, values: Readonly<Record<string, unknown>>): void {
    if (this.mode === "json") this.#writeJson({ event, ...values });
  }

  #pace(): { perSecond: number; secondsLeft: number } {
    const first = this.#marks[0];
    const perSecond = ((this.#done - first.done) * 1000) / Math.max(1, this.#now() - first.time);
    return { perSecond, secondsLeft: (this.#total - this.#done) / perSecond };
  }

  #progressRecord(event: string): Record<string, unknown> {
    const { perSecond, secondsLeft } = this.#pace();
    const seconds = (this.#now() - this.#startTime) / 1000;
    const place = { title: this.#title, done: this.#done, total: this.#total, unit: this.#unit };
    const pace = event === "done" ? { seconds, perSecond } : { seconds, perSecond, secondsLeft };
    return { event, ...place, ...orderedParts(this.#parts), ...pace };
  }

  /** Writes something where the bar stands and draws the bar again below it. */
  #above(write: () => void): void {
    if (this.#barIsShown) this.#terminal.write("\r\x1b[K");
    write();
    if (this.#barIsShown) this.#drawBar();
  }

  #writeJson(record: Record<string, unknown>): void {
    this.#terminal.write(`${JSON.stringify(record)}\n`);
  }

  #share(): number {
    return this.#total > 0 ? Math.min(1, Math.max(0, this.#done / this.#total)) : 1;
  }

  #lineText(): string {
    const { perSecond, secondsLeft } = this.#pace();
    const place = `${this.#title}: ${Math.floor(100 * this.#share())}% (${this.#done}/${this.#total} ${this.#unit})`;
    const pace = `${paceText(perSecond)} ${this.#unit}/s, ${durationText(secondsLeft)} left`;
    return [place, ...partTexts(this.#parts), pace].join(", ");
  }

  #drawBar(): void {
    const { perSecond, secondsLeft } = this.#pace();
    const room = Math.max(20, this.#terminal.columns - 1);
    const share = this.#share();
    const percent = `${String(Math.floor(100 * share)).padStart(3)}%`;
    const running = this.#done < this.#total;
    const time = running
      ? `${durationText(secondsLeft)} left`
      : durationText((this.#now() - this.#startTime) / 1000);
    const tail = [...partTexts(this.#parts), `${paceText(perSecond)} ${this.#unit}/s`, time];
    // On a narrow terminal the pace goes first, then the figures from the last on; the time left stays.
    const minimum = this.#title.length + percent.length + 12;
    while (tail.length > 1 && minimum + tail.join("  ").length + 2 > room) tail.splice(-2, 1);
    const rest = tail.join("  ");
    const width = Math.min(30, Math.max(5, room - this.#title.length - percent.length - rest.length - 5));
    const filled = Math.round(share * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    this.#terminal.write(`\r${`${this.#title} ${bar} ${percent}  ${rest}`.slice(0, room)}\x1b[K`);
    this.#barIsShown = true;
  }
}
