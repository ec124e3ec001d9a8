/** A statistic with four digits. */
export function statisticText(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

/** What a permutation test says: `p 0.001 (999 permutations, none of which comes as far)`. */
export function pText(p: number, permutations: number): string {
  if (permutations === 0) return "no p, as nothing was permuted";
  const isLeast = p <= 1.5 / (permutations + 1);
  return `p ${statisticText(p)} (${permutations} permutations${isLeast ? ", none of which comes as far" : ""})`;
}

/** A table of rows that all have the first one's columns; what is undefined or no number is left empty. */
export function rowsText(rows: readonly Readonly<Record<string, string | number | undefined>>[]): string {
  const cell = (value: string | number | undefined) =>
    value === undefined || Number.isNaN(value) ? "" : String(value).replace(/[\t\r\n]+/g, " ");
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => `${names.map((name) => cell(row[name])).join("\t")}\n`);
  return `${names.join("\t")}\n${lines.join("")}`;
}
