import { extname } from "node:path";
import { checkOutput } from "../../common/files/checkOutput.ts";
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
 * Writes a square matrix of distances row by row. The extension decides the format: `.npy`, `.h5` (in the
 * layout of unifrac-binaries), `.tsv` (as QIIME 2 has it), `.qza` (its artifact) or `.arrow`. @throws
 * UserError for a file that cannot be written.
 */
export async function writeSquare(path: string, matrix: SquareMatrix): Promise<void> {
  await writers[extname(path)](path, matrix);
}

/** `checkOutput` for a square matrix of distances. */
export function checkSquareOutput(path: string, what: string): void {
  checkOutput(path, Object.keys(writers), what);
}
