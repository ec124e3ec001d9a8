import { TorchError } from "../../native/errors.ts";
import { check, nativeError, readText, shim } from "../../native/library.ts";
import { type RankEnvironment, rankEnvironment } from "./launch.ts";

/** Under which the collectives find the group (native/distributed.cpp). */
export const groupName = "aamt";

/** What carries tensors: gloo those of CPUs; for CUDA NCCL, or gloo over the host. */
export type Backend = "gloo" | "nccl";

export interface ProcessGroupOptions {
  /**
   * For CUDA tensors; those of CPUs go by gloo always. Default `nccl` where the build has it and there
   * is a device, else `gloo`.
   */
  readonly backend?: Backend;
  /** For the meeting of the ranks and every collective. Default 600. */
  readonly timeoutSeconds?: number;
  /** Which rank this is; default what the environment says (`rankEnvironment`). */
  readonly rank?: number;
  readonly worldSize?: number;
  readonly masterAddr?: string;
  readonly masterPort?: number;
  /**
   * Ranks compare what they are about to do before every collective. Default: whether
   * TORCH_DISTRIBUTED_DEBUG is DETAIL.
   */
  readonly checked?: boolean;
}

/** A rank has failed, so that the others cannot go on: `message` names it, the same on all ranks. */
export class RankFailure extends TorchError {}

interface Group {
  readonly rank: number;
  readonly worldSize: number;
  readonly backend: Backend;
  readonly timeoutSeconds: number;
  readonly servesStore: boolean;
  readonly storeIsThere: boolean;
}

let group: Group | null = null;

const encoder = new TextEncoder();
const bit = { nccl: 2, glooCuda: 4, checked: 8 } as const;

/** Whether the native part was built with process groups. */
export function isAvailable(): boolean {
  return shim.aamt_group_available() > 0;
}

/** Whether it was built with NCCL. */
export function isNcclAvailable(): boolean {
  return (shim.aamt_group_available() & bit.nccl) !== 0;
}

/** Whether a group is open. */
export function isInitialized(): boolean {
  return group !== null;
}

/** The open group. @throws TorchError without one. */
export function currentGroup(): Group {
  if (group) return group;
  throw new TorchError(
    "There is no process group; call torch.distributed.initProcessGroup first.",
    "argument",
  );
}

/** Which rank this process is, from 0 on. @throws TorchError without a group. */
export function getRank(): number {
  return currentGroup().rank;
}

/** How many ranks there are. @throws TorchError without a group. */
export function getWorldSize(): number {
  return currentGroup().worldSize;
}

/** What carries CUDA tensors. @throws TorchError without a group. */
export function getBackend(): Backend {
  return currentGroup().backend;
}

function settle(options: ProcessGroupOptions): RankEnvironment {
  const { rank, worldSize, masterAddr, masterPort } = options;
  const found = rankEnvironment({
    ...process.env,
    ...(rank === undefined ? {} : { RANK: String(rank) }),
    ...(worldSize === undefined ? {} : { WORLD_SIZE: String(worldSize) }),
    ...(masterAddr === undefined ? {} : { MASTER_ADDR: masterAddr }),
    ...(masterPort === undefined ? {} : { MASTER_PORT: String(masterPort) }),
  });
  if (found) return found;
  throw new TorchError(
    "initProcessGroup: neither the options nor the environment say which rank this is; start the program with torchrun, mpirun or srun, or give rank, worldSize, masterAddr and masterPort.",
    "argument",
  );
}

/**
 * Joins the group of all ranks, and waits until they are all there. What is not given comes from the
 * environment, as torchrun, srun and mpirun set it.
 * @throws TorchError naming the ranks that did not come in time; UserError for an
 * environment that makes no sense.
 * @example
 * torch.distributed.initProcessGroup();
 * const sum = torch.tensor([torch.distributed.getRank()]);
 * torch.distributed.allReduce(sum);
 * torch.distributed.destroyProcessGroup();
 */
