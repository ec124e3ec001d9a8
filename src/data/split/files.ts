import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../alikeIds.ts";
import { isIdHeader } from "../metadata/rules.ts";
import type { Split } from "./split.ts";

/**
 * Reads sample ids, one on each line; blanks and quotation marks around them, empty lines and a header such
 * as `sample-id` do not count.
 * @throws UserError for an id that stands twice, for lines of several cells and for a file without any.
 */
export function readIdFile(path: string): string[] {
  const lineOf = new Map<string, number>();
  const text = decodeText(gunzipIfNeeded(readFileBytes(path), path), path);
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    const id = line.trim().replace(/^"(.*)"$/, "$1");
    if (id === "") continue;
    if (/[\t;]|,./.test(id)) {
      throw new UserError(
        `${path}, line ${index + 1}: ${quote(id)} is more than one cell; keep one sample id on each line and nothing else.`,
      );
    }
    if (lineOf.size === 0 && isIdHeader(id)) continue;
    const before = lineOf.get(id);
    if (before !== undefined) {
      throw new UserError(
        `${path}, line ${index + 1}: the id ${quote(id)} stands on line ${before} already; remove one of them.`,
      );
    }
    lineOf.set(id, index + 1);
  }
  if (lineOf.size === 0) throw new UserError(`${path} names no samples; write one sample id on each line.`);
  return [...lineOf.keys()];
}

/** The text of an id file. */
export function formatIds(ids: readonly string[]): string {
  return ids.map((id) => `${id}\n`).join("");
}

/** Paths of id files; a part without a file gets all other samples. */
export interface SplitFiles {
  readonly train?: string;
  readonly validation?: string;
}

/**
 * The split that id files describe, in their order. Ids that are not among `sampleIds` are skipped
 * and returned (they may have been dropped by rarefaction); samples that neither of two files
 * names belong to neither part.
 * @throws UserError if a file is unreadable, both name a sample, or a part is empty.
 */
export function splitFromFiles(
  sampleIds: readonly string[],
  files: SplitFiles,
): { split: Split; unknownIds: readonly string[] } {
  const indexOf = new Map(sampleIds.map((id, index) => [id, index]));
  const train = files.train === undefined ? undefined : readIdFile(files.train);
  const validation = files.validation === undefined ? undefined : readIdFile(files.validation);
  if (train === undefined && validation === undefined) {
    throw new UserError("A split from files needs a file of training ids, of validation ids, or both.");
  }
  const trainIds = new Set(train);
  const shared = validation?.find((id) => trainIds.has(id));
  if (shared !== undefined) {
    throw new UserError(
      `${files.train} and ${files.validation} both name the sample ${quote(shared)}; a sample can only be in one part.`,
    );
  }
  const toIndices = (ids: readonly string[]): number[] =>
    ids.flatMap((id) => (indexOf.has(id) ? [indexOf.get(id)!] : []));
  const others = (ids: readonly string[]): number[] => {
    const named = new Set(ids);
    return sampleIds.flatMap((id, index) => (named.has(id) ? [] : [index]));
  };
  const parts = {
    train: Int32Array.from(train ? toIndices(train) : others(validation!)),
    validation: Int32Array.from(validation ? toIndices(validation) : others(train!)),
  };
  for (const part of ["train", "validation"] as const) {
    if (parts[part].length > 0) continue;
    const file = files[part];
    throw new UserError(
      file === undefined
        ? `${files.train ?? files.validation} names all samples, which leaves none for the ${part} part; remove some.`
        : `${file} names no sample of the data (its first id is ${quote((part === "train" ? train : validation)?.[0])}, the data's ${quote(sampleIds[0])}${alikeIds((part === "train" ? train : validation) ?? [], sampleIds)}); check that it belongs to these data.`,
    );
  }
  const unknownIds = [...(train ?? []), ...(validation ?? [])].filter((id) => !indexOf.has(id));
  return { split: parts, unknownIds };
}
