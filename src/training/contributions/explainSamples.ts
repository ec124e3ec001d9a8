import type { ReportProgress } from "../../common/progress.ts";
import { Random } from "../../common/random/random.ts";
import { type Batch, BatchBuilder, type BatchOptions } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { AsvBlocks } from "../../models/asvBlocks.ts";
import { exactProduct } from "../../models/precision.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import { withEmptyRow } from "../../models/sampleSequenceEncoder.ts";
import type { SequencePredictor } from "../../models/sequencePredictor.ts";
import { featuresOfSums, SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import { encodeAsvs } from "../encoding/encodeAsvs.ts";
import type { OpenedRun } from "../run/open.ts";
import { predictionTensor } from "../targets/predictions.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";
import { type AsvBase, asvsOfRow } from "./asvBase.ts";
import { type AsvSums, ColumnSums, type Degrees, LinearSums, surenessOf, UnionSums } from "./asvSums.ts";
import { type GainsOnWays, integrateWays } from "./integrateWays.ts";

/** What each ASV adds to a prediction; `width` is the number of targets, or of classes. */
export interface SampleContributions {
  /** [ASVs of the base * width] */
  readonly values: Float64Array;
  /** [width] What is predicted of the base: numbers in their own units, or probabilities. */
  readonly base: Float64Array;
  /** [width] What is predicted of the sample, which is the base's and all contributions, up to rounding. */
  readonly predicted: Float64Array;
}

export interface ExplainOptions {
  readonly device: torch.Device;
  readonly categories: SampleCategories | null;
  /** As in `PredictSamplesOptions`. */
  readonly asvSampling?: BatchOptions["asvSampling"];
  readonly passes?: number;
  readonly onProgress?: ReportProgress;
}

/** Samples that are explained together. */
const samplesAtOnce = 16;
/** Parts of a way at most: of sums, and of embeddings, which cost more. */
const [partsOfSums, partsOfSlots] = [32, 16];

/** Whether a prediction is a function of sums over ASVs; else each ASV's embedding is on the way. */
export function addsAsvsUp({ asvSum, asvBlocks, codeProjection }: SequencePredictor): boolean {
  return asvSum !== null || asvBlocks !== null || codeProjection !== null;
}

/**
 * What each ASV of a fine-tuned model adds to its predictions of some samples, one sample after the other:
 * integrated gradients on the straight way from a base to the sample. Categories stay the sample's own, and
 * several passes are averaged.
 *
 * Where the prediction is made of sums over ASVs, of codes, of `AsvSum` or of `AsvBlocks`, the base is
 * `AsvBase`: a sample has each ASV to a degree p from 0 to 1, which its codes and effects are multiplied by,
 * and of counts a share, or of blocks the mean of their logarithm. An ASV that the sample lacks, or has
 * beyond the token limit, contributes its absence.
 *
 * Attention knows ASVs as slots, which cannot be there in part: the base is then the sample with the mean
 * embedding, or the mean codes, of the base's ASVs in each of its slots, at its own counts. ASVs that it
 * lacks have 0.
 *
 * @throws RangeError for a run without targets
 */
export function* explainSamples(
  run: OpenedRun,
  dataset: Dataset,
  base: AsvBase,
  samples: Int32Array,
  options: ExplainOptions,
): Generator<SampleContributions> {
  const { predictor, targets, facts } = run;
  if (!predictor || !targets) throw new RangeError("Only a fine-tuned model has predictions to explain.");
  const { device, categories, passes = 1, onProgress } = options;
  const batch = batchOptionsOf(facts.config.model);
  const asvSampling = options.asvSampling ?? batch.asvSampling;
  const builder = new BatchBuilder(dataset, { ...batch, asvSampling, withoutTokens: true });
  // As in predictions, whose choices of ASVs are drawn for all samples in a row.
  const batches = Array.from({ length: passes }, (_, seed) => builder.build(samples, new Random(seed)));
  const keys = targets.keys(dataset);
  const predict: Predict = (input, rows, request) => {
    const own = rows.map((row) => samples[row]);
    const { target } = predictor.forward(input, { ...request, categories: categories?.ids(own, device) });
    return predictionTensor(targets, target, own, keys).to("cpu");
  };
  const explainer = addsAsvsUp(predictor)
    ? new SumExplainer(predictor, base, { device, batch }, predict)
    : new SlotExplainer(predictor, base, { device, batch }, predict);
  using _explainer = explainer;
  const tell = (done: number) =>
    onProgress?.("Explaining samples", { done, total: samples.length, unit: "samples" });
  tell(0);
  for (let first = 0; first < samples.length; first += samplesAtOnce) {
    const rows = Array.from({ length: Math.min(samplesAtOnce, samples.length - first) }, (_, i) => first + i);
    const ofPasses = batches.map((own) => torch.tidy(() => explainer.explain(own, rows)));
    tell(first + rows.length);
    for (let i = 0; i < rows.length; i++) yield meanOf(ofPasses.map((own) => own[i]));
  }
}

type Request = Parameters<SequencePredictor["forward"]>[1];
/** Predictions [P, width] of points on the ways of some rows of the batch. */
type Predict = (input: RaggedBatch, rows: readonly number[], request: Request) => torch.Tensor;
interface Reading {
  readonly device: torch.Device;
  readonly batch: BatchOptions;
}

function meanOf(all: readonly SampleContributions[]): SampleContributions {
  if (all.length === 1) return all[0];
  const mean = (of: (one: SampleContributions) => Float64Array) =>
    of(all[0]).map((_, i) => all.reduce((sum, one) => sum + of(one)[i], 0) / all.length);
  return {
    values: mean(({ values }) => values),
    base: mean((one) => one.base),
    predicted: mean(({ predicted }) => predicted),
  };
}

function encodeBase({ baseModel }: SequencePredictor, base: AsvBase, reading: Reading): torch.Tensor {
  const asvs = Array.from({ length: base.asvCount }, (_, asv) => asv);
  return encodeAsvs(baseModel.asvEncoder, base, asvs, reading).to("float32");
}

/** What a predictor gets of samples of whose slots nothing is asked but what `counts` and `asvIndex` say. */
function inputOf(asvIndex: torch.Tensor, counts: torch.Tensor): RaggedBatch {
  const { device } = asvIndex;
  return {
    asvTokens: torch.empty([0, 0], { dtype: "int64", device }),
    asvIndex,
    counts,
    multiplicity: torch.empty([0], { device }),
    hasAsvPadding: false,
    hasSamplePadding: false,
    samplePacking: null,
  };
}

/** Predictions from sums over ASVs: of presence, and where codes are summed of shares of counts as well. */
class SumExplainer implements Disposable {
  readonly #predictor: SequencePredictor;
  readonly #base: AsvBase;
  readonly #device: torch.Device;
  readonly #predict: Predict;
  /** [A, K] on the CPU: the addends of each ASV (null where there are none), and its codes. */
  readonly #addends: torch.Tensor | null;
  readonly #codes: torch.Tensor | null;
  /** `surenessOf` them. */
  readonly #sure: torch.Tensor | null;
  /** By ASV, of blocks: its column, from 1 on, or 0. */
  readonly #columns: readonly number[];
  readonly #leaving = new Map<number, torch.Tensor>();

  constructor(predictor: SequencePredictor, base: AsvBase, reading: Reading, predict: Predict) {
    this.#predictor = predictor;
    this.#base = base;
    this.#device = reading.device;
    this.#predict = predict;
    const { asvSum, asvBlocks, baseModel } = predictor;
    const adding = asvSum ?? asvBlocks?.asvSum;
    const codes = asvBlocks?.codes ?? (asvSum ? 0 : baseModel.dim);
    const keep = (table: torch.Tensor) => table.to("cpu").contiguous().detachFromScope();
    [this.#addends, this.#codes] = torch.noGrad(() =>
      torch.tidy(() => {
        const asvs = encodeBase(predictor, base, reading);
        return [
          adding ? keep(adding.addends(asvs)) : null,
          codes > 0 ? keep(asvs.narrow(1, 0, codes).softplus()) : null,
        ];
      }),
    );
    this.#sure = torch.noGrad(() => this.#codes && surenessOf(this.#codes).detachFromScope());
    const columnOf = asvBlocks?.lookUp();
    this.#columns = columnOf
      ? Array.from({ length: base.asvCount }, (_, asv) => columnOf(base.asvTokens(asv)))
      : [];
  }

  explain(batch: Batch, rows: readonly number[]): SampleContributions[] {
    const own = rows.map((row) => asvsOfRow(batch, row));
    const there = own.map(({ asvs }) => ({ asvs, degrees: asvs.map(() => 1) }));
    const counted = own.map((one) => ({ asvs: one.asvs, degrees: one.shares }));
    const sums = torch.noGrad(() => this.#sums(there, counted));
    const starts: number[] = [];
    let width = 0;
    for (const one of sums) {
      starts.push(width);
      width += one.width;
    }
    const found = integrateWays(
      {
        count: rows.length,
        at: (t, ways) =>
          torch
            .cat(
              sums.map(({ of }) => of.at(t, ways)),
              1,
            )
            .to({ device: this.#device, dtype: "float32" }),
        value: (args, ways) =>
          this.#predictFrom(
            args,
            ways.map((way) => rows[way]),
          ),
        gains: (t, ways, slopes) =>
          sums
            .map((one, i) => one.of.gains(t, ways, slopes.narrow(2, starts[i], one.width)))
            .reduce((sum, one) => sum.add(one)),
      },
      partsOfSums,
    );
    return contributionsOf(found, rows.length);
  }

  /** What predictions are made of, by presence and by shares of counts. */
  #sums(there: readonly Degrees[], counted: readonly Degrees[]): { of: AsvSums; width: number }[] {
    const { presence, shares } = this.#base;
    const addends = this.#addends;
    const added = addends && { of: new LinearSums(addends, presence, there), width: addends.size(1) };
    const codes = this.#codes;
    const asvsOf = there.map(({ asvs }) => asvs);
    const united = this.#sure && {
      of: new UnionSums(this.#sure, presence, asvsOf, this.#leaving),
      width: this.#sure.size(1),
    };
    const { asvBlocks } = this.#predictor;
    if (!asvBlocks)
      return added
        ? [added]
        : [united!, { of: new LinearSums(codes!, shares, counted), width: united!.width }];
    const { known } = asvBlocks;
    const depth = asvBlocks.depth.item();
    const logs = counted.map(({ asvs, degrees }) => ({
      asvs,
      degrees: degrees.map((share) => Math.log1p(depth * share)),
    }));
    const ofColumns = (base: Float64Array, samples: readonly Degrees[]) => ({
      of: new ColumnSums(this.#columns, known, base, samples),
      width: known,
    });
    return [
      ofColumns(presence, there),
      ofColumns(this.#meanLogs(asvBlocks), logs),
      ...(united ? [united] : []),
      added!,
    ];
  }

  /** By ASV: the training samples' mean of what its column of counts holds, which is a logarithm. */
  #meanLogs({ means, known }: AsvBlocks): Float64Array {
    const { presence } = this.#base;
    const columns = this.#columns;
    const ofColumns = means.narrow(0, known, known).to("cpu").toFloat64Array();
    // ASVs that read alike share a column, as often as each is there.
    const all = new Float64Array(1 + known);
    presence.forEach((share, asv) => {
      all[columns[asv]] += share;
    });
    return presence.map((share, asv) =>
      columns[asv] > 0 && share > 0 ? (ofColumns[columns[asv] - 1] * share) / all[columns[asv]] : 0,
    );
  }

  #predictFrom(sums: torch.Tensor, rows: readonly number[]): torch.Tensor {
    const count = rows.length;
    const device = this.#device;
    const input = inputOf(
      torch.ones([count, 1], { dtype: "int64", device }),
      torch.ones([count, 1], { device }),
    );
    const { asvSum, asvBlocks } = this.#predictor;
    if (asvSum) return this.#predict(input, rows, { sums });
    if (asvBlocks) return this.#predict(input, rows, { sums: asvBlocks.finish(asvBlocks.ofSums(sums)) });
    const { dim } = this.#predictor.baseModel;
    const features = featuresOfSums(sums.narrow(1, 0, dim), sums.narrow(1, dim, dim));
    const nothing = { valid: null, packing: null, embeddings: null, basePrediction: null, combined: null };
    // Slots are for predicted counts alone.
    const sampleEmbeddings = torch.zeros([count, 1, dim], { device });
    const encoding = { ...nothing, features, sampleEmbeddings, nucleotides: null };
    return this.#predict(input, rows, { encoding });
  }

  [Symbol.dispose](): void {
    this.#addends?.dispose();
    this.#codes?.dispose();
    this.#sure?.dispose();
    for (const sums of this.#leaving.values()) sums.dispose();
  }
}

/** Gains [N, width, A] by sample, as [A * width]. */
function contributionsOf({ gains, start, end }: GainsOnWays, count: number): SampleContributions[] {
  const width = start.length / count;
  return Array.from({ length: count }, (_, i) => ({
    values: gains.select(0, i).t().contiguous().toFloat64Array(),
    base: start.slice(i * width, (i + 1) * width),
    predicted: end.slice(i * width, (i + 1) * width),
  }));
}

/** Keeps the inverse of the softplus finite where an ASV has no such code. */
const leastCode = 1e-6;

/** Predictions from slots that attend to each other. */
class SlotExplainer implements Disposable {
  readonly #predictor: SequencePredictor;
  readonly #base: AsvBase;
  readonly #device: torch.Device;
  readonly #predict: Predict;
  /** [A, D]: of a set encoder, codes. */
  readonly #embeddings: torch.Tensor;
  /** [1, D] of the base's ASVs, the more often an ASV is there the more it counts. */
  readonly #mean: torch.Tensor;

  constructor(predictor: SequencePredictor, base: AsvBase, reading: Reading, predict: Predict) {
    this.#predictor = predictor;
    this.#base = base;
    this.#device = reading.device;
    this.#predict = predict;
    [this.#embeddings, this.#mean] = torch.noGrad(() =>
      torch.tidy(() => {
        const given = encodeBase(predictor, base, reading);
        // The mean of codes, and not of what they are made from, is like that of a sample.
        const embeddings = predictor.baseModel instanceof SetEncoder ? given.softplus() : given;
        const all = base.presence.reduce((sum, share) => sum + share, 0);
        const weights = torch.tensor(Float32Array.from(base.presence, (share) => share / all)).unsqueeze(0);
        const mean = exactProduct(weights.to(reading.device), embeddings);
        return [embeddings.detachFromScope(), mean.detachFromScope()];
      }),
    );
  }

  explain(batch: Batch, rows: readonly number[]): SampleContributions[] {
    return rows.map((row) => torch.tidy(() => this.#explainRow(batch, row)));
  }

  #explainRow(batch: Batch, row: number): SampleContributions {
    const { asvs, counts } = asvsOfRow(batch, row);
    const slots = asvs.length;
    const dim = this.#embeddings.size(1);
    const device = this.#device;
    const own = torch.tensor(BigInt64Array.from(asvs, BigInt)).to(device);
    const to = this.#embeddings.indexSelect(0, own).view([1, slots * dim]);
    const from = this.#mean.expand([slots, -1]).reshape([1, slots * dim]);
    const ownCounts = torch.tensor(Float32Array.from(counts)).to(device);
    const predictFrom = (x: torch.Tensor) => {
      const count = x.size(0);
      const asvIndex = torch
        .arange(1, count * slots + 1, { dtype: "int64" })
        .view([count, slots])
        .to(device);
      const input = inputOf(asvIndex, ownCounts.expand([count, -1]));
      // The encoder is asked here, as a predictor with a frozen one would record no gradients.
      const encoding = this.#predictor.baseModel.forward(input, {
        asvEmbeddings: withEmptyRow(this.#embeddingsOf(x.reshape([count * slots, dim]))),
      });
      return this.#predict(
        input,
        Array.from({ length: count }, () => row),
        { encoding },
      );
    };
    const moves = to.sub(from).to({ device: "cpu", dtype: "float64" });
    const found = integrateWays(
      {
        count: 1,
        at: (t, ways) => from.add(to.sub(from).mul(t)).expand([ways.length, -1]),
        value: predictFrom,
        // [n, width, slots]
        gains: (_t, ways, slopes) =>
          slopes
            .mul(moves)
            .view([ways.length, slopes.size(1), slots, dim])
            .sum([3]),
      },
      partsOfSlots,
    );
    const [ofSlots] = contributionsOf(found, 1);
    const width = ofSlots.base.length;
    const values = new Float64Array(this.#base.asvCount * width);
    asvs.forEach((asv, slot) => {
      for (let c = 0; c < width; c++) values[asv * width + c] += ofSlots.values[slot * width + c];
    });
    return { ...ofSlots, values };
  }

  /** Embeddings as the encoder of ASVs gives them: codes before the softplus. */
  #embeddingsOf(asvs: torch.Tensor): torch.Tensor {
    if (!(this.#predictor.baseModel instanceof SetEncoder)) return asvs;
    const codes = asvs.clampMin(leastCode);
    return codes.add(codes.neg().expm1().neg().log());
  }

  [Symbol.dispose](): void {
    this.#embeddings.dispose();
    this.#mean.dispose();
  }
}
