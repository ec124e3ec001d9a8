import { Command, Option } from "commander";
import { quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../../data/alikeIds.ts";
import { readMetadata } from "../../data/metadata/read.ts";
import { idsWhere } from "../../data/metadata/where.ts";
import { metadataOf } from "../../data/prepare/sampleMetadata.ts";
import { readIdFile } from "../../data/split/files.ts";
import { collapseTable } from "../../data/table/collapse.ts";
import { type AxisFilter, filterAsvs, filterSamples } from "../../data/table/filter.ts";
import { mergeById, type OverlapMethod, overlapMethods } from "../../data/table/mergeById.ts";
import { rarefy } from "../../data/table/rarefy.ts";
import { readTableWithNotes } from "../../data/table/read.ts";
import { isOfShares } from "../../data/table/select.ts";
import { subsampleIds } from "../../data/table/subsampleIds.ts";
import type { Table } from "../../data/table/table.ts";
import { type TableKind, tableKinds } from "../../data/table/writeBiom.ts";
import { checkTableOutput, writeTable } from "../../data/table/writeTable.ts";
import { readTaxonomy, refuseUnnamed, type Taxonomy } from "../../data/taxonomy/read.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { styleHelp } from "../options/helpStyle.ts";
import { nameList, positiveWholeNumber, shareOption, wholeNumber } from "../options/optionValues.ts";

interface CommonFlags {
  readonly output: string;
  readonly quiet: boolean;
  readonly json: boolean;
}

export function makeCommand(): Command {
  return new Command("table")
    .description("Filter, merge, collapse and subsample feature tables, as QIIME 2 does")
    .addCommand(filterCommand())
    .addCommand(mergeCommand())
    .addCommand(collapseCommand())
    .addCommand(subsampleCommand());
}

function addCommon(command: Command): Command {
  return styleHelp(command)
    .showHelpAfterError("(--help lists the options)")
    .exitOverride()
    .optionsGroup("Output:")
    .requiredOption("-o, --output <file>", "the table: .biom (HDF5), .qza (QIIME 2) or .tsv")
    .option("--quiet", "print warnings only", false)
    .option("--json", "print JSON lines", false)
    .option("--debug", "show the stack trace of an error");
}

const withTable = (command: Command) =>
  command
    .optionsGroup("Input:")
    .requiredOption("--table <file>", "BIOM, classic TSV or QIIME 2 table, gzipped or not");

/** What is done to a table: reads it, changes it, writes it, and says what came of it. */
async function change(
  path: string,
  flags: CommonFlags,
  how: (table: Table, display: ProgressDisplay) => { table: Table; kind?: TableKind },
): Promise<void> {
  checkTableOutput(flags.output);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const { table: before, kind } = await readKind(path);
  const after = how(before, display);
  writeTable(flags.output, after.table, after.kind ?? kind);
  const [samples, asvs] = [after.table.sampleIds.length, after.table.asvIds.length];
  display.message(
    `${samples} of ${before.sampleIds.length} samples with ${asvs} ASVs (of ${before.asvIds.length}) are in ${flags.output}`,
  );
  display.record("table", { samples, asvs, output: flags.output });
}

/** A table, and what its numbers are: as an artifact says, else what they look like, shares or counts. */
async function readKind(path: string): Promise<{ table: Table; kind: TableKind }> {
  const { table, artifactType } = await readTableWithNotes(path);
  const stated = /^FeatureTable\[(\w+)\]/.exec(artifactType ?? "")?.[1];
  return {
    table,
    kind: tableKinds.find((one) => one === stated) ?? (isOfShares(table) ? "RelativeFrequency" : "Frequency"),
  };
}

interface FilterFlags extends CommonFlags {
  readonly table: string;
  readonly minDepth?: number;
  readonly maxDepth?: number;
  readonly minRichness?: number;
  readonly maxRichness?: number;
  readonly samples?: string;
  readonly excludeSamples?: string;
  readonly metadata?: string;
  readonly where?: string[];
  readonly minCount?: number;
  readonly minSamples?: number;
  readonly minPrevalence?: number;
  readonly asvs?: string;
  readonly excludeAsvs?: string;
  readonly taxonomy?: string;
  readonly include?: string[];
  readonly exclude?: string[];
}

const repeated = (value: string, earlier: string[] = []) => [...earlier, value];
/** As QIIME 2 has them, whose `--p-exclude mitochondria,chloroplast` is two texts. */
const texts = (value: string, earlier: string[] = []) => [...earlier, ...nameList(value)];

function filterCommand(): Command {
  const command = withTable(new Command("filter"))
    .description(
      "Keep some samples and ASVs: samples are chosen first, then ASVs among those that they hold; samples and ASVs left without counts are removed",
    )
    .optionsGroup("Samples:")
    .option("--min-depth <n>", "fewest counts of a sample", positiveWholeNumber)
    .option("--max-depth <n>", "most counts of a sample", positiveWholeNumber)
    .option("--min-richness <n>", "fewest ASVs of a sample", positiveWholeNumber)
    .option("--max-richness <n>", "most ASVs of a sample", positiveWholeNumber)
    .option("--samples <file>", "only these samples: one id on each line")
    .option("--exclude-samples <file>", "all but these samples")
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata, for --where")
    .option(
      "--where <condition>",
      "only samples for which this is true: column=value, column!=value, column=a|b or, for numbers, column<value; if repeated, all must be true",
      repeated,
    )
    .optionsGroup("ASVs:")
    .option("--min-count <n>", "fewest counts of an ASV in all samples", positiveWholeNumber)
    .option("--min-samples <n>", "fewest samples that have an ASV", positiveWholeNumber)
    .option("--min-prevalence <share>", "the same as a share of the samples", shareOption)
    .option("--asvs <file>", "only these ASVs: one id on each line")
    .option("--exclude-asvs <file>", "all but these ASVs")
    .option("--taxonomy <file>", "lineages of the ASVs, for --include and --exclude")
    .option("--include <texts>", "only ASVs whose lineage contains one of these, separated by commas", texts)
    .option("--exclude <texts>", "no ASV whose lineage contains one of these, separated by commas", texts);
  return addCommon(command).action(filter);
}

async function filter(flags: FilterFlags): Promise<void> {
  const { table: source, where, include, exclude } = flags;
  if (where !== undefined && flags.metadata === undefined)
    throw new UserError("--where asks for a column of the metadata; give --metadata, too.");
  if (flags.metadata !== undefined && where === undefined)
    throw new UserError("--metadata is for --where; say which samples are to stay, or leave it out.");
  if ((include ?? exclude) !== undefined && flags.taxonomy === undefined)
    throw new UserError("--include and --exclude ask for lineages; give --taxonomy, too.");
  if (flags.taxonomy !== undefined && include === undefined && exclude === undefined)
    throw new UserError("--taxonomy is for --include and --exclude; give one of them, or leave it out.");
  const { minDepth, maxDepth, minRichness, maxRichness, minCount, minSamples, minPrevalence } = flags;
  const asksForSamples = [
    minDepth,
    maxDepth,
    minRichness,
    maxRichness,
    flags.samples,
    flags.excludeSamples,
    where,
  ];
  const asksForAsvs = [minCount, minSamples, minPrevalence, flags.asvs, flags.excludeAsvs, include, exclude];
  const isGiven = (values: readonly unknown[]) => values.some((value) => value !== undefined);
  if (!isGiven(asksForSamples) && !isGiven(asksForAsvs))
    throw new UserError("Nothing to filter by is given; --help lists the bounds and lists of ids.");
  const metadata = flags.metadata === undefined ? undefined : readMetadata(flags.metadata);
  const taxonomy = flags.taxonomy === undefined ? undefined : readTaxonomy(flags.taxonomy);
  await change(source, flags, (table, display) => {
    const doubts = metadata && metadataOf(metadata, table.sampleIds, source).warnings;
    for (const warning of doubts ?? []) display.warn(warning);
    let left = table;
    if (isGiven(asksForSamples)) {
      const lists = [
        listed(flags.samples, left.sampleIds, "sample", display),
        excluded(flags.excludeSamples, left.sampleIds, "sample", display),
        ...(where ?? []).map((condition) => idsWhere(metadata!, condition)),
      ];
      const bounds = {
        minCount: minDepth,
        maxCount: maxDepth,
        minPresent: minRichness,
        maxPresent: maxRichness,
      };
      left = filterSamples(left, { ...bounds, ids: inAll(lists) }, source);
    }
    if (isGiven(asksForAsvs)) {
      const lists = [
        listed(flags.asvs, left.asvIds, "ASV", display),
        excluded(flags.excludeAsvs, left.asvIds, "ASV", display),
        taxonomy && withLineage(left.asvIds, taxonomy, source, { include, exclude }, display),
      ];
      const share = Math.ceil((minPrevalence ?? 0) * left.sampleIds.length - 1e-9);
      const minPresent = Math.max(minSamples ?? 0, share);
      left = filterAsvs(left, { minCount, minPresent, ids: inAll(lists) }, source);
    }
    return { table: left };
  });
}

/** The ids that all lists have; undefined if there is no list. */
function inAll(lists: readonly (ReadonlySet<string> | undefined)[]): AxisFilter["ids"] {
  const given = lists.filter((list) => list !== undefined);
  if (given.length === 0) return undefined;
  return new Set([...given[0]].filter((id) => given.every((list) => list.has(id))));
}

function listed(
  path: string | undefined,
  ids: readonly string[],
  kind: string,
  display: ProgressDisplay,
): ReadonlySet<string> | undefined {
  if (path === undefined) return undefined;
  const named = readIdFile(path);
  const known = new Set(ids);
  const lacking = named.filter((id) => !known.has(id));
  if (lacking.length === named.length)
    throw new UserError(
      `${path} names no ${kind} of the table: its first id is "${named[0]}", the table's "${ids[0]}"${alikeIds(named, ids)}.`,
    );
  if (lacking.length > 0)
    display.warn(
      `${lacking.length} ids of ${path} are no ${kind}s of the table (the first is "${lacking[0]}").`,
    );
  return new Set(named);
}

function excluded(
  path: string | undefined,
  ids: readonly string[],
  kind: string,
  display: ProgressDisplay,
): ReadonlySet<string> | undefined {
  const named = listed(path, ids, kind, display);
  return named && new Set(ids.filter((id) => !named.has(id)));
}

/**
 * ASVs by their lineages, as QIIME 2's `taxa filter-table` in its mode `contains`: capitals do not
 * matter.
 */
function withLineage(
  ids: readonly string[],
  taxonomy: Taxonomy,
  source: string,
  { include, exclude = [] }: { include?: readonly string[]; exclude?: readonly string[] },
  display: ProgressDisplay,
): ReadonlySet<string> {
  refuseUnnamed(taxonomy, ids, source);
  const contains = (id: string, texts: readonly string[]) => {
    const lineage = taxonomy.lineages.get(id)!.toLowerCase();
    return texts.some((text) => lineage.includes(text.toLowerCase()));
  };
  const idle = [...(include ?? []), ...exclude].filter((text) => !ids.some((id) => contains(id, [text])));
  if (idle.length > 0)
    display.warn(`No ASV's lineage contains ${quoteSome(idle)}; if it should, check how it is written.`);
  return new Set(
    ids.filter((id) => (include === undefined || contains(id, include)) && !contains(id, exclude)),
  );
}

function mergeCommand(): Command {
  const command = new Command("merge")
    .description("Merge several tables by the ids of their samples and ASVs")
    .optionsGroup("Input:")
    .requiredOption("--table <file>", "BIOM, classic TSV or QIIME 2 table; once for each", repeated)
    .addOption(
      new Option("--overlap-method <name>", "what to do with samples or ASVs that several tables have")
        .choices(overlapMethods)
        .default("error_on_overlapping_sample"),
    );
  return addCommon(command).action(merge);
}

async function merge(
  flags: CommonFlags & { readonly table: string[]; readonly overlapMethod: OverlapMethod },
): Promise<void> {
  checkTableOutput(flags.output);
  if (flags.table.length < 2)
    throw new UserError("Merging needs two tables or more; give --table once for each.");
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const parts = [];
  for (const source of flags.table) parts.push({ source, ...(await readKind(source)) });
  const [{ kind, source: first }] = parts;
  const other = parts.find((part) => part.kind !== kind);
  if (other !== undefined)
    throw new UserError(
      `${first} holds ${kind} and ${other.source} ${other.kind}, which cannot be added up; give tables of one kind.`,
    );
  const table = mergeById(parts, flags.overlapMethod);
  writeTable(flags.output, table, flags.overlapMethod === "union" ? "PresenceAbsence" : kind);
  const [samples, asvs] = [table.sampleIds.length, table.asvIds.length];
  display.message(`${samples} samples with ${asvs} ASVs of ${parts.length} tables are in ${flags.output}`);
  display.record("table", { samples, asvs, output: flags.output });
}

function collapseCommand(): Command {
  const command = withTable(new Command("collapse"))
    .description("Add up the ASVs of each taxon down to a rank")
    .requiredOption("--taxonomy <file>", "QIIME 2 taxonomy, or ids and lineages as in SILVA and Greengenes")
    .requiredOption(
      "--level <n>",
      "how many ranks to keep: 2 is the phylum, 6 the genus, 7 the species",
      positiveWholeNumber,
    );
  return addCommon(command).action(
    (flags: CommonFlags & { readonly table: string; readonly taxonomy: string; readonly level: number }) => {
      const taxonomy = readTaxonomy(flags.taxonomy);
      return change(flags.table, flags, (table) => ({
        table: collapseTable(table, taxonomy, flags.level, flags.table),
      }));
    },
  );
}

interface SubsampleFlags extends CommonFlags {
  readonly table: string;
  readonly depth?: number;
  readonly samples?: number;
  readonly asvs?: number;
  readonly withReplacement: boolean;
  readonly seed: number;
}

function subsampleCommand(): Command {
  const command = withTable(new Command("subsample"))
    .description("Draw counts from each sample (rarefy), or some of the samples or ASVs, at random")
    .optionsGroup("What is drawn, one of:")
    .option(
      "--depth <n>",
      "this many counts from each sample; samples with fewer are left out",
      positiveWholeNumber,
    )
    .option("--samples <n>", "this many of the samples", positiveWholeNumber)
    .option("--asvs <n>", "this many of the ASVs", positiveWholeNumber)
    .optionsGroup("How:")
    .option("--with-replacement", "draw counts with replacement", false)
    .option("--seed <n>", "decides what is drawn", wholeNumber, 0);
  return addCommon(command).action(subsample);
}

async function subsample(flags: SubsampleFlags): Promise<void> {
  const { table: source, depth, samples, asvs, withReplacement, seed } = flags;
  if ([depth, samples, asvs].filter((value) => value !== undefined).length !== 1)
    throw new UserError("Give one of --depth, --samples and --asvs.");
  if (withReplacement && depth === undefined)
    throw new UserError("--with-replacement is for --depth: samples and ASVs are drawn once; leave it out.");
  await change(source, flags, (table, display) => {
    if (depth === undefined) {
      const [kind, count] =
        samples === undefined ? (["ASVs", asvs!] as const) : (["samples", samples] as const);
      return { table: subsampleIds(table, { kind, count, seed, source }) };
    }
    const onProgress = stageReporter(display);
    const { table: drawn, report } = rarefy(table, { depth, seed, withReplacement, source, onProgress });
    const dropped = report.droppedSamples;
    if (dropped.length > 0)
      display.warn(
        `${dropped.length} of ${report.samplesBefore} samples have fewer than ${depth} counts and were left out; the first is "${dropped[0].id}".`,
      );
    return { table: drawn };
  });
}
