import { basename } from "node:path";
import { Command } from "commander";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { chosen } from "../../data/statistics/grouping.ts";
import { isOrdination, type Ordination, readOrdination } from "../../data/statistics/ordination.ts";
import type { Procrustes } from "../../data/statistics/procrustes.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { distancesFrom } from "../options/distanceSource.ts";
import { addMatchOptions, type MatchFlags, matchSamples } from "../options/matchedSamples.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";
import { checkPlotFile, writePlotFile } from "../options/plotFile.ts";
import { pText, rowsText, statisticText } from "../text/statisticsText.ts";

interface ProcrustesFlags extends MatchFlags {
  readonly dimensions: number;
  readonly permutations: number;
  readonly seed: number;
  readonly output?: string;
  readonly plot?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  const command = new Command("procrustes")
    .description(
      "Compare two maps of the same samples by rotating and scaling one onto the other (Procrustes analysis)",
    )
    .argument(
      "<first>",
      "a square matrix of distances, or an ordination (.txt of `aam pcoa`, PCoAResults.qza)",
    )
    .argument("<second>", "another one, whose samples may be in another order");
  return addMatchOptions(command)
    .optionsGroup("Test:")
    .option("--dimensions <n>", "axes to compare, at most as many as both have", positiveWholeNumber, 5)
    .option("--permutations <n>", "permutations of the second one's samples; 0 gives no p", wholeNumber, 999)
    .option("--seed <n>", "decides the permutations", wholeNumber, 0)
    .optionsGroup("Output:")
    .option("-o, --output <file>", "also write the result as a table of one row: .tsv")
    .option("--plot <file>", "also draw both maps, the second one rotated onto the first: .svg or .png")
    .optionsGroup("Running:")
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

/** The axes of a file's samples, of which only some may be asked for. */
interface Source {
  readonly ids: readonly string[];
  readonly axesOf: (rows: readonly number[]) => Promise<Ordination>;
}

async function run(first: string, second: string, flags: ProcrustesFlags): Promise<void> {
  const { permutations, seed, output, plot } = flags;
  if (output !== undefined) checkOutput(output, [".tsv"], "a result");
  checkPlotFile(plot);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const [a, b] = [await sourceOf(first, flags, display), await sourceOf(second, flags, display)];
  const matched = matchSamples([a.ids, b.ids], [first, second], flags, display);
  const [x, y] = [await a.axesOf(matched.first), await b.axesOf(matched.second)];
  const { procrustes } = await import("../../data/statistics/procrustes.ts");
  display.begin("Permuting", permutations, "permutations");
  const onProgress = (done: number) => display.update(done);
  const result = procrustes(x, y, { dimensions: flags.dimensions, permutations, seed, onProgress });
  display.end();
  const { m2, p, samples, dimensions } = result;
  display.message(`${samples} samples of ${first} and ${second} on ${dimensions} axes`);
  display.message(
    `Procrustes: m² ${statisticText(m2)} (0: the same map, 1: nothing in common), ${pText(p, permutations)}`,
  );
  const row = { method: "Procrustes", samples, dimensions, "m-squared": m2, "p-value": p, permutations };
  if (output !== undefined) {
    writeFileAtomic(output, rowsText([row]));
    display.message(`The result is in ${output}`);
  }
  if (plot !== undefined) {
    await writePlotFile(plot, await drawn(result, [first, second], x.ids));
    display.message(`The plot is in ${plot}`);
  }
  display.record("procrustes", row);
}

async function sourceOf(path: string, flags: ProcrustesFlags, display: ProgressDisplay): Promise<Source> {
  if (isOrdination(path)) {
    const whole = readOrdination(path);
    return { ids: whole.ids, axesOf: async (rows) => chosenRows(whole, rows) };
  }
  const { distances } = await distancesFrom(
    { distances: path, table: flags.table, seed: flags.seed },
    display,
  );
  const axesOf = async (rows: readonly number[]) => {
    const { pcoa } = await import("../../data/statistics/pcoa.ts");
    return pcoa(chosen(distances, rows), { dimensions: flags.dimensions, seed: flags.seed });
  };
  return { ids: distances.ids, axesOf };
}

function chosenRows(whole: Ordination, rows: readonly number[]): Ordination {
  const axes = whole.eigenvalues.length;
  const coordinates = new Float64Array(rows.length * axes);
  rows.forEach((row, i) => {
    coordinates.set(whole.coordinates.subarray(row * axes, (row + 1) * axes), i * axes);
  });
  return { ...whole, ids: rows.map((row) => whole.ids[row]), coordinates };
}

async function drawn(
  { first, second, dimensions, m2 }: Procrustes,
  paths: readonly [string, string],
  labels: readonly string[],
) {
  const { embeddingMap } = await import("../../display/plots/embeddingMap.ts");
  const panels = [first, second].map((coordinates, which) => {
    const axis = (number: number) =>
      Float64Array.from(labels, (_, i) => coordinates[i * dimensions + number]);
    return {
      title: basename(paths[which]),
      axis: "Axis",
      x: axis(0),
      y: dimensions > 1 ? axis(1) : new Float64Array(labels.length),
    };
  });
  return embeddingMap({ title: `Two maps of the same samples, m² ${statisticText(m2)}`, panels, labels });
}
