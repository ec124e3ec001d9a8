import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, extname } from "node:path";
import { describeWriteError } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import {
  type SquareMatrix,
  writeSquareArtifact,
  writeSquareHdf5,
  writeSquareNpy,
  writeSquareTsv,
} from "./write.ts";

const writers: Readonly<Record<string, (path: string, matrix: SquareMatrix) => void | Promise<void>>> = {
  ".npy": writeSquareNpy,
  ".h5": writeSquareHdf5,
  ".tsv": writeSquareTsv,
  ".qza": writeSquareArtifact,
  // Loaded when it is needed, for it takes long.
  ".arrow": async (path, matrix) => (await import("./arrow.ts")).writeSquareArrow(path, matrix),
};

/**
<<<<<<< Updated upstream
 * Writes a square matrix of distances row by row. The extension decides the format: `.npy`, `.h5` (in the
 * layout of unifrac-binaries), `.tsv` (as QIIME 2 has it) or `.arrow`.
 * @throws UserError for a file that cannot be written.
=======
 * Writes a square matrix of distances row by row. The extension decides the format: `.npy`, `.h5` (in the
 * layout of unifrac-binaries), `.tsv` (as QIIME 2 has it), `.qza` (its artifact) or `.arrow`. @throws
 * UserError for a file that cannot be written.
>>>>>>> Stashed changes
 */
export async function writeSquare(path: string, matrix: SquareMatrix): Promise<void> {
  await writers[extname(path)](path, matrix);
}

/** `checkOutput` for a square matrix of distances. */
export function checkSquareOutput(path: string, what: string): void {
  checkOutput(path, Object.keys(writers), what);
}

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
    if (existsSync(path) && statSync(path).isDirectory())
      throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw describeWriteError(path, cause);
  }
}
