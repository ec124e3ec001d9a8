import { Random } from "../../common/random/random.ts";
import type { Column } from "../dataset/column.ts";
import type { Dataset } from "../dataset/dataset.ts";
import type { Manifest } from "../dataset/manifest.ts";
import type { PairDistances } from "../dataset/pairDistances.ts";
import type { DepthSummary } from "../table/depths.ts";
import type { DistanceSummary, Quantiles } from "./numberSummary.ts";
import { quantiles, summarizeDistances } from "./numberSummary.ts";
import { duplicationFactor } from "./tableSummary.ts";

export type ColumnSummary =
  | {
      readonly name: string;
      readonly kind: "numeric";
      readonly missing: number;
      readonly range: Quantiles | null;
    }
  | {
      readonly name: string;
      readonly kind: "text";
      readonly missing: number;
      readonly categories: number;
      /** The most frequent ones and how many samples have them. */
      readonly examples: readonly (readonly [category: string, samples: number])[];
    };

export interface DatasetSummary {
  readonly samples: number;
  readonly asvs: number;
  readonly nonzero: number;
  readonly total: number;
  readonly bytes: number;
  readonly depth: Quantiles | null;
  readonly richness: Quantiles | null;
  readonly duplication: number | null;
  /** Bases of the ASVs. */
  readonly length: Quantiles | null;
  readonly distances: Readonly<Record<string, DistanceSummary>>;
  readonly vectors: Readonly<Record<string, Quantiles | null>>;
  readonly metadata: readonly ColumnSummary[];
  readonly createdBy: string;
  readonly parameters: Manifest["parameters"];
  readonly sources: Manifest["sources"];
  readonly dropped: Manifest["dropped"];
  readonly warnings: readonly string[];
  /** What other depths of rarefaction would have kept; null where nothing was drawn. */
  readonly depths: DepthSummary | null;
}

const examples = 4;

/** Describes a data set; reads all of it. */
export function summarizeDataset(dataset: Dataset): DatasetSummary {
  const { manifest, sampleCount, asvCount } = dataset;
  const depth = new Float64Array(sampleCount);
  const richness = new Float64Array(sampleCount);
  const prevalence = new Int32Array(asvCount);
  for (let i = 0; i < sampleCount; i++) {
    const { asvs, counts } = dataset.sample(i);
    richness[i] = asvs.length;
    // By index: iterators of this many values fill memory faster than the collector notices.
    for (let k = 0; k < asvs.length; k++) {
      depth[i] += counts[k];
      prevalence[asvs[k]] += 1;
    }
  }
  const lengths = Float64Array.from({ length: asvCount }, (_, row) => dataset.asvTokens(row).length - 1);
  const distances = Object.fromEntries(
    manifest.distances.map((metric) => [metric, summarizeDistances(distanceParts(dataset.distance(metric)))]),
  );
  const zeroWarnings = Object.entries(distances).flatMap(([metric, summary]) =>
    summary.zeros === 0 ? [] : [`${summary.zeros} pairs of samples have the ${metric} distance 0.`],
  );
  return {
    samples: sampleCount,
    asvs: asvCount,
    nonzero: manifest.counts.nonzero,
    total: depth.reduce((sum, value) => sum + value, 0),
    bytes: Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0),
    depth: known(depth),
    richness: known(richness),
    duplication: duplicationFactor(prevalence, sampleCount),
    length: known(lengths),
    distances,
    vectors: Object.fromEntries(manifest.vectors.map((name) => [name, known(dataset.vector(name))])),
    metadata: manifest.metadata.map(({ name }) => summarizeColumn(dataset.column(name))),
    createdBy: manifest.createdBy,
    parameters: manifest.parameters,
    sources: manifest.sources,
    dropped: manifest.dropped,
    warnings: [...manifest.warnings, ...zeroWarnings],
    depths: manifest.depths ?? null,
  };
}

/** Up to so many samples all pairs are computed for a summary, of more those of a choice. */
const summarizedSamples = 512;

/**
 * The distances that a summary is made of: all stored ones; of many that would have to be computed
 * those between some samples.
 */
function distanceParts(distances: PairDistances): () => Iterable<Float32Array> {
  if (distances.isStored) return () => distances.condensed();
  const chosen = new Random(0).derive("summary");
  const samples = Array.from(
    chosen.sample(distances.samples, Math.min(distances.samples, summarizedSamples)),
  ).sort((a, b) => a - b);
  const n = samples.length;
  const block = distances.block(samples);
  return function* rows() {
    for (let row = 0; row < n - 1; row++) yield block.subarray(row * n + row + 1, (row + 1) * n);
  };
}

function summarizeColumn(column: Column): ColumnSummary {
  if (column.kind === "numeric") return summarizeNumbers(column.name, column.values);
  const texts = Array.from(column.codes, (code) => (code < 0 ? null : column.categories[code]));
  return summarizeTexts(column.name, texts);
}

/** Describes a numeric column; NaN is missing. */
export function summarizeNumbers(name: string, values: Float64Array): ColumnSummary {
  const missing = values.filter(Number.isNaN).length;
  return { name, kind: "numeric", missing, range: known(values) };
}

/** Describes a column of texts; null is missing. */
export function summarizeTexts(name: string, values: readonly (string | null)[]): ColumnSummary {
  const samples = new Map<string, number>();
  for (const value of values) if (value !== null) samples.set(value, (samples.get(value) ?? 0) + 1);
  const frequent = [...samples].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, examples);
  const missing = values.filter((value) => value === null).length;
  return { name, kind: "text", missing, categories: samples.size, examples: frequent };
}

/** Quantiles of the numbers that are not NaN, null if there are none. */
function known(values: Float32Array | Float64Array): Quantiles | null {
  const numbers = Float64Array.from(values).filter((value) => !Number.isNaN(value));
  return numbers.length === 0 ? null : quantiles(numbers);
}
