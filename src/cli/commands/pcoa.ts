import { extname } from "node:path";
import { Command, Option } from "commander";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { UserError } from "../../common/userError.ts";
import {
  type Ordination,
  writeCoordinatesTsv,
  writeOrdination,
  writeOrdinationArtifact,
} from "../../data/statistics/ordination.ts";
import type { Pcoa } from "../../data/statistics/pcoa.ts";
import type { MapPanel } from "../../display/plots/embeddingMap.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { addDistanceOptions, type DistanceFlags, distancesFrom } from "../options/distanceSource.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";
import { checkPlotFile, colourOf, writePlotFile } from "../options/plotFile.ts";
import { shownMetadata } from "../options/shownMetadata.ts";

interface PcoaFlags extends DistanceFlags {
  readonly output: string;
  readonly dimensions: number;
  readonly method?: "eigh" | "fsvd";
  readonly plot?: string;
  readonly metadata?: string;
  readonly colorBy?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** The ordination's file formats. */
const writers: Readonly<Record<string, (path: string, ordination: Ordination) => void>> = {
  ".txt": writeOrdination,
  ".qza": writeOrdinationArtifact,
  ".tsv": writeCoordinatesTsv,
};

export function makeCommand(): Command {
  const command = new Command("pcoa").description(
    "Compute principal coordinates of samples (PCoA, classical multidimensional scaling) from their distances",
  );
  return addDistanceOptions(command)
    .optionsGroup("Output:")
    .requiredOption(
      "-o, --output <file>",
      ".txt: eigenvalues, shares and coordinates in scikit-bio's ordination format; .qza: QIIME 2's artifact, for Emperor; .tsv: the coordinates as a table",
    )
    .option("--plot <file>", "also draw the first two axes: .svg, .png, or .html for an interactive map")
    .option("--metadata <file>", "metadata of the samples, for --color-by; an .html plot has all columns")
    .option("--color-by <column>", "metadata column that colours the plot")
    .optionsGroup("Computing:")
    .option("--dimensions <n>", "axes to compute, at most as many as samples", positiveWholeNumber, 10)
    .addOption(
      new Option(
        "--method <name>",
        "eigh: all axes, exactly; fsvd: only the first axes, by random products until they have converged; by default eigh up to 2,000 samples",
      ).choices(["eigh", "fsvd"]),
    )
    .option("--seed <n>", "decides the rarefaction and fsvd", wholeNumber, 0)
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

async function run(flags: PcoaFlags): Promise<void> {
  const { output, plot, dimensions, method, seed } = flags;
  checkOutput(output, Object.keys(writers), "an ordination");
  checkPlotFile(plot, [".html"]);
  const isPage = plot !== undefined && extname(plot) === ".html";
  if (flags.colorBy === undefined ? flags.metadata !== undefined && !isPage : flags.metadata === undefined)
    throw new UserError(
      "--metadata and --color-by go together: give both, or none for a plot of one colour.",
    );
  if (flags.colorBy !== undefined && plot === undefined)
    throw new UserError("--color-by colours the plot; add --plot, or leave it out.");
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  const { distances, name } = await distancesFrom(flags, display);
  const samples = distances.ids.length;
  const metadata = flags.metadata === undefined ? undefined : shownMetadata(flags.metadata, display);
  // Before the axes, which take long.
  const ofColumn = (column: string) => colourOf(metadata!, column, distances.ids);
  const colour = flags.colorBy === undefined ? undefined : ofColumn(flags.colorBy);
  const columns = isPage && metadata ? [...metadata.columns.keys()].map(ofColumn) : [];
  // Loaded when it is needed, for it takes long.
  const { pcoa } = await import("../../data/statistics/pcoa.ts");
  display.begin(`Finding ${Math.min(dimensions, samples)} axes`, 100, "%");
  const onProgress = (share: number) => display.update(Math.floor(100 * share));
  const found = pcoa(distances, { method, dimensions, seed, onProgress });
  display.update(100);
  display.end();
  tellNegative(found, display);
  if (found.residual > 1e-4)
    display.warn(
      `The axes are not found to the end: eigenvalues may be off by ${percent(found.residual)} of the first; ask for fewer --dimensions, or use --method eigh.`,
    );
  writers[extname(output)](output, found);
  if (isPage) await writePage(plot, found, name, columns, colour?.title);
  else if (plot !== undefined) await writePlotFile(plot, await drawn(found, name, colour));
  const shares = [...found.explained.slice(0, 3)].map(percent).join(", ");
  display.message(
    `${samples} samples on ${found.eigenvalues.length} axes (${found.method}); they explain ${shares} ...`,
  );
  display.message(`The ordination is in ${output}${plot === undefined ? "" : `, its plot in ${plot}`}`);
  display.record("pcoa", {
    samples,
    method: found.method,
    explained: [...found.explained],
    lowestEigenvalue: found.negative?.lowest ?? 0,
    output,
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Says what negative eigenvalues mean, where there are any; a warning where they matter. */
function tellNegative({ negative, eigenvalues }: Pcoa, display: ProgressDisplay): void {
  if (negative === undefined) return;
  const { lowest, count } = negative;
  const share = -lowest / eigenvalues[0];
  const matters = share > 0.01;
  const some =
    count === undefined
      ? "Some eigenvalues are"
      : `${count} ${count === 1 ? "eigenvalue is" : "eigenvalues are"}`;
  const text =
    `${some} negative, the lowest ${Number(lowest.toPrecision(3))} (${percent(share)} of the first in size): ` +
    "no Euclidean space holds these distances exactly, and such axes are left at 0" +
    `${matters ? "; read the map with care" : ", which does no harm"}.`;
  if (matters) display.warn(text);
  else display.message(text);
}

type Colour = ReturnType<typeof colourOf>;

async function drawn(found: Ordination, name: string, colour: Colour | undefined) {
  const { embeddingMap } = await import("../../display/plots/embeddingMap.ts");
  const panels = [panelOf(found, name)];
  return embeddingMap({ title: "Principal coordinates", panels, colour, labels: found.ids });
}

/** A page whose map any of the columns colours. */
async function writePage(
  path: string,
  found: Ordination,
  name: string,
  columns: readonly Colour[],
  colour: string | undefined,
): Promise<void> {
  const { writeMapPage } = await import("../../display/page/mapPage.ts");
  const input = {
    title: "Principal coordinates",
    samples: found.ids,
    panels: [panelOf(found, name)] as const,
    columns: columns.map(({ title, values }) => ({
      name: title,
      values: values instanceof Float64Array ? values : values.map((text) => text || null),
    })),
    colour,
  };
  await writeMapPage(path, input, `${found.ids.length} samples, ${name}`);
}

/** The first two axes. */
function panelOf({ ids, eigenvalues, explained, coordinates }: Ordination, name: string): MapPanel {
  const axis = (which: number) =>
    Float64Array.from(ids, (_, i) => coordinates[i * eigenvalues.length + which] ?? 0);
  return {
    title: name,
    axis: "PC",
    x: axis(0),
    y: eigenvalues.length > 1 ? axis(1) : new Float64Array(ids.length),
    explained: [explained[0], explained[1] ?? 0],
  };
}