export function initProcessGroup(options: ProcessGroupOptions = {}): void {
  if (group) throw new TorchError("initProcessGroup: a process group is open already", "argument");
  const { timeoutSeconds = 600 } = options;
  if (!(timeoutSeconds > 0))
    throw new RangeError(`initProcessGroup: timeoutSeconds must be above 0, got ${timeoutSeconds}`);
  const { rank, worldSize, masterAddr, masterPort, storeIsThere, restarts } = settle(options);
  const cuda = shim.aamt_device_memory === undefined ? false : hasCuda();
  const backend = options.backend ?? (cuda && isNcclAvailable() ? "nccl" : "gloo");
  const checked = options.checked ?? process.env["TORCH_DISTRIBUTED_DEBUG"] === "DETAIL";
  const flags =
    (backend === "nccl" ? bit.nccl : 0) +
    (backend === "gloo" && cuda ? bit.glooCuda : 0) +
    (checked ? bit.checked : 0);
  const host = encoder.encode(masterAddr);
  // Keys of an attempt that failed are never read by the next one.
  const prefix = encoder.encode(`aam/${restarts}`);
  const servesStore = rank === 0 && !storeIsThere;
  const status = shim.aamt_group_open(
    host,
    host.length,
    masterPort,
    rank,
    worldSize,
    servesStore ? 1 : 0,
    prefix,
    prefix.length,
    flags,
    1000 * timeoutSeconds,
  );
  if (status < 0) throw nativeError(status, `rank ${rank} of ${worldSize} found no group`);
  group = { rank, worldSize, backend, timeoutSeconds, servesStore, storeIsThere };
}

function hasCuda(): boolean {
  const found = new Float64Array(new ArrayBuffer(8));
  return check(shim.aamt_accelerator(found)) === 1;
}

/** Leaves the group; harmless without one. Collectives that are under way are ended. */
export function destroyProcessGroup(): void {
  group = null;
  check(shim.aamt_group_close());
}

/**
 * Serves a store at a free port, for as long as this process lives: what a launcher does for its
 * ranks. Returns the port.
 */
export function serveStore(port = 0): number {
  return check(shim.aamt_store_serve(port));
}

/** Stores a text under a key unless there is one already; returns what is stored then. */
export function postText(key: string, value: string): string {
  const name = encoder.encode(key);
  const text = encoder.encode(value);
  return readText((out, capacity) =>
    shim.aamt_group_post(name, name.length, text, text.length, out, capacity),
  );
}

/** The text under a key, empty where there is none. Does not wait. */
export function readPosted(key: string): string {
  const name = encoder.encode(key);
  return readText((out, capacity) => shim.aamt_group_read(name, name.length, out, capacity));
}

/**
 * Ranks that gave no sign of life for one and a half seconds.
 * @throws TorchError if the store does not answer either.
 */
export function silentRanks(): number[] {
  const ranks = new Float64Array(new ArrayBuffer(8 * currentGroup().worldSize));
  const count = check(shim.aamt_group_silent(ranks, ranks.length));
  return Array.from(ranks.subarray(0, count));
}

function listRanks(ranks: readonly number[]): string {
  const [verb, noun] = ranks.length === 1 ? ["answers", "Rank"] : ["answer", "Ranks"];
  return `${noun} ${ranks.join(", ")} no longer ${verb}`;
}

/** Where all ranks look for why they end: the first who writes it decides for all. */
const verdictKey = "verdict";

