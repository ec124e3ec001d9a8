import { Random } from "../../src/common/random.ts";
import { UserError } from "../../src/common/userError.ts";
import { mutate } from "./mutate.ts";

export interface FuzzSettings<Result> {
  /** Valid files, of which each input is a mutation. */
  readonly files: readonly Uint8Array[];
  readonly count: number;
  readonly seed: number;
  /** Reads an input; `source` is the name it should give the input in errors. */
  readonly read: (bytes: Uint8Array, source: string) => Result;
  /** Throws if a result that was read is not consistent. */
  readonly check: (result: Result) => void;
  /** An input that takes more processor time counts as a failure; defaults to 2000. */
  readonly maxMilliseconds?: number;
}

export interface FuzzReport {
  /** Inputs that were read, and refused with one located sentence. */
  read: number;
  refused: number;
  /** At most 10, each with the mutation's number, for `fuzzInput`. */
  failures: string[];
}

/** The mutation with this number, the same on every run. */
export function fuzzInput(files: readonly Uint8Array[], seed: number, number: number): Uint8Array {
  const random = new Random(seed).derive("fuzz", number);
  return mutate(files[random.integer(files.length)]!, random);
}

/**
 * Feeds `count` mutations of valid files to a reader. Each must be read to a consistent result or refused with a
 * `UserError` that is one line and names the input, in bounded time.
 */
export function fuzzReader<Result>(settings: FuzzSettings<Result>): FuzzReport {
  const { files, count, seed, read, check, maxMilliseconds = 2000 } = settings;
  const report: FuzzReport = { read: 0, refused: 0, failures: [] };
  const source = "fuzzed-input";
  for (let number = 0; number < count && report.failures.length < 10; number++) {
    const input = fuzzInput(files, seed, number);
    const start = process.cpuUsage();
    let problem: string | undefined;
    try {
      check(read(input, source));
      report.read++;
    } catch (cause) {
      if (!(cause instanceof UserError)) problem = (cause as Error).stack ?? String(cause);
      else if (!cause.message.includes(source)) problem = `does not name the input: ${cause.message}`;
      else if (cause.message.includes("\n")) problem = `more than one line: ${cause.message}`;
      else if (cause.message.length > 1000) problem = `too long: ${cause.message.slice(0, 300)}...`;
      else report.refused++;
    }
    // Processor time: a busy machine makes no input slow.
    const { user, system } = process.cpuUsage(start);
    const took = (user + system) / 1000;
    if (took > maxMilliseconds) problem ??= `took ${Math.round(took)} ms`;
    if (problem) report.failures.push(`mutation ${number} of seed ${seed}: ${problem}`);
  }
  return report;
}
