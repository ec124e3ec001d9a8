import { existsSync, statSync } from "node:fs";
import { extname } from "node:path";
import { gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { findHdf5Signature, openHdf5Bytes } from "../../formats/hdf5/read.ts";
import { isNpy } from "../../formats/npy/npy.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip, openZip } from "../../formats/zip/read.ts";
import { isArrow } from "../distances/arrow.ts";
import { isIdHeader } from "../metadata/rules.ts";

export type InputKind = "dataset" | "table" | "tree" | "distances" | "sequences" | "metadata";

const kindOfArtifact: readonly [pattern: RegExp, kind: InputKind][] = [
  [/^FeatureTable\[/, "table"],
  [/^Phylogeny\[/, "tree"],
  [/^DistanceMatrix/, "distances"],
  [/^FeatureData\[Sequence\]$/, "sequences"],
  [/^(ImmutableMetadata|SampleData\[|FeatureData\[)/, "metadata"],
];

/** For text that leaves it open, and for files that are damaged beyond recognition. */
const kindOfExtension: Readonly<Record<string, InputKind>> = {
  ".nwk": "tree",
  ".newick": "tree",
  ".tre": "tree",
  ".tree": "tree",
  ".fasta": "sequences",
  ".fa": "sequences",
  ".fna": "sequences",
  ".npy": "distances",
  ".npz": "distances",
  ".h5": "distances",
  ".hdf5": "distances",
  ".dm": "distances",
};

/** How much of a text is looked at. */
const headBytes = 2 ** 20;

/**
 * What a file or folder holds, told from its content and, where that is open, its name. A file that is nothing known
 * counts as a table, whose reader says what is wrong with it.
 * @throws UserError if there is nothing at that path or an artifact holds something else.
 */
export function inputKind(path: string): InputKind {
  if (existsSync(path) && statSync(path).isDirectory()) return "dataset";
  const packed = readFileBytes(path);
  if (isZip(packed)) return kindOfZip(packed, path);
  let bytes: Uint8Array;
  try {
    bytes = gunzipIfNeeded(packed, path);
  } catch {
    return kindByName(path);
  }
  if (isNpy(bytes) || isArrow(bytes)) return "distances";
  if (findHdf5Signature(bytes) >= 0) return kindOfHdf5(bytes, path);
  return kindOfText(Buffer.from(bytes.subarray(0, headBytes)).toString("utf8"), path);
}

function kindByName(path: string): InputKind {
  return kindOfExtension[extname(path.replace(/\.gz$/i, "")).toLowerCase()] ?? "table";
}

function kindOfZip(bytes: Uint8Array, path: string): InputKind {
  if (openZip(bytes, path).names.some((name) => name.endsWith(".npy") && !name.includes("/")))
    return "distances";
  const { type } = openQzaBytes(bytes, path);
  const found = kindOfArtifact.find(([pattern]) => pattern.test(type));
  if (found !== undefined) return found[1];
  throw new UserError(
    `${path} is a QIIME 2 artifact of type ${type}, which is not used here; give a table, tree, sequences, ` +
      "distances or metadata.",
  );
}

function kindOfHdf5(bytes: Uint8Array, path: string): InputKind {
  try {
    const file = openHdf5Bytes(bytes, path);
    const isTable = ["observation", "sample"].some((group) => file.has(group));
    return isTable || kindByName(path) !== "distances" ? "table" : "distances";
  } catch {
    return kindByName(path);
  }
}

function kindOfText(head: string, path: string): InputKind {
  const byName = kindByName(path);
  if (byName === "tree" || byName === "sequences") return byName;
  const text = head.replace(/^\uFEFF/, "").trim();
  if (text.startsWith("{")) return "table";
  if (text.startsWith("(") || (text.endsWith(";") && !text.includes("\t"))) return "tree";
  if (text.startsWith(">")) return "sequences";
  const lines =
    text.length === head.length ? head.split(/\r?\n/, 20) : head.replace(/^\uFEFF/, "").split(/\r?\n/, 20);
  const rows = lines.filter((line) => line.trim() !== "");
  // A comment says which program wrote a table, or that metadata were simulated; the header follows.
  const header = rows.findIndex((line) => !/^# /.test(line));
  if (header < 0) return byName;
  const delimiter = /\.csv(\.gz)?$/i.test(path) ? "," : "\t";
  const cells = rows[header].split(delimiter);
  const next = rows[header + 1]?.split(delimiter)[0];
  if (cells.length > 1 && cells[0].trim() === "" && next === cells[1]) return "distances";
  if (/^#?OTU ?ID$/i.test(cells[0])) return "table";
  const namesSequences = cells.slice(1).some((cell) => /^[ACGTUN]{20,}$/i.test(cell));
  return isIdHeader(cells[0]) && !namesSequences ? "metadata" : byName;
}
