import { parseNumber } from "../common/parseNumber.ts";
import { invisible, quote } from "../common/quote.ts";

/** Ways in which ids that mean the same differ between files, and what is the same then. */
const differences: readonly (readonly [what: string, plain: (id: string) => string])[] = [
  ["in invisible characters or blanks around", (id) => id.replace(invisible, "").trim()],
  ["in invisible characters or blanks", (id) => id.replace(invisible, "").replace(/\s+/g, "")],
  ["in quotation marks", (id) => id.replace(/["'`‘’“”]/g, "")],
  ["in upper and lower case", (id) => id.toLowerCase()],
  ["in how accents are encoded (composed or not)", (id) => id.normalize("NFKC")],
  ["in an annotation such as ;size=", (id) => id.replace(/;.*$/, "")],
  ["in blanks and underscores", (id) => id.replace(/[\s_]+/g, "_")],
  ['in what R makes of names (points for other characters, "X" before numbers)', asInR],
  ["in how a number is written, as spreadsheets change it", asNumber],
  ["in leading zeros", (id) => id.replace(/(^|\D)0+(?=\d)/g, "$1")],
  ["in T and U", (id) => id.toUpperCase().replaceAll("U", "T")],
  ["in words behind the first", (id) => id.split(/\s/, 1)[0]],
];

/** More digits are more than a number holds: ids that differ in them are not alike. */
function asNumber(id: string): string {
  return /^\D*(\d\D*){1,15}$/.test(id) ? String(parseNumber(id) ?? id) : id;
}

function asInR(id: string): string {
  return id.replace(/^X(?=[\d.])/, "").replace(/[^A-Za-z0-9.]/g, ".");
}

/**
 * Why ids of two files that do not match might mean the same: a remark in parentheses, with a blank before
 * it, that shows the first two that are alike and in what they differ; "" if none are.
 */
export function alikeIds(ours: readonly string[], theirs: readonly string[]): string {
  for (const [what, plain] of differences) {
    const known = new Map(theirs.map((id) => [plain(id), id]));
    for (const id of ours) {
      const other = known.get(plain(id));
      if (other !== undefined && other !== id)
        return ` (${quote(id)} and ${quote(other)} differ only ${what})`;
    }
  }
  return "";
}

/** The ids that are not among some others. */
export function without(ids: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return ids.filter((id) => !known.has(id));
}
