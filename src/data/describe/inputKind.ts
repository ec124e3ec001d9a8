import { extname } from "node:path";
import { gunzipIfNeeded, isFolder, readFileBytes } from "../../common/files/inputFile.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { UserError } from "../../common/userError.ts";
import { findHdf5Signature, openHdf5Bytes } from "../../formats/hdf5/read.ts";
import { isNpy } from "../../formats/npy/npy.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip, openZip } from "../../formats/zip/read.ts";
import { isArrow } from "../distances/readArrow.ts";
import { isIdHeader } from "../metadata/rules.ts";
import { describesAsvs } from "../table/classicHeader.ts";
import { isTaxonomy } from "../taxonomy/read.ts";

export type InputKind = "dataset" | "table" | "tree" | "distances" | "sequences" | "metadata" | "taxonomy";

const kindOfArtifact: readonly [pattern: RegExp, kind: InputKind][] = [
  [/^FeatureTable\[/, "table"],
  [/^Phylogeny\[/, "tree"],
  [/^DistanceMatrix/, "distances"],
  [/^FeatureData\[Sequence\]$/, "sequences"],
  [/^FeatureData\[Taxonomy\]/, "taxonomy"],
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
 * What a file or folder holds, told from its content and, where that is open, its name. A file that is
 * nothing known counts as a table, whose reader says what is wrong with it.
 * @throws UserError if there is nothing at that path or an artifact holds something else.
 */
export function inputKind(path: string): InputKind {
  if (isFolder(path)) return "dataset";
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
  if (text.startsWith("{")) return text.includes('"placements"') ? "tree" : "table";
  if (text.startsWith("<") || /^#NEXUS/i.test(text)) return "tree";
  if (text.startsWith("(") || (text.endsWith(";") && !text.includes("\t"))) return "tree";
  if (text.startsWith(">")) return "sequences";
  return kindOfCells(head.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/, 20), path, byName);
}

/**
 * A delimited text is distances, a table or metadata; what is none of them is told apart by its first rows.
 */
function kindOfCells(lines: readonly string[], path: string, byName: InputKind): InputKind {
  const rows = lines.filter((line) => line.trim() !== "");
  // A comment says which program wrote a table, or that metadata were simulated; the header follows.
  const header = rows.findIndex((line) => !/^# /.test(line));
  if (header < 0) return byName;
  const isCsv = /\.csv(\.gz)?$/i.test(path);
  const cellsOf = (line: string | undefined) =>
    (line ?? "").split(isCsv ? "," : "\t").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  const cells = cellsOf(rows[header]);
  const next = cellsOf(rows[header + 1]);
  if (cells.length > (cells[0] === "" ? 1 : 2) && next[0] === cells[1]) return "distances";
  if (isTaxonomy(cells, next)) return "taxonomy";
  if (/^#?(OTU|ASV) ?ID$/i.test(cells[0])) return "table";
  const namesSequences = cells.slice(1).some((cell) => /^[ACGTUN]{20,}$/i.test(cell));
  const isMetadata =
    isIdHeader(cells[0]) || [",", ";"].some((mark) => isIdHeader(cells[0].split(mark)[0].trim()));
  if (isMetadata && !namesSequences) return isTaxonomyHeader(cells) ? "taxonomy" : "metadata";
  if (byName !== "table") return byName;
  if (isCsv) return "metadata";
  // Of a table all cells are counts but the first and perhaps a description at the end.
  const counts = describesAsvs(cells.at(-1), next.at(-1)) ? next.slice(1, -1) : next.slice(1);
  const hasText = counts.some((cell) => cell !== "" && parseNumber(cell) === undefined);
  return hasText && !cells[0].startsWith("#") ? "metadata" : "table";
}

/** Whether a header is that of QIIME 2's taxonomy. */
function isTaxonomyHeader([first, second]: readonly string[]): boolean {
  return /^feature[ _-]?id$/i.test(first ?? "") && /^taxon(omy)?$/i.test(second ?? "");
}
