import { extname } from "node:path";
import { Command, Option } from "commander";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { refuseTornIds } from "../../data/checkIds.ts";
import { writeSampleVectorArtifact } from "../../data/distances/sampleVector.ts";
import { alphaDiversity } from "../../data/statistics/alphaDiversity.ts";
import { readTable } from "../../data/table/read.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { type AlphaFlags, alphaMetricsOf, alphaOption, shannonBases } from "../options/alphaMetrics.ts";
import { addDrawingOptions, rarefied } from "../options/rarefied.ts";
import { rootedTree } from "../options/rootedTree.ts";
import { statisticText } from "../text/statisticsText.ts";

interface AlphaCommandFlags extends AlphaFlags {
  readonly output: string;
  readonly rarefyDepth?: number;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  const command = new Command("alpha")
    .description(
      "Compute the diversity of each sample of a table: how many ASVs, how even their counts, how far apart on the tree",
    )
    .requiredOption("--table <file>", "BIOM, classic TSV or QIIME 2 table, gzipped or not")
    .option("--tree <file>", "rooted tree, for faith_pd")
    .requiredOption(
      "-o, --output <file>",
      "a table of samples and diversities, which serves as metadata: .tsv; or, with one metric, a QIIME 2 artifact: .qza",
    )
    .addOption(alphaOption())
    .addOption(
      new Option(
        "--shannon-base <base>",
        "base of Shannon's logarithm; QIIME 2 uses 2, scikit-bio since 0.6.1 and vegan use e",
      )
        .choices(Object.keys(shannonBases))
        .default("2"),
    );
  return addDrawingOptions(command).action(run);
}

async function run(flags: AlphaCommandFlags): Promise<void> {
  const { table: source, tree: treeSource, output } = flags;
  checkOutput(output, [".tsv", ".qza"], "diversities");
  const metrics = alphaMetricsOf(flags);
  const isArtifact = extname(output) === ".qza";
  if (isArtifact && metrics.length > 1)
    throw new UserError(
      `An artifact holds one diversity, and ${output} would hold ${metrics.length}; name one with --metric, or write a .tsv.`,
    );
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const table = rarefied(await readTable(source), source, flags, display);
  const tree = treeSource === undefined ? undefined : rootedTree(treeSource, display);
  const base = shannonBases[flags.shannonBase];
  display.begin("Computing diversities", metrics.length, "metrics");
  const columns = metrics.map((metric, i) => {
    const values = alphaDiversity(table, metric, { tree, base, source, treeSource });
    display.update(i + 1);
    return values;
  });
  display.end();
  const rows = [...table.sampleIds.keys()];
  const known = rows.filter((row) => columns.every((values) => !Number.isNaN(values[row])));
  if (known.length === 0)
    throw new UserError(
      `${source} has no sample with counts, so there is no diversity to tell; check the table.`,
    );
  if (known.length < rows.length) {
    const lacking = rows.find((row) => columns.some((values) => Number.isNaN(values[row])))!;
    display.warn(
      `${rows.length - known.length} of ${rows.length} samples have no counts, and so no diversity; they were left out, the first is ${quote(table.sampleIds[lacking])}.`,
    );
  }
  const ids = known.map((row) => table.sampleIds[row]);
  if (isArtifact)
    writeSampleVectorArtifact(
      output,
      { ids, values: Float64Array.from(known, (row) => columns[0][row]) },
      metrics[0],
    );
  else {
    refuseTornIds(output, ids);
    const lines = known.map((row, i) => `${ids[i]}\t${columns.map((values) => values[row]).join("\t")}\n`);
    writeFileAtomic(output, `sample-id\t${metrics.join("\t")}\n${lines.join("")}`);
  }
  const means = metrics.map(
    (metric, i) =>
      `${metric} ${statisticText(known.reduce((sum, row) => sum + columns[i][row], 0) / known.length)}`,
  );
  display.message(`Means of ${known.length} samples: ${means.join(", ")}`);
  const depths = new Set(known.map((row) => totalOf(row)));
  if (flags.rarefyDepth === undefined && depths.size > 1)
    display.message(
      `Samples have from ${Math.min(...depths)} to ${Math.max(...depths)} counts, and more counts show more ASVs; --rarefy-depth makes them comparable.`,
    );
  display.message(`The diversities are in ${output}`);
  display.record("alpha", { samples: known.length, metrics, output });

  function totalOf(row: number): number {
    return table.data
      .subarray(table.indptr[row], table.indptr[row + 1])
      .reduce((sum, count) => sum + count, 0);
  }
}
