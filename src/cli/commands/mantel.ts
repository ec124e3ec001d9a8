import { basename } from "node:path";
import { Command, Option } from "commander";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { chosen } from "../../data/statistics/grouping.ts";
import { type MantelOptions, mantel, mantelAlternatives } from "../../data/statistics/mantel.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { distancesFrom } from "../options/distanceSource.ts";
import { addMatchOptions, type MatchFlags, matchSamples } from "../options/matchedSamples.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";
import { checkPlotFile, writePlotFile } from "../options/plotFile.ts";
import { pText, rowsText, statisticText } from "../text/statisticsText.ts";

interface MantelFlags extends MatchFlags {
  readonly method: NonNullable<MantelOptions["method"]>;
  readonly alternative: NonNullable<MantelOptions["alternative"]>;
  readonly permutations: number;
  readonly seed: number;
  readonly threads?: number;
  readonly output?: string;
  readonly plot?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  const command = new Command("mantel")
    .description("Test whether two matrices of distances between the same samples are correlated (Mantel)")
    .argument("<first>", "a square matrix, as `aam pcoa --distances` takes it")
    .argument("<second>", "another one, whose samples may be in another order");
  return addMatchOptions(command)
    .optionsGroup("Test:")
    .addOption(
      new Option("--method <name>", "correlation of the distances, or of their ranks")
        .choices(["pearson", "spearman"])
        .default("pearson"),
    )
    .addOption(
      new Option("--alternative <name>", "which correlations count as extreme")
        .choices(mantelAlternatives)
        .default("two-sided"),
    )
    .option(
      "--permutations <n>",
      "permutations of the first matrix's samples; 0 gives no p",
      wholeNumber,
      999,
    )
    .option("--seed <n>", "decides the permutations", wholeNumber, 0)
    .optionsGroup("Output:")
    .option("-o, --output <file>", "also write the result as a table of one row: .tsv")
    .option("--plot <file>", "also draw one matrix's distances against the other's: .svg or .png")
    .optionsGroup("Running:")
    .option("--threads <n>", "CPU cores to use; all if not given", positiveWholeNumber)
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

async function run(first: string, second: string, flags: MantelFlags): Promise<void> {
  const { table, method, alternative, permutations, seed, threads, output, plot } = flags;
  if (output !== undefined) checkOutput(output, [".tsv"], "a result");
  checkPlotFile(plot);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const read = async (distances: string) =>
    (await distancesFrom({ distances, table, seed }, display)).distances;
  const both = [await read(first), await read(second)];
  const matched = matchSamples([both[0].ids, both[1].ids], [first, second], flags, display);
  const [a, b] = [chosen(both[0], matched.first), chosen(both[1], matched.second)];
  display.begin("Permuting", permutations, "permutations");
  const result = await mantel(a, b, {
    method,
    alternative,
    permutations,
    seed,
    threads,
    onProgress: (done) => display.update(done),
  });
  display.end();
  const { correlation, p, samples } = result;
  const name = { pearson: "Pearson's r", spearman: "Spearman's rho" }[method];
  display.message(`${samples} samples of ${first} and ${second}`);
  display.message(`Mantel: ${name} ${statisticText(correlation)}, ${alternative}, ${pText(p, permutations)}`);
  const row = {
    method: "Mantel",
    correlation: method,
    alternative,
    samples,
    statistic: correlation,
    "p-value": p,
    permutations,
  };
  if (output !== undefined) {
    writeFileAtomic(output, rowsText([row]));
    display.message(`The result is in ${output}`);
  }
  if (plot !== undefined) {
    const { predictionScatter } = await import("../../display/plots/scatter.ts");
    const axes = { actual: basename(first), predicted: basename(second) };
    const title = "Distances in two matrices";
    const input = {
      title,
      quantity: "distance",
      actual: a.values,
      predicted: b.values,
      axes,
      pointName: "pairs",
    } as const;
    await writePlotFile(plot, await predictionScatter(input));
    display.message(`The plot is in ${plot}`);
  }
  display.record("mantel", row);
}
