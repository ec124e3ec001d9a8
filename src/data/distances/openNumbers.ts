import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { findHdf5Signature } from "../../formats/hdf5/read.ts";
import {
  isArtifact,
  type NamedArray,
  type NamedArrays,
  npyArray,
  openHdf5Arrays,
  openNpz,
} from "../../formats/namedArrays.ts";
import { isNpy } from "../../formats/npy/npy.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { isArrow, openArrowArrays } from "./readArrow.ts";

/** A file of numbers: one array, named arrays, or a text with its place for errors. */
export type NumberFile =
  | { readonly array: NamedArray }
  | { readonly arrays: NamedArrays }
  | { readonly text: string; readonly source: string };

/** The QIIME 2 artifact that holds such numbers. */
export interface ArtifactOfNumbers {
  readonly type: string;
  /** In its data folder. */
  readonly file: string;
  /** What they are, for errors. */
  readonly meaning: string;
}

/**
 * Opens `.npy`, `.npz`, HDF5, Arrow, a text (gzipped or not) or a QIIME 2 artifact. The content decides, not
 * the name.
 * @throws UserError for a file that is missing or damaged, and for an artifact of another type.
 */
export function openNumbers(path: string, { type, file, meaning }: ArtifactOfNumbers): NumberFile {
  const bytes = readFileBytes(path);
  if (isNpy(bytes)) return { array: npyArray(bytes, path) };
  if (findHdf5Signature(bytes) >= 0) return { arrays: openHdf5Arrays(bytes, path) };
  if (isArrow(bytes)) return { arrays: openArrowArrays(bytes, path) };
  if (!isZip(bytes)) return { text: decodeText(gunzipIfNeeded(bytes, path), path), source: path };
  if (!isArtifact(bytes, path)) return { arrays: openNpz(bytes, path) };
  const artifact = openQzaBytes(bytes, path);
  if (artifact.type !== type && !artifact.type.startsWith(`${type} % `)) {
    throw new UserError(
      `${path} is a QIIME 2 artifact of type ${artifact.type}, not ${meaning}; give one of type ${type}.`,
    );
  }
  const source = `${path} (data/${file})`;
  return { text: decodeText(artifact.file(file), source), source };
}

/** The name of the one array that is no list of ids, where the file lists its names and there is only one. */
export function onlyName(arrays: NamedArrays): string | undefined {
  const others = arrays.names?.filter((name) => !["order", "ids", "sample_ids"].includes(name));
  return others?.length === 1 ? others[0] : undefined;
}
