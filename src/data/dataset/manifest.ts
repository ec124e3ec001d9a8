import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import type { Segment } from "../../formats/arrow/file.ts";
import { checksumOf } from "../../formats/arrow/file.ts";
import type { DepthSummary } from "../table/depths.ts";

/** Raised whenever an older program could misread what a newer one wrote, or the other way round. */
export const formatVersion = 1;
export const manifestName = "manifest.json";

/** A file that a data set was made from. */
export interface Source {
  /** What it was read as: `table`, `tree`, `metadata`, `distances`, ... */
  readonly role: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Something that was left out on the way from the sources to the data set, and why. */
export interface Dropped {
  readonly what: "samples" | "asvs" | "metadata rows" | "metadata columns" | "distances";
  readonly reason: string;
  readonly count: number;
  /** The first few, by id. */
  readonly examples: readonly string[];
}

export interface MetadataColumnSummary {
  readonly name: string;
  readonly kind: "numeric" | "text";
  readonly missing: number;
}

/** What the writer is told about where a data set comes from. */
export interface Provenance {
  readonly sources: readonly Source[];
  readonly parameters: Readonly<Record<string, string | number | boolean | null>>;
  readonly dropped: readonly Dropped[];
  /** Sentences that a user should see, such as unknown bases. */
  readonly warnings: readonly string[];
  /** What other depths of rarefaction would have kept; absent where nothing was drawn. */
  readonly depths?: DepthSummary;
}

/** `manifest.json`: what a data set is, where it comes from, and how to tell that its files are whole. */
export interface Manifest extends Provenance {
  readonly format: "aam-dataset";
  readonly formatVersion: number;
  readonly createdBy: string;
  readonly counts: {
    readonly samples: number;
    readonly asvs: number;
    readonly nonzero: number;
    /** Tokens of the longest ASV, START included. */
    readonly longestAsv: number;
  };
  /** Names of the pairwise distances. */
  readonly distances: readonly string[];
  /**
   * Those of them that are computed from the tree when they are asked for, and not stored;
   * absent if there are none.
   */
  readonly perBatch?: readonly string[];
  /**
   * The metrics, `faith_pd` too, that the stored tree gives for any sets of ASVs; absent if there is no tree.
   * Before it was always stored, those of `perBatch`.
   */
  readonly fromTree?: readonly string[];
  /** Names of the values per sample, such as `faith_pd`. */
  readonly vectors: readonly string[];
  readonly metadata: readonly MetadataColumnSummary[];
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly segments: readonly Segment[] }>>;
}

const checksumMark = /"manifestChecksum": "([0-9a-f]{16})"/;

/** The text of `manifest.json`; its last entry is the checksum of all the rest. */
export function manifestText(manifest: Manifest): string {
  const blank = "0".repeat(16);
  const text = JSON.stringify({ ...manifest, manifestChecksum: blank }, null, 2) + "\n";
  return text.replace(`"manifestChecksum": "${blank}"`, `"manifestChecksum": "${checksumOf(text)}"`);
}

/**
 * Reads and checks a data set's manifest. A folder that is none, an unfinished one, another format version
 * and any changed byte are a `UserError` that says what to do.
 */
export function readManifest(folder: string): Manifest {
  if (!existsSync(folder)) throw new UserError(`There is no data set ${folder}; check the path.`);
  if (/\.tmp\/*$/.test(folder)) {
    throw new UserError(
      `${folder} is an unfinished data set of a program that was interrupted; delete it and prepare it again.`,
    );
  }
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new UserError(
      `${folder} is not a data set: it has no readable ${manifestName}; give the folder that \`prep\` wrote.`,
    );
  }
  const damaged = new UserError(`${path} is damaged; prepare the data set again.`);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    throw damaged;
  }
  if (manifest?.format !== "aam-dataset" || !Number.isInteger(manifest.formatVersion)) {
    // A damaged byte of the format's name cannot be told from a foreign file.
    throw new UserError(
      `${path} is not the manifest of a data set of this program, or is damaged; prepare the data set again.`,
    );
  }
  if (manifest.formatVersion !== formatVersion) {
    const age = manifest.formatVersion < formatVersion ? "an older" : "a newer";
    throw new UserError(
      `${path} has format version ${manifest.formatVersion}, but this program reads version ${formatVersion}: ` +
        `${age} program wrote it; prepare the data set again.`,
    );
  }
  const found = checksumMark.exec(text);
  const blank = found === null ? "" : text.replace(found[0], `"manifestChecksum": "${"0".repeat(16)}"`);
  if (found === null || checksumOf(blank) !== found[1] || !isSound(manifest)) throw damaged;
  return manifest;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const areTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === "string");

/** Whether what the readers rely on is there and fits together. */
function isSound({
  counts,
  distances,
  perBatch = [],
  fromTree = [],
  vectors,
  metadata,
  sources,
  dropped,
  warnings,
  files,
}: Manifest): boolean {
  return (
    [counts?.samples, counts?.asvs, counts?.nonzero, counts?.longestAsv].every(isCount) &&
    [distances, perBatch, fromTree, vectors, warnings].every(areTexts) &&
    [metadata, sources, dropped].every(Array.isArray) &&
    metadata.every(
      (column) => typeof column?.name === "string" && ["numeric", "text"].includes(column.kind),
    ) &&
    typeof files === "object" &&
    files !== null &&
    Object.entries(files).every(
      ([name, file]) =>
        /^\w+\.arrow$/.test(name) &&
        isCount(file?.bytes) &&
        Array.isArray(file.segments) &&
        file.segments.length > 0 &&
        file.segments.every((segment) => isCount(segment?.rows) && isCount(segment.bytes)) &&
        file.segments.reduce((sum, segment) => sum + segment.bytes, 0) === file.bytes,
    )
  );
}
