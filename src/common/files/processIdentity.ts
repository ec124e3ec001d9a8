import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Tells a process from every other that has, had or will have its number. Plain JSON. */
export interface ProcessIdentity {
  readonly pid: number;
  /** The machine, and on it the space in which process numbers count (a container has its own). */
  readonly place: string;
  /** When it started, as the system counts; empty where that cannot be known. */
  readonly start: string;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= { pid: process.pid, place: placeOf(), start: startOf(process.pid) ?? "" };
  return own;
}

/**
 * Whether a process runs: `undefined` if it belongs to another machine or container, where nobody can tell.
 */
export function isRunning({ pid, place, start }: ProcessIdentity): boolean | undefined {
  if (place !== thisProcess().place) return undefined;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // EPERM: it is there, but somebody else's.
    if ((cause as { code?: string }).code !== "EPERM") return false;
  }
  const found = startOf(pid);
  // A process that has ended but was not waited for has no start.
  return start === "" || found === undefined || found === start;
}

function placeOf(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/**
 * The start time of a process, `ended` if it only waits to be reaped, undefined where
 * the system does not say.
 */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything; the state follows it, and 19 fields later
    // the start in clock ticks.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return "ended";
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** A short text that names this process in names of files: letters, digits and two hyphens. */
export function processTag(): string {
  const { pid, place, start } = thisProcess();
  return `${shortHash(place)}-${pid}-${shortHash(start)}`;
}

/** Like `isRunning`, for a `processTag`; undefined also for a text that is none. */
export function isTagRunning(tag: string): boolean | undefined {
  const [place, pid, start] = tag.split("-");
  if (place !== shortHash(thisProcess().place)) return undefined;
  const number = Number(pid);
  const running = isRunning({ pid: number, place: thisProcess().place, start: "" });
  if (running !== true) return running;
  const found = startOf(number);
  return found === undefined || shortHash(found) === start;
}

function shortHash(text: string): string {
  return Bun.hash.wyhash(text).toString(36).slice(0, 6);
}
