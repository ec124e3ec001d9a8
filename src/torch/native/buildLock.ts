import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";

interface LockHolder {
  pid: number;
  host: string;
}

/** A lock of another machine (a shared disk) cannot be asked whether its holder lives: it counts this long. */
const foreignLockMilliseconds = 20 * 60_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as { code?: string }).code === "EPERM";
  }
}

/** The process that holds the lock; undefined when it is free or its holder has died. */
function readHolder(path: string): LockHolder | undefined {
  try {
    const age = Date.now() - statSync(path).mtimeMs;
    const text = readFileSync(path, "utf8");
    // Just made, and its maker has not written its name yet.
    if (text === "" && age < 2000) return { pid: 0, host: hostname() };
    const holder = JSON.parse(text) as LockHolder;
    const lives = holder.host === hostname() ? isAlive(holder.pid) : true;
    return lives && age < foreignLockMilliseconds ? holder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Holds `path` as a lock while `work` runs; waits while another living process holds it (`onWait` is called once with
 * its process id). A lock left by a killed process is taken over. Two that take it over in the same instant may both
 * run: what they do must be safe then, only wasteful.
 */
export async function withLock<T>(
  path: string,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  for (let told = false; ; ) {
    try {
      const descriptor = openSync(path, "wx");
      writeSync(descriptor, JSON.stringify({ pid: process.pid, host: hostname() } satisfies LockHolder));
      closeSync(descriptor);
      break;
    } catch (cause) {
      if ((cause as { code?: string }).code !== "EEXIST") throw cause;
    }
    const holder = readHolder(path);
    if (holder === undefined) {
      rmSync(path, { force: true });
    } else {
      if (!told && holder.pid > 0) {
        onWait(holder.pid);
        told = true;
      }
      await Bun.sleep(100);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
