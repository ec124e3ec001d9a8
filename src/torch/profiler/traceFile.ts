import { renameSync, rmSync } from "node:fs";
import { describeWriteError, temporaryName } from "../../common/files/atomicFile.ts";

/**
 * Has `write` write a file under a temporary name, which is then renamed.
 * @throws UserError where it cannot be written.
 */
export function moveFile(path: string, write: (temporary: string) => void): void {
  // The profiler compresses what ends with .gz, and looks at the name alone.
  const temporary = path.endsWith(".gz") ? `${temporaryName(path)}.gz` : temporaryName(path);
  try {
    write(temporary);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw describeWriteError(path, cause);
  }
}
