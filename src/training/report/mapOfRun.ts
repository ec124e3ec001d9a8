import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Column } from "../../data/dataset/column.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { readMetadata } from "../../data/metadata/read.ts";
import { metadataOf } from "../../data/prepare/sampleMetadata.ts";
import type { Split } from "../../data/split/split.ts";
import { type SampleColumn, sampleMap } from "../../display/page/sampleMap.ts";
import type { ReportMap } from "../../display/page/types.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import * as torch from "../../torch/index.ts";
import { embedSamples } from "../inference/embedSamples.ts";
import { pcaOf, pcoaOf } from "../inference/principalCoordinates.ts";
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
  options: { readonly device: torch.Device; readonly columns: readonly Column[]; readonly colour?: string },
): Promise<ReportMap | undefined> {
  const { device, columns, colour } = options;
  const samples = samplesToMap(split);
  if (samples.length < 4) return undefined;
  using _scope = torch.scope();
  const embeddings = { title: "PCA of the embeddings", axis: "PC" };
  const panel = { ...embeddings, ...pcaOf(embedSamples(run, dataset, samples, device)) };
  const [metric] = dataset.manifest.distances;
  const title = `PCoA of true ${metric?.replaceAll("_", " ")} UniFrac`;
  const shape = [samples.length, samples.length];
  const own =
    metric === undefined
      ? []
      : [{ title, axis: "PCo", ...pcoaOf(torch.tensor(dataset.distance(metric).block(samples), { shape })) }];
  const isValidation = new Set(split.validation);
  const part = Array.from(samples, (sample) => (isValidation.has(sample) ? "validation" : "training"));
  const [first = panel, ...others] = [...own, panel];
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
