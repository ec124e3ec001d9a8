import { linkSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeOnInterrupt } from "../interrupt.ts";
import { UserError } from "../userError.ts";
import { describeWriteError, makeFolder, removeQuietly, temporaryName } from "./atomicFile.ts";
import { refuseForeign } from "./folderSwap.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "./processIdentity.ts";

/** A holder renews its lock's time this often. */
const renewalMs = 30_000;
/**
 * Nobody can ask another machine whether a process of its lives: one that has not renewed
 * for this long has ended.
 */
const silenceMs = 15 * 60_000;
/** The same for one who waits, and whose like leave the event loop free for renewals. */
const silenceOfWaitedMs = 3 * 60_000;

/** What a lock of a whole folder is called, before its number. */
const wholeFolder = ".lock-";

interface Holder extends ProcessIdentity {
  /** ISO 8601. */
  readonly since: string;
}

/**
 * Reserves a folder for this process: while the lock is held, nobody else gets it; when the process ends,
 * however it ends, the lock is free. (A killed process is recognised by its number and the time of its start;
 * one on another machine or in another container, by its silence for 15 minutes.)
 *
 * The lock is a file `.lock-<n>` that names its holder; another stem makes another lock of the folder. Who
 * finds that all holders have ended takes the next number, which only one can make, and looks again; nobody
 * ever removes the lock of a process that may live.
 */
export class FolderLock implements Disposable {
  readonly folder: string;
  readonly #path: string;
  readonly #renewal: ReturnType<typeof setInterval>;
  readonly #onExit = () => this.release();
  readonly #onRelease: () => void;

  private constructor(folder: string, path: string) {
    this.folder = folder;
    this.#path = path;
    this.#onRelease = removeOnInterrupt(path);
    this.#renewal = setInterval(() => this.#renew(), renewalMs);
    this.#renewal.unref();
    process.on("exit", this.#onExit);
  }

  /**
   * Makes the folder if need be and locks it.
   * @throws UserError if another process (or another part of this one) has it, which the sentence names, or
   * if it cannot be written to.
   */
  static acquire(folder: string): FolderLock {
    const lock = FolderLock.#take(folder, wholeFolder, silenceMs);
    if (lock instanceof FolderLock) return lock;
    throw refusal(folder, lock);
  }

  /**
   * Makes the folder if need be and locks it, once nobody else has it; `onWait` is called once
   * with the process id of who has it. What is done under such a lock should leave the event
   * loop free, as it is renewed: who waits on another machine may take it from one that is silent.
   * @throws UserError if it cannot be written to.
   */
  static async wait(folder: string, onWait: (pid: number) => void, stem = wholeFolder): Promise<FolderLock> {
    for (let told = false; ; told = true) {
      const lock = FolderLock.#take(folder, stem, silenceOfWaitedMs);
      if (lock instanceof FolderLock) return lock;
      if (!told) onWait(lock.pid);
      await Bun.sleep(100);
    }
  }

  /** The lock, or who has it. */
  static #take(folder: string, stem: string, silence: number): FolderLock | Holder {
    makeFolder(folder);
    const pathOf = (number: number) => join(folder, `${stem}${number}`);
    for (;;) {
      const numbers = numbersIn(folder, stem);
      const holder = livingHolder(numbers.map(pathOf), silence);
      if (holder) return holder;
      const number = Math.max(0, ...numbers) + 1;
      const path = pathOf(number);
      if (!create(path)) continue;
      // Somebody who looked at the same time may have taken another number; then neither keeps his.
      const others = numbersIn(folder, stem)
        .filter((other) => other !== number)
        .map(pathOf);
      if (livingHolder(others, silence) === undefined) {
        for (const other of others) removeQuietly(other);
        return new FolderLock(folder, path);
      }
      removeQuietly(path);
      Bun.sleepSync(1 + (process.pid % 23));
    }
  }

  /** Gives the folder free; doing it twice is harmless. */
  release(): void {
    clearInterval(this.#renewal);
    process.off("exit", this.#onExit);
    removeQuietly(this.#path);
    this.#onRelease();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #renew(): void {
    try {
      utimesSync(this.#path, new Date(), new Date());
    } catch {
      // The folder was taken away: whoever writes to it next will tell.
    }
  }
}

/**
 * Makes sure that a folder which is worked in under a lock has no files but those of such work, of which a
 * file `marker` tells; locks do not count, as they may come first.
 * @throws UserError if a file or a folder with other files stands there.
 * @example
 * refuseOtherFiles("cv", "cross-validation.json");
 */
export function refuseOtherFiles(folder: string, marker: string): void {
  refuseForeign(folder, marker, (name) => name.startsWith(wholeFolder) || name.startsWith(`${marker}.`));
}

function numbersIn(folder: string, stem: string): number[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      const number = name.startsWith(stem) ? name.slice(stem.length) : "";
      return /^\d+$/.test(number) ? [Number(number)] : [];
    });
  } catch (cause) {
    throw describeWriteError(folder, cause);
  }
}

/** Who holds one of these locks, unless their processes have ended. */
function livingHolder(paths: readonly string[], silence: number): Holder | undefined {
  for (const path of paths) {
    try {
      const holder = JSON.parse(readFileSync(path, "utf8")) as Holder;
      if (isRunning(holder) ?? Date.now() - statSync(path).mtimeMs < silence) return holder;
    } catch {
      // Released at this moment, or damaged: locks appear with their content, so no
      // living process wrote this.
    }
  }
  return undefined;
}

/** Makes a lock with its content in one step; false if somebody else did. */
function create(path: string): boolean {
  const temporary = temporaryName(path);
  try {
    writeFileSync(
      temporary,
      JSON.stringify({ ...thisProcess(), since: new Date().toISOString() } satisfies Holder),
    );
    linkSync(temporary, path);
    return true;
  } catch (cause) {
    if ((cause as { code?: string }).code === "EEXIST") return false;
    throw describeWriteError(path, cause);
  } finally {
    removeQuietly(temporary);
  }
}

function refusal(folder: string, { pid, place, since }: Holder): UserError {
  const [host] = place.split(" ");
  const where = place === thisProcess().place ? "" : ` on ${host}`;
  return new UserError(
    `${folder} is in use by process ${pid}${where} since ${since.slice(0, 19).replace("T", " ")} UTC; ` +
      "wait until it has ended, or choose another folder.",
  );
}
