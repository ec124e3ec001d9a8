import { accessSync, constants } from "node:fs";
import { dirname, extname } from "node:path";
import { UserError } from "../userError.ts";
import { describeWriteError } from "./atomicFile.ts";
import { isFolder } from "./inputFile.ts";

/**
 * Refuses an output that cannot be written, before the work is done.
 * @throws UserError for an extension that is not among `formats`, or a folder that is
 * not there or not writable.
 */
export function checkOutput(path: string, formats: readonly string[], what: string): void {
  if (!formats.includes(extname(path))) {
    const found = extname(path) === "" ? "no extension" : `the extension ${extname(path)}`;
    throw new UserError(
      `The extension of the output decides its format, and ${path} has ${found}; for ${what} use one of ${formats.join(", ")}.`,
    );
  }
  try {
    if (isFolder(path)) throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw describeWriteError(path, cause);
  }
}
