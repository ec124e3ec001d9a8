import { Command } from "commander";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { UserError } from "../../common/userError.ts";
import { type RarefactionCurve, rarefactionCurves } from "../../data/statistics/rarefactionCurves.ts";
import { readTable } from "../../data/table/read.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { type AlphaFlags, alphaMetricsOf, alphaOption } from "../options/alphaMetrics.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";
import { checkPlotFile, textOf, writePlotFile } from "../options/plotFile.ts";
import { rootedTree } from "../options/rootedTree.ts";
import { shownMetadata } from "../options/shownMetadata.ts";

interface RarefactionFlags extends Omit<AlphaFlags, "shannonBase"> {
  readonly output: string;
  readonly maxDepth?: number;
  readonly steps: number;
  readonly repeats: number;
  readonly plot?: string;
  readonly metadata?: string;
  readonly groupBy?: string;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Lines that a plot can tell apart. */
const mostGroups = 7;

export function makeCommand(): Command {
  return new Command("rarefaction")
    .description("Compute rarefaction curves: the diversity of samples by the number of counts drawn")
    .requiredOption("--table <file>", "BIOM, classic TSV or QIIME 2 table of whole counts, gzipped or not")
    .option("--tree <file>", "rooted tree, for faith_pd")
    .requiredOption(
      "-o, --output <file>",
      "a table with the mean diversity of each sample at each depth: .tsv",
    )
    .addOption(alphaOption())
    .optionsGroup("Curves:")
    .option(
      "--max-depth <n>",
      "largest depth; by default the median of the samples' counts",
      positiveWholeNumber,
    )
    .option("--steps <n>", "number of depths, evenly spaced up to the largest", positiveWholeNumber, 10)
    .option("--repeats <n>", "draws at each depth, of which the mean is taken", positiveWholeNumber, 10)
    .option("--seed <n>", "decides the draws", wholeNumber, 0)
    .optionsGroup("Plot:")
    .option("--plot <file>", "also draw the mean curve of the first metric: .svg or .png")
    .option("--metadata <file>", "metadata of the samples, for --group-by")
    .option("--group-by <column>", "metadata column with a curve for each value")
    .optionsGroup("Running:")
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

async function run(flags: RarefactionFlags): Promise<void> {
  const { table: source, tree, output, maxDepth, steps, repeats, seed, plot, groupBy } = flags;
  checkOutput(output, [".tsv"], "rarefaction curves");
  checkPlotFile(plot);
  if ((groupBy === undefined) !== (flags.metadata === undefined))
    throw new UserError("--metadata and --group-by go together: give both, or none for one curve.");
  if (groupBy !== undefined && plot === undefined)
    throw new UserError("--group-by groups the plot's curves; add --plot, or leave it out.");
  const metrics = alphaMetricsOf({ ...flags, shannonBase: "2" });
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const table = await readTable(source);
  const { sampleIds } = table;
  const groups =
    flags.metadata === undefined
      ? sampleIds.map(() => "all samples")
      : textOf(shownMetadata(flags.metadata, display), groupBy!, sampleIds);
  display.begin("Drawing", steps * repeats, "drawings");
  const curves = rarefactionCurves(table, {
    metrics,
    tree: tree === undefined ? undefined : rootedTree(tree, display),
    treeSource: tree,
    maxDepth,
    steps,
    repeats,
    seed,
    source,
    onProgress: (done) => display.update(done),
  });
  display.end();
  writeFileAtomic(output, tsvOf(curves, sampleIds));
  if (plot !== undefined) await writePlotFile(plot, await drawn(curves[0], groups, groupBy, repeats));
  const { depths, means } = curves[0];
  const left = [...means[depths.length - 1]].filter((mean) => !Number.isNaN(mean)).length;
  display.message(
    `${sampleIds.length} samples at ${depths.length} depths up to ${depths[depths.length - 1]} counts, which ${left} of them have`,
  );
  display.message(`The curves are in ${output}${plot === undefined ? "" : `, their plot in ${plot}`}`);
  display.record("rarefaction", { samples: sampleIds.length, metrics, depths, output });
}

function tsvOf(curves: readonly RarefactionCurve[], sampleIds: readonly string[]): string {
  const lines = [`sample-id\tdepth\t${curves.map(({ metric }) => metric).join("\t")}\n`];
  for (const [row, id] of sampleIds.entries())
    for (const [at, depth] of curves[0].depths.entries()) {
      const values = curves.map(({ means }) => means[at][row]);
      if (!Number.isNaN(values[0])) lines.push(`${id}\t${depth}\t${values.join("\t")}\n`);
    }
  return lines.join("");
}

async function drawn(
  { metric, depths, means }: RarefactionCurve,
  groups: readonly string[],
  groupBy: string | undefined,
  repeats: number,
) {
  const { lineChart } = await import("../../display/plots/investigation.ts");
  const rows = Map.groupBy(groups.keys(), (row) => groups[row]);
  rows.delete("");
  const byCount = [...rows].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
  const shown = byCount.slice(0, mostGroups);
  const left = byCount.length - shown.length;
  const series = shown.map(([group, members]) => ({
    name: group,
    x: depths,
    y: means.map((values) => {
      const known = members.map((row) => values[row]).filter((value) => !Number.isNaN(value));
      // No mean of no samples: the curve ends there.
      return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
    }),
  }));
  const subtitle = [
    `Means of ${repeats} drawings${groupBy === undefined ? "" : `, by ${groupBy}${left > 0 ? ` (its ${mostGroups} largest groups of ${byCount.length})` : ""}`}`,
    "Samples with fewer counts than a depth are not in its mean",
  ];
  return lineChart({
    title: "Rarefaction curves",
    subtitle,
    xTitle: "Counts drawn from each sample",
    yTitle: metric,
    fromZero: true,
    series,
  });
}
