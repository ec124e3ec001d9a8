/** The ranks of a lineage, from the first to the last that names are told for. */
export const rankNames = ["domain", "phylum", "class", "order", "family", "genus", "species"] as const;
export type Rank = (typeof rankNames)[number];

/** What stands before a name: `k__`, `d__` (Greengenes, Greengenes2, SILVA 138), `D_0__` (SILVA to 132). */
const prefix = /^(?:D_(\d+)|([a-z]))__/i;
const letters = "dpcofgs";

/** Lineages of what nothing is known of. */
const unassigned = /^(unassigned|unclassified|unknown|no blast hit)?$/i;

/** Names that tell nothing about the organism; SILVA has many. */
const uninformative =
  /^(uncultured|unidentified|unculturable|unclassified|unassigned|unknown|ambiguous taxa|metagenome|environmental)\b|\bmetagenome$|^$/i;

const confidence = /\(\d{1,3}(\.\d+)?\)$/;

/**
 * A lineage as other programs write it in the form that is read here: without the confidence behind each
 * rank (mothur, SINTAX), with `d__` for SINTAX's `d:`, and with semicolons for commas (SINTAX) and bars
 * (MetaPhlAn).
 * Confidences left in would make a taxon of each.
 */
export function plainLineage(lineage: string): string {
  const isSintax = /^[dk]:[^;]*$/.test(lineage);
  const isBarred = /^[a-z]__[^;|]*\|/.test(lineage);
  const parts = lineage.split(isSintax ? "," : isBarred ? "|" : ";").map((part) => part.trim());
  const hasConfidences = parts.every((part) => part === "" || confidence.test(part));
  if (!isSintax && !isBarred && (!hasConfidences || parts.every((part) => part === ""))) return lineage;
  return parts
    .filter((part) => part !== "")
    .map((part) => (hasConfidences ? part.replace(confidence, "") : part))
    .map((part) => (isSintax ? part.replace(/^([a-z]):/, "$1__") : part))
    .join("; ");
}

/** The parts of a lineage as they are written, without blanks around them. */
export function lineageParts(lineage: string): string[] {
  return lineage.split(";").map((part) => part.trim());
}

/** The names of a lineage by rank, without prefixes; "" where a rank has none. */
export function lineageNames(lineage: string): string[] {
  const names: string[] = rankNames.map(() => "");
  if (unassigned.test(lineage.trim())) return names;
  for (const [position, part] of lineageParts(lineage).entries()) {
    const [found, number, letter] = prefix.exec(part) ?? [""];
    const known = letter === undefined ? -1 : letters.indexOf(letter.toLowerCase().replace("k", "d"));
    const rank = number !== undefined ? Number(number) : known >= 0 ? known : position;
    if (rank < names.length) names[rank] = part.slice(found.length);
  }
  return names;
}

/**
 * The one name by which a lineage is shown: that of its last rank with a telling name, with the rank where
 * it is above the genus; a species with its genus. "unassigned" for none.
 * @example lineageName("k__Bacteria; p__Firmicutes; f__Lachnospiraceae; g__; s__") // "Lachnospiraceae
 * (family)"
 */
export function lineageName(lineage: string): string {
  const names = lineageNames(lineage).map((name) => name.replaceAll("_", " ").trim());
  const last = names.findLastIndex((name) => !uninformative.test(name));
  if (last < 0) return "unassigned";
  if (rankNames[last] === "genus") return names[last];
  if (rankNames[last] !== "species") return `${names[last]} (${rankNames[last]})`;
  const [genus, species] = [names[last - 1], names[last]];
  // Greengenes writes the epithet alone, the others the whole name.
  return genus === "" || species.includes(" ") ? species : `${genus} ${species}`;
}
