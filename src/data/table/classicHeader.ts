import { parseNumber } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import type { UserError } from "../../common/userError.ts";

/** What the first line of a classic table names. */
export interface ClassicHeader {
  /** The cell above the rows' ids, "" where there is none. */
  readonly label: string;
  readonly columnIds: readonly string[];
  /**
   * A last column that is no sample: known by its name, or because its cells are text, as then all must be.
   */
  readonly description: "named" | "text" | undefined;
  readonly notes: readonly string[];
}

/**
 * Names, in lower case, of a last column that describes ASVs instead of counting
 * them, whatever its cells are.
 */
const descriptionNames = [
  "taxonomy",
  "consensus lineage",
  "consensuslineage",
  "otu metadata",
  "lineage",
  "taxon",
  "sequence",
  "confidence",
];
/** Words for what rows are, in the cell above their ids. */
const labelWords =
  /(^| )(z?otus?|asvs?|esvs?|svs?|features?|tax(on|a|onomy)|seq(uence)?s?|species|genus|genera|clusters?|samples?|row|rows|rownames|index|ids?|names?|otuid|asvid|featureid|sampleid)( |$)/;
const sampleLabels = ["sampleid", "sample id", "sample", "samples", "sample name"];

/** Whether a cell above the rows' ids says that rows are samples. */
export function namesSamples(label: string): boolean {
  return sampleLabels.includes(words(label));
}

/** What the columns of a long table are named, in lower case; one word of each kind makes the table one. */
const longColumns = [
  new RegExp(`^(${sampleLabels.join("|")})$`),
  /^(z?otu|asv|esv|sv|feature|taxon|sequence|species|genus)s?( ?(id|name))?$/,
  /^(relative )?(counts?|reads?|abundances?|values?|frequency|n)$/,
];
/** How to mend a long table, after a colon or semicolon. */
export const longCure = "give one with a row for each ASV and a column for each sample (a pivot of this one)";

/** Whether the three columns of a table are sample, feature and count, in any order: it is in long format. */
function isLong(names: readonly string[]): boolean {
  return names.length === 3 && longColumns.every((kind) => names.some((name) => kind.test(words(name))));
}

/** A label in lower case, as words: "#Sample-ID" and "sampleId" become "sample id". */
function words(label: string): string {
  return label
    .replace(/^#\s*/, "")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[\s._-]+/g, " ")
    .trim()
    .toLowerCase();
}

/**
 * Decides what each cell of a header stands for, given the first row below it (both without quotes).
 * Where the two have the same number of cells the first cell is a label and the others are columns. A
 * header one cell short is one of two things: R leaves out the label, and hand-made tables the name of
 * a last column of taxonomy. It is read only where names and cells tell which; else each sample might
 * get its neighbour's counts.
 * @throws what `problem` makes of a sentence, for a header that is absent or fits neither way.
 */
export function readClassicHeader(
  names: readonly string[],
  row: readonly string[],
  lines: { readonly header: number; readonly row: number },
  problem: (what: string) => UserError,
): ClassicHeader {
  const [first = "", ...rest] = names;
  const allNumbers = rest.length > 0 && rest.every((name) => parseNumber(name) !== undefined);
  if (/^label$/i.test(first) && /^group$/i.test(rest[0] ?? "")) {
    throw problem(
      `line ${lines.header} is that of a mothur shared file; make a BIOM file of it with mothur's make.biom`,
    );
  }
  if (isLong(names)) {
    throw problem(
      `line ${lines.header} names a table in long format, with a row for each count (${names.join(", ")}); ${longCure}`,
    );
  }
  if (allNumbers && first !== "" && !labelWords.test(words(first))) {
    throw problem(
      `line ${lines.header} holds numbers behind ${quote(first)}, so the header with the samples' names seems to be missing; ` +
        'add it, beginning with "#OTU ID"',
    );
  }
  const filled = row.findLastIndex((cell) => cell !== "") + 1;
  if (row.length <= names.length) return described(first, rest, row[names.length - 1]);
  const kind = kindOfFirst(first, rest);
  const counts = `the header (line ${lines.header}) has ${names.length} cells and line ${lines.row} has ${row.length}`;
  // Spreadsheets leave tabs at the ends of rows.
  if (filled <= names.length && kind === "label") return described(first, rest, row[names.length - 1]);
  if (row.length === names.length + 1 && kind === "sample" && filled === row.length) {
    const header = described("", names, row.at(-1));
    if (header.description !== "text")
      return { ...header, notes: ["its header has no name for the ids, as R writes it"] };
  }
  if (filled === names.length + 1 && kind === "label" && parseNumber(row[filled - 1]) === undefined) {
    const note = "its last column has no name and holds text; it was taken for a description of the ASVs";
    return { label: first, columnIds: rest, description: "text", notes: [note] };
  }
  throw problem(
    `${counts}, so it is open which column is which; give every column a name, and the first "#OTU ID"`,
  );
}

/** A header as long as its rows; its last column may describe ASVs. */
function described(label: string, columnIds: readonly string[], lastCell: string | undefined): ClassicHeader {
  const last = columnIds.at(-1) ?? "";
  const description = descriptionNames.includes(last.toLowerCase())
    ? "named"
    : lastCell !== undefined && isDescription(lastCell)
      ? "text"
      : undefined;
  return { label, columnIds: description ? columnIds.slice(0, -1) : columnIds, description, notes: [] };
}

/** Whether a last column, by its name and its first cell, describes ASVs instead of counting them. */
export function describesAsvs(name = "", cell = ""): boolean {
  return descriptionNames.includes(name.toLowerCase()) || isDescription(cell);
}

/** Whether a cell is text that cannot be meant as a count, such as a lineage. */
function isDescription(cell: string): boolean {
  return /[a-z]{2}.*[_;|: ]|__|;/i.test(cell) && Number.isNaN(Number(cell));
}

/** Whether the first cell of a header stands above the ids or names a sample like the others. */
function kindOfFirst(first: string, others: readonly string[]): "label" | "sample" | "unknown" {
  const numbered = (name: string) => name.replace(/\d+/g, "0");
  const lettered = (name: string) =>
    numbered(name)
      .replace(/[A-Z]+/g, "A")
      .replace(/[a-z]+/g, "a");
  if (/\d/.test(first) && others.some((name) => numbered(name) === numbered(first))) return "sample";
  if (first === "" || first.startsWith("#") || labelWords.test(words(first))) return "label";
  return others.some((name) => lettered(name) === lettered(first)) ? "sample" : "unknown";
}
