import { closeSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { hostname } from "node:os";

interface LockHolder {
  readonly pid: number;
  readonly host: string;
}

/** A holder renews its lock's time this often; one that has not for much longer is gone. */
const renewMilliseconds = 2000;
const goneMilliseconds = 60_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as { code?: string }).code === "EPERM";
  }
}

/** Whether the lock's holder lives; its process id where that is known. */
function readHolder(path: string): { lives: boolean; pid?: number } {
  try {
    const age = Date.now() - statSync(path).mtimeMs;
    const text = readFileSync(path, "utf8");
    // Empty: just made, and its maker has not written its name yet.
    if (text === "") return { lives: age < renewMilliseconds };
    const holder = JSON.parse(text) as LockHolder;
    const dead = holder.host === hostname() && !isAlive(holder.pid);
    return { lives: !dead && age < goneMilliseconds, pid: holder.pid };
  } catch {
    return { lives: false };
  }
}

function tryLock(path: string): boolean {
  try {
    const descriptor = openSync(path, "wx");
    writeSync(descriptor, JSON.stringify({ pid: process.pid, host: hostname() } satisfies LockHolder));
    closeSync(descriptor);
    return true;
  } catch (cause) {
    if ((cause as { code?: string }).code !== "EEXIST") throw cause;
    return false;
  }
}

/**
 * Holds `path` as a lock while `work` runs; waits while another living process holds it (`onWait` is called
 * once with its process id). A lock left by a killed process is taken over. Two that take it over in the
 * same instant may both run: what they do must be safe then, only wasteful. `work` must leave the event loop
 * free, as the lock is renewed.
 */
export async function withLock<T>(
  path: string,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  for (let told = false; !tryLock(path); ) {
    const { lives, pid } = readHolder(path);
    if (!lives) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told && pid !== undefined) {
      onWait(pid);
      told = true;
    }
    await Bun.sleep(100);
  }
  const renewal = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Taken away by hand: the work goes on.
    }
  }, renewMilliseconds);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    rmSync(path, { force: true });
  }
}
