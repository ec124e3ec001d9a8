import type { ReportProgress } from "../../common/progress.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Column } from "../../data/dataset/column.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { pairCount } from "../../data/distances/distances.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { readMetadata } from "../../data/metadata/read.ts";
import { metadataOf } from "../../data/prepare/sampleMetadata.ts";
import type { Split } from "../../data/split/split.ts";
import { pcoa } from "../../data/statistics/pcoa.ts";
import { type SampleColumn, sampleMap } from "../../display/page/sampleMap.ts";
import type { ReportMap } from "../../display/page/types.ts";
import type { MapPanel } from "../../display/plots/embeddingMap.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import * as torch from "../../torch/index.ts";
import { embedSamples } from "../inference/embedSamples.ts";
import { pcaOf } from "../inference/principalCoordinates.ts";
import type { OpenedRun } from "../run/open.ts";

/** Samples on a map at most; the coordinates take time with their cube. */
const mappedSamples = 5000;

/**
 * The metadata columns of a data set, those of a file before them.
 * @throws UserError if the file holds none of the samples, or if there is no column `colour`.
 */
export function columnsToShow(
  dataset: Dataset,
  { metadata, colour }: { readonly metadata?: string; readonly colour?: string },
  display: ProgressDisplay,
): Column[] {
  const own = dataset.manifest.metadata.map(({ name }) => dataset.column(name));
  if (metadata === undefined) {
    // It tells what there is.
    if (colour !== undefined) dataset.column(colour);
    return own;
  }
  const { columns, warnings } = metadataOf(readMetadata(metadata), dataset.sampleIds, dataset.path);
  for (const warning of warnings) display.warn(warning);
  const names = new Set(columns.map(({ name }) => name));
  const all = [...columns, ...own.filter(({ name }) => !names.has(name))];
  if (colour === undefined || all.some(({ name }) => name === colour)) return all;
  throw new UserError(
    `Neither ${metadata} nor the data set ${dataset.path} has a metadata column ${quote(colour)}; they have ${all.map(({ name }) => name).join(", ")}.`,
  );
}

/**
 * The PCA of a run's embeddings, beside the PCoA of true distances where the data set has any: all validation
 * samples and, up to 5,000, training samples evenly. Undefined for less than four samples.
 */
export async function mapOfRun(
  run: OpenedRun,
  dataset: Dataset,
  split: Split,
  options: {
    readonly device: torch.Device;
    readonly columns: readonly Column[];
    readonly colour?: string;
    readonly onProgress?: ReportProgress;
  },
): Promise<ReportMap | undefined> {
  const { device, columns, colour, onProgress } = options;
  const samples = samplesToMap(split);
  if (samples.length < 4) return undefined;
  using _scope = torch.scope();
  const embeddings = { title: "PCA of the embeddings", axis: "PC" };
  const panel = { ...embeddings, ...pcaOf(embedSamples(run, dataset, samples, device, onProgress)) };
  const own = trueCoordinates(dataset, samples, onProgress);
  const isValidation = new Set(split.validation);
  const part = Array.from(samples, (sample) => (isValidation.has(sample) ? "validation" : "training"));
  const [first = panel, ...others] = own ? [own, panel] : [panel];
  return sampleMap({
    title: "Samples on a map",
    samples: Array.from(samples, (sample) => dataset.sampleIds[sample]),
    panels: [first, ...others],
    columns: [
      ...columns.map((column) => valuesOf(column, samples)),
      { name: "training or validation", values: part },
    ],
    colour: colour ?? run.targets?.columns[0],
  });
}

/** The PCoA of true distances; undefined where the data set has none of these samples, or they are all 0. */
function trueCoordinates(
  dataset: Dataset,
  samples: Int32Array,
  onProgress: ReportProgress | undefined,
): MapPanel | undefined {
  const [metric] = dataset.manifest.distances;
  if (metric === undefined) return undefined;
  const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
  const square = dataset.distance(metric).block(samples);
  const values = new Float32Array(pairCount(ids.length));
  for (let row = 0, done = 0; row < ids.length; row++) {
    const own = square.subarray(row * ids.length + row + 1, (row + 1) * ids.length);
    values.set(own, done);
    done += own.length;
  }
  if (values.some(Number.isNaN) || values.every((value) => value === 0)) return undefined;
  const stage = "Finding principal coordinates";
  const told = (share: number) =>
    onProgress?.(stage, { done: Math.floor(100 * share), total: 100, unit: "%" });
  const { coordinates, explained } = pcoa({ ids, values }, { dimensions: 2, onProgress: told });
  const axis = (which: number) => Float64Array.from(ids, (_, i) => coordinates[2 * i + which]);
  return {
    title: `PCoA of true ${metric.replaceAll("_", " ")} UniFrac`,
    axis: "PCo",
    x: axis(0),
    y: axis(1),
    explained: [explained[0], explained[1]],
  };
}

function samplesToMap({ train, validation }: Split): Int32Array {
  const room = Math.min(train.length, Math.max(0, mappedSamples - validation.length));
  const chosen = Int32Array.from({ length: room }, (_, i) => train[Math.floor((i * train.length) / room)]);
  return Int32Array.of(...validation.subarray(0, mappedSamples), ...chosen);
}

function valuesOf(column: Column, samples: Int32Array): SampleColumn {
  const { name } = column;
  if (column.kind === "numeric")
    return { name, values: Float64Array.from(samples, (sample) => column.values[sample]) };
  const { values } = textValues(column);
  return { name, values: Array.from(samples, (sample) => values[sample]) };
}
