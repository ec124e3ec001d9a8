/**
 * Cuts a program off at its n-th change of the file system. Import this file first of all: it stands between
 * the program and `node:fs`, whatever module calls it, counts the calls that change anything, and does at the
 * n-th what it was armed for.
 */
// By `require`: the named imports of modules that are loaded later are made from this object as it then is.
const fs = require("node:fs") as typeof import("node:fs");

/**
 * `count`: nothing. `fail`: the call fails, once, having written half of what it was given. `full`: this and
 * all later calls that need space fail, as on a full disk. `kill`: half of the call happens, then the process
 * is killed. `power`: as `kill`, and everything that was not synced is lost.
 */
export type FaultMode = "count" | "fail" | "full" | "kill" | "power";

interface Armed {
  mode: FaultMode;
  /** The number of the call that fails, from 1 on. */
  at: number;
}

const real = { ...fs };
let armed: Armed | undefined;
let calls = 0;
const log: string[] = [];

/**
 * Bytes of a file that are surely on the disk, by inode, with its present path; only
 * files with unsynced bytes.
 */
const unsynced = new Map<number, { path: string; bytes: number }>();
const pathOfDescriptor = new Map<number, string>();

export function arm(mode: FaultMode, at: number): void {
  armed = { mode, at };
  calls = 0;
  log.length = 0;
  unsynced.clear();
}

/** Ends the trial: how many changing calls there were, and which. */
export function disarm(): { calls: number; log: string[] } {
  armed = undefined;
  return { calls, log: [...log] };
}

function systemError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: planted fault, ${call}`), { code, syscall: call });
}

function die(): never {
  if (armed?.mode === "power") {
    for (const { path, bytes } of unsynced.values()) {
      if (real.existsSync(path)) real.truncateSync(path, bytes);
    }
  }
  process.kill(process.pid, "SIGKILL");
  // The signal takes effect before the system call returns; this is never reached.
  for (;;) real.fsyncSync(2);
}

const needsSpace = new Set([
  "openSync",
  "writeSync",
  "fsyncSync",
  "mkdirSync",
  "appendFileSync",
  "writeFileSync",
  "linkSync",
]);

/** Counts a call; `half` does a part of it, where there is one. */
function step(name: string, what: string, half: () => void): void {
  if (!armed) return;
  calls++;
  log.push(`${name} ${what}`);
  const { mode, at } = armed;
  if (mode === "count" || calls < at) return;
  if (mode === "full") {
    if (!needsSpace.has(name)) return;
    if (calls === at) half();
    throw systemError("ENOSPC", name);
  }
  if (calls > at) return;
  half();
  if (mode === "fail") throw systemError(name === "renameSync" ? "EACCES" : "ENOSPC", name);
  die();
}

function inodeOf(descriptor: number): number {
  return real.fstatSync(descriptor).ino;
}

/** Notes that a descriptor's file is about to get bytes that are not on the disk. */
function markUnsynced(descriptor: number): void {
  const { ino, size } = real.fstatSync(descriptor);
  const path = pathOfDescriptor.get(descriptor);
  if (path !== undefined && !unsynced.has(ino)) unsynced.set(ino, { path, bytes: size });
}

const nothing = () => {};
type Bytes = Parameters<typeof fs.writeSync>[1];

const replaced: Partial<typeof fs> = {
  openSync(path, flags, mode) {
    const changes = !(flags === undefined || flags === "r");
    if (changes) step("openSync", `${path} ${flags}`, nothing);
    const existed = changes && real.existsSync(path);
    const descriptor = real.openSync(path, flags, mode);
    pathOfDescriptor.set(descriptor, String(path));
    if (changes && !existed) markUnsynced(descriptor);
    return descriptor;
  },
  writeSync: ((descriptor: number, data: Bytes, offset?: number, length?: number, position?: number) => {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const start = typeof data === "string" ? 0 : (offset ?? 0);
    const count = length ?? bytes.byteLength - start;
    if (armed) markUnsynced(descriptor);
    step("writeSync", `${pathOfDescriptor.get(descriptor)} ${count}`, () => {
      real.writeSync(descriptor, bytes as Uint8Array, start, count >> 1);
    });
    return real.writeSync(descriptor, bytes as Uint8Array, start, count, position);
  }) as typeof fs.writeSync,
  fsyncSync(descriptor) {
    step("fsyncSync", String(pathOfDescriptor.get(descriptor)), nothing);
    real.fsyncSync(descriptor);
    unsynced.delete(inodeOf(descriptor));
  },
  ftruncateSync(descriptor, length) {
    step("ftruncateSync", String(pathOfDescriptor.get(descriptor)), nothing);
    real.ftruncateSync(descriptor, length);
  },
  truncateSync(path, length) {
    step("truncateSync", String(path), nothing);
    real.truncateSync(path as string, length);
  },
  renameSync(from, to) {
    step("renameSync", `${from} ${to}`, nothing);
    real.renameSync(from, to);
    for (const entry of unsynced.values()) {
      if (entry.path === String(from)) entry.path = String(to);
      else if (entry.path.startsWith(`${from}/`))
        entry.path = `${to}${entry.path.slice(String(from).length)}`;
    }
  },
  mkdirSync: ((path: string, options?: { recursive?: boolean }) => {
    if (!real.existsSync(path)) step("mkdirSync", path, nothing);
    return real.mkdirSync(path, options);
  }) as typeof fs.mkdirSync,
  rmSync(path, options) {
    if (real.existsSync(path)) step("rmSync", String(path), nothing);
    real.rmSync(path, options);
  },
  unlinkSync(path) {
    step("unlinkSync", String(path), nothing);
    real.unlinkSync(path);
  },
  linkSync(from, to) {
    step("linkSync", `${from} ${to}`, nothing);
    real.linkSync(from, to);
  },
  appendFileSync(path, data, options) {
    step("appendFileSync", String(path), () => real.appendFileSync(path, halfOf(data), options));
    real.appendFileSync(path, data, options);
  },
  writeFileSync(path, data, options) {
    step("writeFileSync", String(path), () =>
      real.writeFileSync(path, halfOf(data as string | Uint8Array), options),
    );
    real.writeFileSync(path, data, options);
  },
};

function halfOf(data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return bytes.subarray(0, bytes.length >> 1);
}

Object.assign(fs, replaced);
