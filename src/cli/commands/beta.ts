import { Command, Option } from "commander";
import { pairCount } from "../../data/distances/distances.ts";
import { checkSquareOutput, writeSquare } from "../../data/distances/squareFile.ts";
import { squareOf } from "../../data/distances/write.ts";
import { type BetaMetric, betaDiversity, betaMetrics } from "../../data/statistics/betaDiversity.ts";
import { readTable } from "../../data/table/read.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { warnOfTable } from "../options/doubtfulTable.ts";
import { addDrawingOptions, rarefied } from "../options/rarefied.ts";

interface BetaFlags {
  readonly table: string;
  readonly output: string;
  readonly metric: BetaMetric;
  readonly rarefyDepth?: number;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  const command = new Command("beta")
    .description(
      "Compute distances that need no tree between all samples of a table: Bray-Curtis, Jaccard, Aitchison (for UniFrac use `aam unifrac`)",
    )
    .requiredOption("--table <file>", "BIOM, classic TSV or QIIME 2 table, gzipped or not")
    .requiredOption("-o, --output <file>", "the square matrix: .tsv (as QIIME 2), .qza, .npy, .h5 or .arrow")
    .addOption(
      new Option(
        "--metric <name>",
        "braycurtis: from the counts as they are; jaccard: from the presence of ASVs; aitchison: from log-ratios of counts plus 1",
      )
        .choices(betaMetrics)
        .default("braycurtis"),
    );
  return addDrawingOptions(command).action(run);
}

async function run(flags: BetaFlags): Promise<void> {
  const { table: source, output, metric } = flags;
  checkSquareOutput(output, metric);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const table = rarefied(await readTable(source), source, flags, display);
  warnOfTable(table, metric, display);
  const samples = table.sampleIds.length;
  display.begin(`Computing ${metric}`, pairCount(samples), "pairs");
  const onProgress = (done: number) => display.update(done);
  const distances = betaDiversity(table, { metric, source, onProgress });
  await writeSquare(output, squareOf(distances));
  display.end();
  display.message(`The ${metric} distances of ${samples} samples are in ${output}`);
  display.record("beta", { metric, samples, output });
}
