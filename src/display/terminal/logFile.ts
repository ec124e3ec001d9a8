import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import { describeWriteError, makeFolder } from "../../common/files/atomicFile.ts";

export type LogLevel = "INFO" | "WARNING" | "ERROR";

/**
 * A run's `training.log`: lines of `time - aam - level - message`, appended, so that a resumed run goes on in
 * the same file. Each line is in the file when `write` returns. If the file cannot be opened, that is a
 * `UserError`; a line that cannot be written later (a full disk) is lost, as a log is no reason to end a run.
 */
export class LogFile {
  readonly path: string;
  readonly #now: () => number;

  constructor(path: string, now: () => number = Date.now) {
    this.path = path;
    this.#now = now;
    makeFolder(dirname(path));
    try {
      appendFileSync(path, "");
    } catch (cause) {
      throw describeWriteError(path, cause);
    }
  }

  /** `message` may have several lines; the later ones are indented. */
  write(level: LogLevel, message: string): void {
    const line = `${localTime(this.#now())} - aam - ${level} - ${message.replace(/\r?\n/g, "\n    ")}\n`;
    try {
      appendFileSync(this.path, line);
    } catch {
      // See above.
    }
  }
}

/** `2026-01-31 09:05:07` in the machine's own time zone. */
function localTime(milliseconds: number): string {
  const date = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}
