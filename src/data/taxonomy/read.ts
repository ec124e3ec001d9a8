import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { splitDelimited } from "../../formats/delimited.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { alikeIds } from "../alikeIds.ts";
import { type Metadata, parseMetadata } from "../metadata/read.ts";
import { isIdHeader } from "../metadata/rules.ts";
import { lineageName, plainLineage } from "./lineage.ts";

/** What is called what: lineages by ASV id. */
export interface Taxonomy {
  /** Names the file in errors. */
  readonly source: string;
  /** As the file writes them, such as `d__Bacteria; p__Bacillota`; those of other programs in this form. */
  readonly lineages: ReadonlyMap<string, string>;
  /** All columns of a file with QIIME 2's header. */
  readonly metadata?: Metadata;
}

/** Columns that tables with a column for each rank have, as DADA2 and phyloseq write them. */
const rankColumns = ["phylum", "class", "order", "family"];
/** A lineage has ranks, or at least a rank's prefix. */
const lineagePattern = /;|^([a-z]|D_\d+)__|^(unassigned|unclassified)$/i;

/**
 * Reads a taxonomy: a QIIME 2 artifact of type `FeatureData[Taxonomy]`, its `.tsv` file (`Feature ID`,
 * `Taxon`), ids and lineages without a header, as SILVA, Greengenes, Greengenes2, mothur and SINTAX write
 * theirs, or a column for each rank (DADA2); gzipped or not.
 * @throws UserError for a file that is missing, is none of these, or names an id twice.
 */
export function readTaxonomy(path: string): Taxonomy {
  const bytes = readFileBytes(path);
  if (!isZip(bytes)) return parseTaxonomy(decodeText(gunzipIfNeeded(bytes, path), path), path);
  const artifact = openQzaBytes(bytes, path);
  if (!/^FeatureData\[Taxonomy\]/.test(artifact.type))
    throw new UserError(
      `${path} is a QIIME 2 artifact of type ${artifact.type}; give one of type FeatureData[Taxonomy].`,
    );
  const source = `${path} (data/taxonomy.tsv)`;
  return parseTaxonomy(decodeText(artifact.file("taxonomy.tsv"), source), source);
}

/** Like `readTaxonomy`, for text in memory. */
export function parseTaxonomy(text: string, source: string): Taxonomy {
  const isCsv = /\.csv(\.gz)?$/i.test(source);
  const rows = splitDelimited(text, isCsv ? "," : "\t", source).filter(({ cells }) =>
    cells.some((cell) => cell !== ""),
  );
  const [first] = rows;
  if (first !== undefined && hasRankColumns(first.cells)) return { source, lineages: ofRanks(rows, source) };
  const isHeaderless = first !== undefined && !isIdHeader(first.cells[0]) && !first.cells[0].startsWith("#");
  const metadata = isHeaderless ? undefined : parseMetadata(text, source);
  const lineages = metadata === undefined ? headerless(rows, source) : withHeader(metadata);
  if (lineages.size === 0) throw new UserError(`${source} holds no lineages; give a taxonomy.`);
  return { source, lineages, metadata };
}

function hasRankColumns(header: readonly string[]): boolean {
  const names = header.map((cell) => cell.toLowerCase());
  return rankColumns.every((rank) => names.includes(rank));
}

/** Whether the first two rows of a file are those of a taxonomy that does not say so in its header. */
export function isTaxonomy(first: readonly string[], second: readonly string[]): boolean {
  const isLineage = ([, lineage = ""]: readonly string[]) => lineagePattern.test(plainLineage(lineage));
  return hasRankColumns(first) || (isLineage(first) && isLineage(second));
}

/** Lineages of which each rank has a column, all from the first that is the domain or kingdom. */
function ofRanks(rows: ReturnType<typeof splitDelimited>, source: string): Map<string, string> {
  const [{ cells: names }, ...body] = rows;
  // R leaves out the name of the ids' column.
  const shift = body[0]?.cells.length === names.length + 1 ? 1 : 0;
  const phylum = names.findIndex((name) => /^phylum$/i.test(name)) + shift;
  const species = names.findIndex((name) => /^species$/i.test(name)) + shift;
  const end = species > phylum ? species + 1 : names.length + shift;
  const lineages = new Map<string, string>();
  for (const { line, cells } of body) {
    const [id] = cells;
    const ranks = cells
      .slice(Math.max(1, phylum - 1), end)
      .map((cell) => (/^(na|nan)$/i.test(cell) ? "" : cell));
    const known = ranks.slice(0, ranks.findLastIndex((rank) => rank !== "") + 1);
    addLineage(lineages, id, known.length === 0 ? "Unassigned" : known.join("; "), `${source}, line ${line}`);
  }
  return lineages;
}

