import { Command, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { writeSquare } from "../../data/distances/squareFile.ts";
import { squareOf } from "../../data/distances/write.ts";
import { resolveSequences } from "../../data/prepare/asvSequences.ts";
import { type Metric, metrics } from "../../data/prepare/options.ts";
import { readFasta } from "../../data/sequences/readFasta.ts";
import { bootstrap } from "../../data/table/bootstrap.ts";
import { rarefy } from "../../data/table/rarefy.ts";
import { readTable } from "../../data/table/read.ts";
import type { Table } from "../../data/table/table.ts";
import { tipMask } from "../../data/tree/shape.ts";
import type { Tree } from "../../data/tree/tree.ts";
import { mergeParts, partSize } from "../../data/unifrac/partFile.ts";
import {
  checkSomeOutput,
  rowRange,
  writeAgainst,
  writePairs,
  writeRows,
} from "../../data/unifrac/someDistances.ts";
import { checkUniFracOutput, writeFaithPd, writeUniFrac } from "../../data/unifrac/uniFracFile.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { chooseDevice } from "../options/chooseDevice.ts";
import { warnOfTable } from "../options/doubtfulTable.ts";
import { positiveWholeNumber, share, wholeNumber } from "../options/optionValues.ts";
import { rarefied } from "../options/rarefied.ts";
import { rootedTree } from "../options/rootedTree.ts";

interface UniFracFlags {
  readonly table?: string;
  readonly tree?: string;
  readonly rows?: string;
  readonly merge?: string[];
  readonly against?: string;
  readonly pairs?: number;
  readonly output: string;
  readonly metric: Metric;
  readonly alpha?: number;
  readonly varianceAdjusted: boolean;
  readonly bypassTips: boolean;
  readonly absolute: boolean;
  readonly repSeqs?: string;
  readonly midpointRoot: boolean;
  readonly rarefyDepth?: number;
  readonly rarefactions?: number;
  readonly withReplacement: boolean;
  readonly bootstrap: boolean;
  readonly seed: number;
  readonly precision: "float32" | "float64";
  readonly device: "auto" | "cpu" | "cuda";
  readonly threads?: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  return new Command("unifrac")
    .description("Compute UniFrac distances between all samples of a table, or Faith's PD of each sample")
    .optionsGroup("Input and output:")
    .option("--table <file>", "BIOM, classic TSV or QIIME 2 table, gzipped or not")
    .option("--tree <file>", "rooted Newick or QIIME 2 tree")
    .requiredOption(
      "-o, --output <file>",
      "the square matrix: .npy, .h5 (as unifrac-binaries), .tsv (as QIIME 2), .qza or .arrow; Faith's PD: .tsv, .qza or .npy",
    )
    .option(
      "--rep-seqs <file>",
      "FASTA or QIIME 2 sequences, if the tree's tips are sequences and the table's ids are not",
    )
    .option("--midpoint-root", "root an unrooted tree halfway between its two most distant tips", false)
    .optionsGroup("Parts of a large matrix:")
    .option(
      "--rows <A:B>",
      "only rows A up to B (counted from 0, without B) against all later samples, into an .h5 for --merge",
    )
    .option(
      "--merge <file>",
      "join parts that --rows wrote into the whole matrix; once for each part",
      (path: string, earlier: string[] = []) => [...earlier, path],
    )
    .option(
      "--against <table>",
      "only the samples of --table (rows) against those of this table (columns): .tsv or .npy",
    )
    .option("--pairs <n>", "only this many pairs, drawn at random by --seed: .tsv", positiveWholeNumber)
    .optionsGroup("Distances:")
    .addOption(new Option("--metric <name>", "what to compute").choices(metrics).default("unweighted"))
    .option("--alpha <share>", "alpha of the generalized metric, 0 to 1; by default 1", share)
    .option("--variance-adjusted", "the variance-adjusted form of the metric", false)
    .option("--bypass-tips", "leave out the branches of the tips, as ssu -f does", false)
    .option("--absolute", "use counts as they are, instead of shares of the sample", false)
    .optionsGroup("Rarefaction:")
    .option(
      "--rarefy-depth <n>",
      "counts to draw from each sample first; samples with fewer are left out",
      positiveWholeNumber,
    )
    .option("--with-replacement", "rarefy with replacement", false)
    .option("--bootstrap", "instead draw from each sample as many counts as it has, with replacement", false)
    .option(
      "--rarefactions <n>",
      "draw this often, with seeds from --seed on, and take the mean of the distances",
      positiveWholeNumber,
    )
    .option("--seed <n>", "decides what is drawn, and --pairs", wholeNumber, 0)
    .optionsGroup("Running:")
    .addOption(
      new Option("--precision <type>", "type of the distances")
        .choices(["float32", "float64"])
        .default("float32"),
    )
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("auto"),
    )
    .option("--threads <n>", "CPU cores to use; all if not given", positiveWholeNumber)
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

async function run(given: UniFracFlags): Promise<void> {
  refuseContradictions(given);
  if (given.merge !== undefined) {
    await merge(given, given.merge);
    return;
  }
  const flags = withSources(given);
  refuseUselessOptions(flags);
  const part = (["rows", "against", "pairs"] as const).find((name) => flags[name] !== undefined);
  if (part === undefined) checkUniFracOutput(flags.output, flags.metric);
  else checkSomeOutput(flags.output, part);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const tree = rootedTree(flags.tree, display, {
    midpoint: flags.midpointRoot ? "always" : undefined,
    cure: "root it, or add --midpoint-root",
  });
  const whole = await readTable(flags.table);
  const table = matchedTable(drawn(whole, flags.table, flags, display), tree, flags);
  warnOfTable(table, flags.metric, display);
  const samples = table.sampleIds.length;
  if (flags.metric === "faith_pd") {
    writeFaithPd(flags.output, table, tree, flags.tree);
    display.message(`Faith's PD of ${samples} samples is in ${flags.output}`);
    display.record("unifrac", { metric: flags.metric, samples, output: flags.output });
    return;
  }
  const { metric, alpha, varianceAdjusted, bypassTips, absolute, precision } = flags;
  const device = await chooseDevice(flags.device);
  if (flags.threads !== undefined) (await import("../../torch/index.ts")).setNumThreads(flags.threads);
  const options = { metric, alpha, varianceAdjusted, bypassTips, absolute, precision, device };
  const common = { ...options, treeSource: flags.tree, onProgress: (done: number) => display.update(done) };
  const finish = (what: string, record: Record<string, unknown> = {}) => {
    display.end();
    display.message(`The ${metric} distances of ${what} are in ${flags.output}`);
    display.record("unifrac", { metric, samples, ...record, output: flags.output });
  };
  if (flags.rows !== undefined) {
    const [from, to] = rowRange(flags.rows, samples);
    display.begin(`Computing ${metric}`, partSize(samples, from, to), "pairs");
    await writeRows(flags.output, table, tree, [from, to], common);
    finish(`rows ${from}:${to} of ${samples} samples`, { rows: [from, to] });
    return;
  }
  if (flags.against !== undefined) {
    const other = { ...flags, table: flags.against };
    const others = matchedTable(
      drawn(await readTable(flags.against), flags.against, other, display),
      tree,
      other,
    );
    display.begin(`Computing ${metric}`, samples * others.sampleIds.length, "pairs");
    const source = { table: others, source: flags.against };
    await writeAgainst(flags.output, table, source, tree, { ...common, source: flags.table });
    finish(`${samples} samples to ${others.sampleIds.length} others`, { against: others.sampleIds.length });
    return;
  }
  if (flags.pairs !== undefined) {
    display.begin(`Computing ${metric}`, Math.min(flags.pairs, (samples * (samples - 1)) / 2), "pairs");
    const pairs = writePairs(flags.output, table, tree, { ...common, count: flags.pairs, seed: flags.seed });
    finish(`${pairs} pairs of ${samples} samples`, { pairs });
    return;
  }
  if (flags.rarefactions !== undefined) {
    const count = flags.rarefactions;
    const { meanDistances } = await import("../../data/unifrac/meanDistances.ts");
    display.begin(`Computing ${metric}`, count, "drawings");
    const draw = (number: number) => matchedTable(drawnAgain(whole, flags, number), tree, flags);
    const { ids, values } = await meanDistances(draw, count, tree, {
      ...options,
      treeSource: flags.tree,
      onProgress: (share) => display.update(Math.floor(share * count)),
    });
    const mean = { ids, values: precision === "float32" ? Float32Array.from(values) : values };
    await writeSquare(flags.output, squareOf(mean));
    finish(`${samples} samples, means of ${count} drawings,`, { rarefactions: count });
    return;
  }
  display.begin(`Computing ${metric}`, (samples * (samples - 1)) / 2, "pairs");
  await writeUniFrac(flags.output, table, tree, {
    ...options,
    treeSource: flags.tree,
    onProgress: (done) => display.update(done),
  });
  finish(`${samples} samples`);
}

type FlagsWithSources = UniFracFlags & { readonly table: string; readonly tree: string };

function withSources(flags: UniFracFlags): FlagsWithSources {
  const { table, tree } = flags;
  if (table === undefined || tree === undefined)
    throw new UserError(
      `Distances need a table and a tree; give ${table === undefined ? "--table" : "--tree"} too (or --merge with parts).`,
    );
  return { ...flags, table, tree };
}

function refuseContradictions(flags: UniFracFlags): void {
  const given = (["rows", "merge", "against", "pairs"] as const).filter((name) => flags[name] !== undefined);
  if (given.length > 1)
    throw new UserError(`--${given[0]} and --${given[1]} exclude each other; leave one of them out.`);
  if (flags.rarefactions !== undefined && (given.length > 0 || flags.metric === "faith_pd"))
    throw new UserError(
      given.length > 0
        ? `--rarefactions means distances of all pairs; leave --${given[0]} or it out.`
        : "--rarefactions means distances, and faith_pd is a value for each sample; `aam rarefaction` means those.",
    );
  if (given.length === 1 && flags.metric === "faith_pd")
    throw new UserError(
      `--${given[0]} is about pairs, and faith_pd is a value for each sample; leave it out.`,
    );
  if (flags.merge !== undefined && (flags.table !== undefined || flags.tree !== undefined))
    throw new UserError(
      "--merge needs neither --table nor --tree, since the parts hold the distances; leave them out.",
    );
}

async function merge(flags: UniFracFlags, parts: readonly string[]): Promise<void> {
  checkUniFracOutput(flags.output, "the whole matrix");
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const samples = await mergeParts(flags.output, parts);
  display.message(`The distances of ${samples} samples are in ${flags.output}`);
  display.record("unifrac", { samples, parts: parts.length, output: flags.output });
}

function refuseUselessOptions({
  metric,
  alpha,
  varianceAdjusted,
  absolute,
  bypassTips,
  ...flags
}: UniFracFlags): void {
  const refuse = (option: string, reason: string): never => {
    throw new UserError(
      `${option} has no effect on ${metric}, ${reason}; leave it out or choose another metric.`,
    );
  };
  if (alpha !== undefined && metric !== "generalized") refuse("--alpha", "only on generalized");
  if (absolute && metric.startsWith("unweighted")) refuse("--absolute", "which only asks what is present");
  if (metric === "faith_pd") {
    const reason = "which is a sum of branches";
    if (varianceAdjusted) refuse("--variance-adjusted", reason);
    if (bypassTips) refuse("--bypass-tips", reason);
    if (absolute) refuse("--absolute", reason);
  }
  if (flags.withReplacement && flags.rarefyDepth === undefined) {
    throw new UserError("--with-replacement needs --rarefy-depth: without it nothing is rarefied.");
  }
  if (flags.bootstrap && flags.rarefyDepth !== undefined)
    throw new UserError(
      "--bootstrap draws as many counts as each sample has; leave --rarefy-depth out, or draw so many with --with-replacement instead.",
    );
  if (flags.rarefactions !== undefined && flags.rarefyDepth === undefined && !flags.bootstrap)
    throw new UserError("--rarefactions needs --rarefy-depth or --bootstrap: without them nothing is drawn.");
}

/** What is drawn of the table's samples, where the options ask for that. */
function drawn(table: Table, source: string, flags: FlagsWithSources, display: ProgressDisplay): Table {
  return flags.bootstrap ? bootstrap(table, flags.seed, source) : rarefied(table, source, flags, display);
}

/** What is drawn for the time `number`, without a word, as the first one has told what is left out. */
function drawnAgain(table: Table, flags: FlagsWithSources, number: number): Table {
  const { rarefyDepth: depth = 0, withReplacement, table: source } = flags;
  const seed = flags.seed + number;
  return flags.bootstrap
    ? bootstrap(table, seed, source)
    : rarefy(table, { depth, seed, withReplacement, source }).table;
}

/**
 * The table with its ASVs called as in the tree: by their ids, or by their sequences
 * if more of these are tips.
 */
function matchedTable(table: Table, tree: Tree, { table: source, repSeqs }: FlagsWithSources): Table {
  if (repSeqs === undefined) return table;
  const sequences = resolveSequences(table.asvIds, source, { name: repSeqs, sequences: readFasta(repSeqs) });
  const isTip = tipMask(tree);
  const tips = new Set(tree.names.filter((_, node) => isTip[node] === 1));
  const known = (names: readonly string[]) => names.reduce((sum, name) => sum + (tips.has(name) ? 1 : 0), 0);
  return known(sequences) > known(table.asvIds) ? { ...table, asvIds: sequences } : table;
}
