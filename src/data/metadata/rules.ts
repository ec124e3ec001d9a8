import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";

export type ColumnType = "numeric" | "categorical";

/** How a column says "missing"; see `#q2:missing` in QIIME 2's documentation of metadata files. */
export type MissingScheme = "blank" | "no-missing" | "INSDC:missing";

const idHeaders = new Set([
  "id",
  "sampleid",
  "sample id",
  "sample-id",
  "featureid",
  "feature id",
  "feature-id",
]);
/** The original AAM's own spelling, and the same for features. */
for (const name of ["sample_id", "feature_id"]) idHeaders.add(name);

/** Names of QIIME 1 and Qiita, for which the case matters. */
const exactIdHeaders = new Set(["#SampleID", "#Sample ID", "#OTUID", "#OTU ID", "sample_name"]);

/**
 * Whether a header's first cell names an id column by QIIME 2's rules (plus `sample_id` and `feature_id`).
 */
export function isIdHeader(cell: string): boolean {
  return exactIdHeaders.has(cell) || idHeaders.has(cell.toLowerCase());
}

export function isDirective(cell: string): boolean {
  return /^#q2:/i.test(cell);
}

const insdcWords = ["not applicable", "missing", "not collected", "not provided", "restricted access"];

/** Besides these, in lower case, an empty cell is missing in every scheme. */
const wordsOf: Record<MissingScheme, ReadonlySet<string>> = {
  blank: new Set(),
  "no-missing": new Set(),
  "INSDC:missing": new Set(insdcWords),
};

// What pandas takes for missing (and so the original AAM), and what INSDC and Qiita prescribe.
const usualWords: ReadonlySet<string> = new Set([
  ...["na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#n/a n/a", "#na"],
  ...["1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"],
  ...insdcWords,
  ...insdcWords.map((word) => `missing: ${word}`),
  ...["control sample", "sample group"].map((word) => `missing: ${word}`),
]);

/** The words, in lower case, that mean "missing" in a column of this scheme, or in one that declares none. */
export function missingWords(scheme: MissingScheme | undefined): ReadonlySet<string> {
  return scheme === undefined ? usualWords : wordsOf[scheme];
}

/** Reads the cells of a `#q2:types` row; columns without an entry keep none. `where` is the row's place. */
export function readTypesDirective(
  names: readonly string[],
  cells: readonly string[],
  where: string,
): Map<string, ColumnType> {
  return readDirective(names, cells, where, ["numeric", "categorical"]);
}

/** Reads the cells of a `#q2:missing` row. */
export function readMissingDirective(
  names: readonly string[],
  cells: readonly string[],
  where: string,
): Map<string, MissingScheme> {
  return readDirective(names, cells, where, ["blank", "no-missing", "INSDC:missing"]);
}

function readDirective<T extends string>(
  names: readonly string[],
  cells: readonly string[],
  where: string,
  choices: readonly T[],
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [index, cell] of cells.entries()) {
    if (cell === "") continue;
    const name = names[index];
    if (name === undefined) {
      throw new UserError(
        `${where}: cell ${index + 2} (${quote(cell)}) has no column in the header; remove it.`,
      );
    }
    const choice = choices.find((one) => one.toLowerCase() === cell.toLowerCase());
    if (choice === undefined) {
      throw new UserError(
        `${where}: ${quote(cell)} for ${quote(name)} is not known; use ${choices.join(" or ")}.`,
      );
    }
    found.set(name, choice);
  }
  return found;
}
