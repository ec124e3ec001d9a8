import { Random } from "../../../src/common/random/random.ts";
import { UserError } from "../../../src/common/userError.ts";
import { mutate } from "./mutate.ts";
import { measureResources } from "./resources.ts";

/** A reader to be fuzzed. */
export interface FuzzedReader<Result = unknown> {
  readonly name: string;
  /** Valid files, of which each input is a mutation. */
  readonly files: readonly Uint8Array[];
  /** Reads an input; `source` is the name it should give the input in errors. */
  readonly read: (bytes: Uint8Array, source: string) => Result | Promise<Result>;
  /** Throws if a result that was read is not consistent. */
  readonly check: (result: Result) => void;
  /** The name of the input, where that is the path of a file; defaults to `fuzzed-input`. */
  readonly source?: string;
  /** Mutates a file; defaults to `mutate`. */
  readonly mutate?: (file: Uint8Array, random: Random) => Uint8Array;
  /** Hardly any mutation can be read. */
  readonly mayRefuseAll?: boolean;
  /**
   * The inputs were not damaged but forged: they bear right checksums. They may be refused with any error and
   * read as nonsense, but must not crash, hang or take memory.
   */
  readonly isForged?: boolean;
}

export interface FuzzSettings {
  /** Mutations `from` to `from + count - 1`. */
  readonly from?: number;
  readonly count: number;
  readonly seed: number;
  /** An input that takes more processor time counts as a failure; defaults to 1000. */
  readonly maxMilliseconds?: number;
  /** Told before each input. */
  readonly onInput?: (number: number) => void;
}

export interface FuzzReport {
  /** Inputs that were read, and refused with one located sentence. */
  read: number;
  refused: number;
  /** Of one input: the most processor time, and the most memory. */
  slowest: number;
  largest: number;
  /** At most 10, each with the mutation's number, for `fuzzInput`. */
  failures: string[];
}

/** An input may take this much memory, and so many times its size. */
const freeBytes = 64 * 2 ** 20;
const bytesPerByte = 64;

/** The mutation with this number, the same on every run. */
export function fuzzInput(
  reader: FuzzedReader<never> | FuzzedReader,
  seed: number,
  number: number,
): Uint8Array {
  const random = new Random(seed).derive("fuzz", number);
  return (reader.mutate ?? mutate)(reader.files[random.integer(reader.files.length)], random);
}

/**
 * Feeds mutations of valid files to a reader. Each must be read to a consistent result or refused with a
 * `UserError` that is one line and names the input, in bounded time and memory.
 */
export async function fuzzReader<Result>(
  reader: FuzzedReader<Result>,
  settings: FuzzSettings,
): Promise<FuzzReport> {
  const { from = 0, count, seed, maxMilliseconds = 1000, onInput } = settings;
  const report: FuzzReport = { read: 0, refused: 0, slowest: 0, largest: 0, failures: [] };
  for (let number = from; number < from + count && report.failures.length < 10; number++) {
    const input = fuzzInput(reader as FuzzedReader, seed, number);
    onInput?.(number);
    const { problem, isRefused, milliseconds, bytes } = await tryInput(reader, input);
    report.slowest = Math.max(report.slowest, milliseconds);
    report.largest = Math.max(report.largest, bytes);
    let failure = problem;
    if (milliseconds > maxMilliseconds) failure ??= `took ${Math.round(milliseconds)} ms`;
    if (bytes > freeBytes + bytesPerByte * input.length) {
      failure ??= `took ${Math.round(bytes / 2 ** 20)} MiB for ${input.length} bytes`;
    }
    if (failure !== undefined) report.failures.push(`mutation ${number} of seed ${seed}: ${failure}`);
    else if (isRefused) report.refused++;
    else report.read++;
  }
  return report;
}

/** Reads one input; `problem` says what is wrong with how that went. */
export async function tryInput<Result>(
  { read, check, source = "fuzzed-input", isForged }: Omit<FuzzedReader<Result>, "name" | "files">,
  input: Uint8Array,
): Promise<{
  problem?: string;
  isRefused: boolean;
  message?: string;
  milliseconds: number;
  bytes: number;
}> {
  const measured = measureResources();
  let problem: string | undefined;
  let isRefused = false;
  let message: string | undefined;
  try {
    const result = read(input, source);
    check(result instanceof Promise ? await result : result);
  } catch (cause) {
    isRefused = true;
    message = (cause as Error).message;
    if (isForged) problem = undefined;
    else if (!(cause instanceof UserError)) problem = (cause as Error).stack ?? String(cause);
    else if (!cause.message.includes(source)) problem = `does not name the input: ${cause.message}`;
    else if (cause.message.includes("\n")) problem = `more than one line: ${cause.message}`;
    else if (cause.message.length > 1000) problem = `too long: ${cause.message.slice(0, 300)}...`;
  }
  return { problem, isRefused, message, ...measured() };
}