function addLineage(lineages: Map<string, string>, id: string, lineage: string, where: string): void {
  if (lineages.has(id))
    throw new UserError(`${where}: the id ${quote(id)} stands twice; keep one of its lineages.`);
  lineages.set(id, lineage);
}

function headerless(rows: ReturnType<typeof splitDelimited>, source: string): Map<string, string> {
  const lineages = new Map<string, string>();
  for (const { line, cells } of rows) {
    const [id, first = "", strand = "?", filtered] = cells;
    // SINTAX writes what its cutoff leaves behind the strand.
    const isFiltered = filtered !== undefined && /^[+-]?$/.test(strand) && /^[dk]:/.test(first);
    const lineage = isFiltered ? plainLineage(filtered) || "Unassigned" : plainLineage(first);
    if (id === "" || !lineagePattern.test(lineage))
      throw new UserError(
        `${source}, line ${line}: ${quote(lineage)} is no lineage such as d__Bacteria; p__Bacillota; give a taxonomy, ` +
          "ids in its first column and lineages in its second.",
      );
    addLineage(lineages, id, lineage, `${source}, line ${line}`);
  }
  return lineages;
}

function withHeader({ ids, columns, source }: Metadata): Map<string, string> {
  const named = [...columns.values()];
  const column = named.find(({ name }) => /^(taxon|taxonomy|lineage|consensus lineage)$/i.test(name));
  if (column === undefined)
    throw new UserError(
      `${source} has no column Taxon (it has ${named.map(({ name }) => quote(name)).join(", ")}); name the column of lineages so.`,
    );
  return new Map(ids.map((id, row) => [id, plainLineage(column.values[row] ?? "Unassigned")]));
}

/**
 * Reads the taxonomy of some ASVs; that it lacks some of them is said to `warn`. `source` names what they
 * are from.
 * @throws UserError as `readTaxonomy` does, and if it has none of them
 */
export function readTaxonomyOf(
  asvIds: readonly string[],
  path: string,
  source: string,
  warn: (text: string) => void,
): Taxonomy {
  const taxonomy = readTaxonomy(path);
  const lacking = asvIds.filter((id) => !taxonomy.lineages.has(id));
  if (lacking.length === 0) return taxonomy;
  const ids = [...taxonomy.lineages.keys()];
  if (lacking.length === asvIds.length)
    throw new UserError(
      `${path} has none of the ${asvIds.length} ASVs of ${source}: its first id is ${quote(ids[0])}, theirs ` +
        `${quote(asvIds[0])}${alikeIds(ids, asvIds)}; give the taxonomy of these ASVs.`,
    );
  warn(`${path} lacks ${lacking.length} of ${asvIds.length} ASVs (the first is ${quote(lacking[0])}).`);
  return taxonomy;
}

/**
 * For what needs the lineage of every ASV. @throws UserError for a taxonomy that lacks some of them, with
 * the first
 */
export function refuseUnnamed(taxonomy: Taxonomy, asvIds: readonly string[], source: string): void {
  const lacking = asvIds.filter((id) => !taxonomy.lineages.has(id));
  if (lacking.length === 0) return;
  const ids = [...taxonomy.lineages.keys()];
  throw new UserError(
    `${taxonomy.source} lacks ${lacking.length} of the ${asvIds.length} ASVs of ${source}, the first ${quote(lacking[0])} ` +
      `(its own first id is ${quote(ids[0])})${alikeIds(ids, lacking)}; give the taxonomy of these ASVs.`,
  );
}

/** The name by which an ASV is shown; undefined for one that the taxonomy lacks. */
export function taxonName(taxonomy: Taxonomy, asvId: string): string | undefined {
  const lineage = taxonomy.lineages.get(asvId);
  return lineage === undefined ? undefined : lineageName(lineage);
}
