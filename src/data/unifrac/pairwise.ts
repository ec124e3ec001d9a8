import type * as torch from "../../torch/index.ts";
import { DenseNodes } from "./denseNodes.ts";
import { type PairTerms, pairTerms, type UniFracMetric } from "./metrics.ts";
import type { NodeProfile } from "./nodeProfile.ts";
import { varianceAdjustedRow } from "./varianceAdjusted.ts";

export interface PairwiseOptions {
  metric: UniFracMetric;
  alpha: number;
  device: torch.Device;
  precision: "float32" | "float64";
  /** Raw counts by sample in the profile's order, for the variance-adjusted form; null for the plain one. */
  counts: Float64Array | null;
  /** Called with the share of pairs that are done, from 0 to 1. */
  onProgress?: (share: number) => void;
}

/** Bytes that the dense amounts may take. */
const denseBytes = 2 ** 30;
/** Elements of one block of rows that the dense part computes at a time. */
const blockElements = 1 << 24;

/**
 * A node that k samples share costs k^2 / 2 additions in the sparse part, and a whole column of matrix work in the dense one: from
 * this share of the samples on, the dense part is cheaper. Measured on two cores with 2,537 samples.
 */
const denseShare: Record<UniFracMetric, number> = {
  unweighted: 0.1,
  unweighted_unnormalized: 0.1,
  weighted_normalized: 0.3,
  weighted_unnormalized: 0.3,
  generalized: 0.15,
};

/** Nodes that go to the dense part, the most frequent ones, as many as memory allows. */
function chooseDense(profile: NodeProfile, options: PairwiseOptions): number[] {
  const frequency = (node: number) => profile.nodeStart[node + 1] - profile.nodeStart[node];
  const share = options.device === "cpu" ? denseShare[options.metric] : denseShare[options.metric] / 5;
  const least = Math.max(2, share * profile.samples);
  const nodes: number[] = [];
  for (let node = 0; node < profile.nodes; node++) if (frequency(node) >= least) nodes.push(node);
  const itemBytes = options.precision === "float64" ? 8 : 4;
  const most = Math.floor(denseBytes / (itemBytes * Math.max(profile.samples, 1)));
  return nodes.sort((a, b) => frequency(b) - frequency(a)).slice(0, most);
}

/** Per sample the sum of `L * alone(x)` over some nodes. */
function aloneSums(profile: NodeProfile, terms: PairTerms, skip: Uint8Array | null): Float64Array {
  const sums = new Float64Array(profile.samples);
  for (let sample = 0; sample < profile.samples; sample++) {
    let sum = 0;
    for (let k = profile.sampleStart[sample]; k < profile.sampleStart[sample + 1]; k++) {
      const node = profile.nodesOf[k];
      if (skip?.[node]) continue;
      sum += profile.length[node] * terms.alone(profile.amountOf[k]);
    }
    sums[sample] = sum;
  }
  return sums;
}

/** Distances between all pairs, condensed: (0,1), (0,2), ... (1,2), ...; two samples without anything have distance 0. */
export function pairwiseDistances(
  profile: NodeProfile,
  options: PairwiseOptions,
): Float32Array | Float64Array {
  const { samples } = profile;
  const pairs = (samples * (samples - 1)) / 2;
  const condensed = options.precision === "float64" ? new Float64Array(pairs) : new Float32Array(pairs);
  if (options.counts) fillVarianceAdjusted(profile, options, condensed);
  else fillPlain(profile, options, condensed);
  options.onProgress?.(1);
  return condensed;
}

function fillVarianceAdjusted(
  profile: NodeProfile,
  options: PairwiseOptions,
  condensed: Float32Array | Float64Array,
): void {
  const terms = pairTerms(options.metric, options.alpha);
  const row = new Float64Array(profile.samples);
  let at = 0;
  for (let i = 0; i < profile.samples; i++) {
    varianceAdjustedRow(profile, options.counts!, terms, i, row);
    for (let j = i + 1; j < profile.samples; j++) condensed[at++] = row[j];
    options.onProgress?.(at / condensed.length);
  }
}