function findCause(problem: string): string {
  const { servesStore, storeIsThere, rank, timeoutSeconds } = currentGroup();
  try {
    const known = readPosted(verdictKey);
    if (known) return known;
    const silent = silentRanks();
    const reason =
      silent.length > 0
        ? `${listRanks(silent)}: ended, stopped or cut off, and the others cannot go on without (${problem})`
        : /timed? ?out/i.test(problem)
          ? `All ranks live, but rank ${rank} waited for another one longer than ${timeoutSeconds} s (${problem})`
          : `Rank ${rank} could not go on with the others: ${problem}`;
    return postText(verdictKey, reason);
  } catch (error) {
    if (!(error instanceof TorchError) || servesStore) throw error;
    return `${storeIsThere ? "The launcher of the ranks" : "Rank 0"} no longer answers: ended, stopped or cut off (${problem})`;
  }
}

/**
 * What a failed collective means: which rank is to blame. Takes a second or two, in which it
 * listens for signs of life.
 */
export function rankFailure(cause: unknown): unknown {
  if (!(cause instanceof TorchError) || cause instanceof RankFailure || !group) return cause;
  if (cause.kind !== "runtime") return cause;
  const problem = cause.message.replace(/^[\w:]+\([^)]*\): /, "").split("\n")[0];
  const failure = new RankFailure(findCause(problem), "runtime", cause.op, cause.nativeStack);
  try {
    letOthersRead();
  } catch {
    // The store may be gone, too; the cause says so.
  }
  return failure;
}

/**
 * Tells the other ranks why this one ends; they end with the same sentence. To be called with an error of
 * this rank's own that nothing catches; what other ranks caused is told already. Returns whether this rank is
 * the one that told. Never throws.
 */
export function announceEnd(error: unknown): boolean {
  if (!group) return true;
  let isFirst = false;
  try {
    if (!(error instanceof RankFailure)) {
      const message = error instanceof Error ? error.message : String(error);
      const sentence = `Rank ${group.rank} ended with an error: ${message}`;
      isFirst = postText(verdictKey, sentence) === sentence;
    } else {
      isFirst = group.rank === Math.min(...livingRanks());
    }
    letOthersRead();
  } catch {
    // Without the store they find out by themselves that this rank is gone.
    isFirst = true;
  }
  return isFirst;
}

/** Ranks that have read the verdict so far, with this one. */
function livingRanks(): number[] {
  const { rank, worldSize } = currentGroup();
  const all = Array.from({ length: worldSize }, (_, other) => other);
  return all.filter((other) => other === rank || readPosted(`told/${other}`) !== "");
}

/**
 * Where this process serves the store, it lives on for some seconds until the others have read why they end.
 */
function letOthersRead(): void {
  const { rank, worldSize, servesStore } = currentGroup();
  postText(`told/${rank}`, "yes");
  if (!servesStore) return;
  const others = Array.from({ length: worldSize }, (_, other) => other).filter((other) => other !== rank);
  for (let tries = 0; tries < 30; tries++) {
    if (others.every((other) => readPosted(`told/${other}`) !== "")) return;
    Bun.sleepSync(100);
  }
}

let worksDone = 0;

/**
 * Runs `work` on rank 0 alone; the others wait for it, however long it takes, and get its result (plain JSON)
 * too. Without a group it is simply run.
 * @throws RankFailure on the other ranks if it throws on rank 0, or if rank 0 is gone.
 */
export async function onRankZero<T>(work: () => T | Promise<T>): Promise<T> {
  if (!group || group.worldSize === 1) return await work();
  const key = `work/${worksDone++}`;
  if (group.rank === 0) {
    const result = await work();
    postText(key, JSON.stringify({ result }));
    return result;
  }
  for (let waits = 0; ; waits++) {
    try {
      const text = readPosted(key);
      if (text) return (JSON.parse(text) as { result: T }).result;
      const verdict = readPosted(verdictKey);
      if (verdict) throw new RankFailure(verdict, "runtime");
      // A look for signs of life takes a while: now and then.
      if (waits % 40 === 39 && silentRanks().includes(0))
        throw new TorchError("it gives no sign of life", "runtime");
    } catch (error) {
      throw rankFailure(error);
    }
    await Bun.sleep(waits < 20 ? 20 : 100);
  }
}