function fillPlain(
  profile: NodeProfile,
  options: PairwiseOptions,
  condensed: Float32Array | Float64Array,
): void {
  const { samples } = profile;
  const { metric, alpha } = options;
  const terms = pairTerms(metric, alpha);
  const isPresence = metric.startsWith("unweighted");
  const isWeighted = metric.startsWith("weighted");
  const denseNodes = chooseDense(profile, options);
  const isDense = new Uint8Array(profile.nodes);
  for (const node of denseNodes) isDense[node] = 1;
  const dtype = options.precision;
  const dense =
    denseNodes.length > 0
      ? new DenseNodes(profile, denseNodes, { metric, alpha, device: options.device, dtype })
      : null;
  try {
    // The dense part of weighted and generalized gives whole terms; that of unweighted what is shared, like the sparse part.
    const outside = aloneSums(profile, terms, isPresence ? null : isDense);
    const all = isWeighted ? aloneSums(profile, terms, null) : outside;
    const shared = new Float64Array(samples);
    const sharedBelow = metric === "generalized" ? new Float64Array(samples) : shared;
    const cursor = Float64Array.from(profile.nodeStart.subarray(0, profile.nodes));
    const sparseRow = isPresence ? addShared : isWeighted ? addMinima : addGeneralized;
    const rowsPerBlock = Math.max(1, Math.min(samples, Math.floor(blockElements / Math.max(samples, 1))));
    let at = 0;
    for (let from = 0; from < samples; from += rowsPerBlock) {
      const to = Math.min(samples, from + rowsPerBlock);
      const block = dense?.block(from, to) ?? null;
      for (let i = from; i < to; i++) {
        shared.fill(0);
        if (sharedBelow !== shared) sharedBelow.fill(0);
        sparseRow(profile, i, cursor, isDense, terms, shared, sharedBelow);
        const offset = (i - from) * samples;
        for (let j = i + 1; j < samples; j++) {
          let numerator = outside[i] + outside[j];
          let denominator: number;
          if (isPresence) {
            const both = shared[j] + (block ? block.numerator[offset + j] : 0);
            denominator = numerator - both;
            numerator -= 2 * both;
          } else if (isWeighted) {
            numerator += (block ? block.numerator[offset + j] : 0) - 2 * shared[j];
            denominator = all[i] + all[j];
          } else {
            denominator = numerator + sharedBelow[j] + (block ? block.denominator![offset + j] : 0);
            numerator += shared[j] + (block ? block.numerator[offset + j] : 0);
          }
          if (numerator < 0) numerator = 0; // rounding
          condensed[at++] = terms.isRatio ? (denominator > 0 ? numerator / denominator : 0) : numerator;
        }
      }
      options.onProgress?.(at / condensed.length);
    }
  } finally {
    dense?.dispose();
  }
}

/**
 * The branches that sample `row` shares with later samples. `cursor` stands in each node's list of samples: rows come in ascending order,
 * so what lies behind it are the later samples.
 */
type SparseRow = (
  profile: NodeProfile,
  row: number,
  cursor: Float64Array,
  isDense: Uint8Array,
  terms: PairTerms,
  numerator: Float64Array,
  denominator: Float64Array,
) => void;

/** Unweighted: the length that both have. */
const addShared: SparseRow = (profile, row, cursor, isDense, _terms, shared) => {
  const { sampleStart, nodesOf, nodeStart, samplesAt, length } = profile;
  for (let k = sampleStart[row]; k < sampleStart[row + 1]; k++) {
    const node = nodesOf[k];
    if (isDense[node]) continue;
    const start = ++cursor[node];
    const end = nodeStart[node + 1];
    const branch = length[node];
    for (let p = start; p < end; p++) shared[samplesAt[p]] += branch;
  }
};

/** Weighted: |x - y| = x + y - 2 min(x, y). */
const addMinima: SparseRow = (profile, row, cursor, isDense, _terms, shared) => {
  const { sampleStart, nodesOf, amountOf, nodeStart, samplesAt, amountAt, length } = profile;
  for (let k = sampleStart[row]; k < sampleStart[row + 1]; k++) {
    const node = nodesOf[k];
    if (isDense[node]) continue;
    const start = ++cursor[node];
    const end = nodeStart[node + 1];
    const branch = length[node];
    const x = amountOf[k];
    for (let p = start; p < end; p++) {
      const y = amountAt[p];
      shared[samplesAt[p]] += branch * (x < y ? x : y);
    }
  }
};

/** Generalized: the terms of a shared branch less what each sample's sum has counted for it. */
const addGeneralized: SparseRow = (profile, row, cursor, isDense, terms, numerator, denominator) => {
  const power = terms.alone;
  const { sampleStart, nodesOf, amountOf, nodeStart, samplesAt, amountAt, length } = profile;
  for (let k = sampleStart[row]; k < sampleStart[row + 1]; k++) {
    const node = nodesOf[k];
    if (isDense[node]) continue;
    const start = ++cursor[node];
    const end = nodeStart[node + 1];
    const branch = length[node];
    const x = amountOf[k];
    const aloneX = power(x);
    for (let p = start; p < end; p++) {
      const y = amountAt[p];
      const alone = aloneX + power(y);
      const weight = power(x + y);
      const difference = x > y ? x - y : y - x;
      numerator[samplesAt[p]] += branch * ((weight * difference) / (x + y) - alone);
      denominator[samplesAt[p]] += branch * (weight - alone);
    }
  }
};
