import * as torch from "../torch/index.ts";
import { AsvCodes, type AsvCodesOptions } from "./asvCodes.ts";
import type { AsvRequest } from "./asvEncoder.ts";
import { atLeastFloat32, exactProduct } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import { type EncodeRequest, withEmptyRow } from "./sampleSequenceEncoder.ts";
import type { SequenceEncoding } from "./sequenceEncoder.ts";
import { SetDistance, type SetDistanceOptions } from "./setDistance.ts";
import { SetPooling, type SetPoolingKind, slotWeights } from "./setPooling.ts";
import { WordIndex } from "./words/wordIndex.ts";
import { WordSets } from "./words/wordSets.ts";

export interface SetEncoderOptions extends AsvCodesOptions {
  readonly pooling: SetPoolingKind;
  /**
   * Bases of longer words by which samples are compared besides, where pooling is `union` and codes come from
   * words; null for none (default). They are worth much where few samples train.
   */
  readonly longWords?: number | null;
  /** What the encoder is trained on: distances between samples (default), or a value of each. */
  readonly encoderType?: "unifrac" | "faith_pd";
  /** How samples are compared as sets; null where their Euclidean distances are meant, or for values. */
  readonly distance: SetDistanceOptions | null;
  /** Studies with distances of their own trees: each gets a calibration over the same codes. Default 1. */
  readonly studies?: number;
  /** What is learned besides, of the same sequences. Default nothing. */
  readonly further?: readonly FurtherMetric[];
}

/**
 * A metric that is learned beside the first. Metrics of one pooling share their coordinates, since they ask
 * the same of a branch: of a union's, the Tanimoto distance is unweighted UniFrac and |z|² is Faith's PD.
 * Another pooling has codes of its own, made from the same words.
 */
export interface FurtherMetric {
  readonly pooling: SetPoolingKind;
  /** Codes of this pooling, where it is not the first metric's. */
  readonly codes: number;
  /** How samples are compared; null for a value of each. */
  readonly distance: SetDistanceOptions | null;
}

/** Distinct ASVs for each slot up to which a product with all of them is faster than looking up each slot. */
const denseShare = 16;
/**
 * Columns for own branches at the most; beyond them ASVs share columns, which hardly any two samples notice.
 */
const mostOwn = 2 ** 15;
/** Columns for words at the most, and for longer ones. */
const mostWords = 2 ** 12;
const mostLongWords = 2 ** 15;

/**
 * Samples as sets of codes: every ASV has codes (`AsvCodes`), a sample has those of its ASVs (`SetPooling`),
 * and what two samples share of them gives their distance (`SetDistance`). This is the form of UniFrac
 * itself, which compares the sets of branches above two samples' ASVs: a code takes the place of a branch,
 * and what has to be learned is which sequences lie below it.
 *
 * For several metrics the coordinates of every pooling lie side by side: the codes of all of them, then the
 * words and own branches of the first, then those of the second. Each metric reads those of its pooling, so
 * that one embedding serves all.
 *
 * @example
 * const encoder = new SetEncoder({
 *   source: "kmer", codes: 512, pooling: "union", distance: { kind: "tanimoto" },
 *   words: { kinds: [{ length: 6, stretch: 0 }], maxBp: 150, dim: 128, buckets: 65536 }, asv,
 * });
 * const { embeddings } = encoder.forward(batch); // [B, 512 + V + U]: codes, words, own branches
 * const distances = encoder.distance!.forward(embeddings!, embeddings!); // [B, B]
 */
export class SetEncoder extends torch.nn.Module {
  static override readonly names = {
    asvEncoder: "asv_encoder",
    wordSets: "word_sets",
    longWordSets: "long_word_sets",
    valueHead: "value_head",
    otherDistances: "other_distances",
    otherPoolings: "other_poolings",
    furtherDistances: "further_distances",
  };
  readonly asvEncoder: AsvCodes;
  /** Of the first metric. */
  readonly pooling: SetPooling;
  /** Of metrics that ask something else of branches; null where there is none. */
  readonly otherPoolings: torch.nn.ModuleList<SetPooling> | null = null;
  /** Of presence alone, and where codes come from words. */
  readonly wordSets: WordSets | null = null;
  /** Of longer words, where there are any. */
  readonly longWordSets: WordSets | null = null;
  /** Of the first study, or the only one. */
  readonly distance: SetDistance | null;
  /** Of the second study and those after it; null where there is one. */
  readonly otherDistances: torch.nn.ModuleList<SetDistance> | null = null;
  /** Of the further metrics that are distances; null where there is none. */
  readonly furtherDistances: torch.nn.ModuleList<SetDistance> | null = null;
  /** Faith's PD from |z|² of a union: two numbers. Null for distances alone. */
  readonly valueHead: torch.nn.Linear | null;
  readonly encoderType: "unifrac" | "faith_pd";
  /** Codes: the part of the embeddings that means the same in any batch. */
  readonly dim: number;
  /** Width of what is known of an ASV: its codes, and its own branch in every pooling. */
  readonly asvDim: number;

  constructor(options: SetEncoderOptions) {
    super();
    const { further = [] } = options;
    this.pooling = new SetPooling(options.pooling, options.codes);
    const others = new Map(further.map(({ pooling, codes }) => [pooling, codes]));
    others.delete(options.pooling);
    if (others.size > 0)
      this.otherPoolings = new torch.nn.ModuleList(
        Array.from(others, ([kind, codes]) => new SetPooling(kind, codes)),
      );
    const { poolings } = this;
    this.dim = poolings.reduce((sum, { length }) => sum + length.numel, 0);
    this.asvDim = this.dim + poolings.length;
    this.encoderType = options.encoderType ?? "unifrac";
    this.asvEncoder = new AsvCodes({ ...options, codes: this.dim, own: poolings.length });
    const { words } = this.asvEncoder;
    if (words && poolings.some(({ kind }) => kind === "union")) {
      this.wordSets = new WordSets(words.index, mostWords);
      const { longWords } = options;
      if (longWords) {
        const kinds = [{ length: longWords, stretch: 0 }];
        const index = new WordIndex({ ...options.words, kinds, buckets: mostLongWords });
        this.longWordSets = new WordSets(index, mostLongWords);
      }
    }
    this.asvEncoder.compared = this.sets.map((sets) => sets.index);
    const isValue = this.encoderType === "faith_pd";
    const distanceOf = (form: SetDistanceOptions, kind: SetPoolingKind) =>
      new SetDistance({ ...form, part: (coordinates) => this.partOf(kind, coordinates) });
    this.distance = options.distance && !isValue ? distanceOf(options.distance, options.pooling) : null;
    const furtherDistances = further.flatMap((one) =>
      one.distance ? [distanceOf(one.distance, one.pooling)] : [],
    );
    if (furtherDistances.length > 0) this.furtherDistances = new torch.nn.ModuleList(furtherDistances);
    const { distance, studies = 1 } = options;
    if (this.distance && distance && studies > 1)
      this.otherDistances = new torch.nn.ModuleList(
        Array.from({ length: studies - 1 }, () => new SetDistance(distance)),
      );
    const hasValue = isValue || further.some((one) => one.distance === null);
    this.valueHead = hasValue ? new torch.nn.Linear(1, 1) : null;
  }

  /** All ways of pooling, the first metric's first. */
  get poolings(): SetPooling[] {
    return [this.pooling, ...(this.otherPoolings ?? [])];
  }

  /** The distances of every metric that is one, the first one's first; see `distances` for studies. */
  get metricDistances(): SetDistance[] {
    return this.distance ? [this.distance, ...(this.furtherDistances ?? [])] : [];
  }

  /** The distances of every study, the first one's first. */
  get distances(): SetDistance[] {
    return this.distance ? [this.distance, ...(this.otherDistances ?? [])] : [];
  }

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SequenceEncoding {
    const words = this.#wordsOf(batch);
    // Those of the table are the first that samples are compared by.
    const { codes, own, nucleotides } = this.#codesOf(batch, request, words[0] ?? null);
    const coordinates = this.coordinates(codes, own, batch, words);
    const { asvIndex } = batch;
    const featuresOf = () => this.#features(codes, batch);
    return {
      embeddings: coordinates,
      basePrediction: this.valueHead?.forward(this.unionSizes(coordinates)) ?? null,
      combined: null,
      get features() {
        return featuresOf();
      },
      // Looked up where somebody asks for them only: they are as many as all slots.
      get sampleEmbeddings() {
        return torch.embedding(withEmptyRow(codes), asvIndex, 0);
      },
      valid: batch.hasSamplePadding ? asvIndex.ne(0) : null,
      get packing() {
        return batch.samplePacking ?? null;
      },
      nucleotides,
    };
  }

  /** [B, S, asvDim]: what `asvEncoder` gives for the ASV in each slot, zeros where a slot is empty. */
  asvSlots(batch: RaggedBatch, { asvEmbeddings }: EncodeRequest = {}): torch.Tensor {
    const encode = () => this.asvEncoder.forward(batch.asvTokens, this.#padding(batch)).embeddings;
    const table = asvEmbeddings ?? withEmptyRow(encode());
    return torch.embedding(table, batch.asvIndex, 0);
  }

  /**
   * Codes [U, K] of ASVs -> sums [B, K] over those of each sample, as the pooling (by default the
   * encoder's own) weighs them.
   */
  sums(
    codes: torch.Tensor,
    batch: Pick<RaggedBatch, "asvIndex" | "counts">,
    kind = this.pooling.kind,
  ): torch.Tensor {
    const { asvIndex, counts } = batch;
    const weights = slotWeights(kind, counts, asvIndex).to(codes.dtype);
    const distinct = codes.size(0);
    if (distinct > denseShare * asvIndex.size(1)) {
      return torch.embedding(withEmptyRow(codes), asvIndex, 0).mul(weights.unsqueeze(-1)).sum([1]);
    }
    return exactProduct(spread(weights, asvIndex, distinct), codes);
  }

  /**
   * All coordinates of samples from how surely ASVs have each code [U, dim] and the lengths of their own
   * branches [U, P] in each of P poolings: the codes of all poolings, then all else of each.
   */
  coordinates(
    codes: torch.Tensor,
    own: torch.Tensor,
    batch: RaggedBatch,
    words = this.#wordsOf(batch),
  ): torch.Tensor {
    const parts = this.poolings.map((pooling, i) => {
      const { from, length } = this.codeColumns(pooling);
      return this.parts(codes.narrow(1, from, length), own.select(1, i), batch, pooling, words);
    });
    return torch.cat([...parts.map(([first]) => first), ...parts.flatMap(([, ...others]) => others)], 1);
  }

  /** Where a pooling's codes are among all. */
  codeColumns(pooling: SetPooling): { readonly from: number; readonly length: number } {
    const before = this.poolings.slice(0, this.poolings.indexOf(pooling));
    return { from: before.reduce((sum, { length }) => sum + length.numel, 0), length: pooling.length.numel };
  }

  /** Of all coordinates [B, K] those of one pooling: its codes, words and own branches. */
  partOf(kind: SetPoolingKind, coordinates: torch.Tensor): torch.Tensor {
    const { poolings } = this;
    if (poolings.length === 1) return coordinates;
    const words = this.sets.reduce((sum, { length }) => sum + length.numel, 0);
    const own = (coordinates.size(1) - this.dim - words) / poolings.length;
    const width = (pooling: SetPooling) => own + (pooling.kind === "union" ? words : 0);
    const place = poolings.findIndex((pooling) => pooling.kind === kind);
    const { from, length } = this.codeColumns(poolings[place]);
    const others = poolings.slice(0, place).reduce((sum, pooling) => sum + width(pooling), this.dim);
    return torch.cat(
      [coordinates.narrow(1, from, length), coordinates.narrow(1, others, width(poolings[place]))],
      1,
    );
  }

  /** |z|² [B, 1] of a union's coordinates, among all [B, K]: what Faith's PD is read from. */
  unionSizes(coordinates: torch.Tensor): torch.Tensor {
    return this.partOf("union", coordinates).square().sum([1], true);
  }

  /**
   * The coordinates of samples in one pooling, one part after the other: of its codes [U, K], of the words of
   * each of `sets` (of a union), of own branches with lengths [U].
   */
  parts(
    codes: torch.Tensor,
    own: torch.Tensor,
    batch: RaggedBatch,
    pooling = this.pooling,
    words = this.#wordsOf(batch),
  ): torch.Tensor[] {
    const sets = pooling.kind === "union" ? this.#wordParts(words, batch) : [];
    const sums = this.sums(codes, batch, pooling.kind);
    return [pooling.forward(sums), ...sets, this.own(own, batch, pooling)];
  }

  #wordParts(words: readonly torch.Tensor[], batch: RaggedBatch): torch.Tensor[] {
    if (words.length > 0 || this.poolings.length === 1)
      return words.map((rows, i) => this.#wordsOfSamples(this.sets[i], rows, batch));
    // `partOf` counts on their columns.
    const { device } = batch.asvIndex;
    return this.sets.map(({ length }) => torch.zeros([batch.asvIndex.size(0), length.numel], { device }));
  }

  /** The ways to compare samples by words; none for shares, and for codes of a transformer alone. */
  get sets(): WordSets[] {
    return [this.wordSets, this.longWordSets].filter((sets) => sets !== null);
  }

  #wordsOfSamples(sets: WordSets, rows: torch.Tensor, { asvIndex }: RaggedBatch): torch.Tensor {
    const distinct = rows.size(0);
    const isDense = sets === this.wordSets && distinct <= denseShare * asvIndex.size(1);
    const members = isDense ? spread(asvIndex.ne(0).to("float32"), asvIndex, distinct) : null;
    return sets.forward(rows, asvIndex, members);
  }

  /** What a transformer of bases has to know of the padding. */
  #padding(batch: RaggedBatch): Pick<AsvRequest, "hasPadding" | "packing"> {
    return this.asvEncoder.asv ? { hasPadding: batch.hasAsvPadding, packing: batch.asvPacking } : {};
  }

  /** The words [U, W] of ASVs for each of `sets`; none where the sequences are not at hand. */
  #wordsOf({ asvTokens, asvWords }: RaggedBatch): readonly torch.Tensor[] {
    if (asvWords) return asvWords;
    return asvTokens.size(1) > 0 ? this.sets.map(({ index }) => index.rowsOf(asvTokens)) : [];
  }

  /** Lengths [U] of own branches -> coordinates [B, min(U, 2^15)] of samples, a column for each ASV. */
  own(
    lengths: torch.Tensor,
    { asvIndex, counts }: Pick<RaggedBatch, "asvIndex" | "counts">,
    pooling = this.pooling,
  ): torch.Tensor {
    const weights = slotWeights(pooling.kind, counts, asvIndex).to(lengths.dtype);
    const distinct = lengths.size(0);
    if (distinct <= mostOwn) return pooling.own(spread(weights, asvIndex, distinct), lengths);
    const values = pooling.own(
      weights,
      torch.embedding(withEmptyRow(lengths.unsqueeze(1)), asvIndex, 0).squeeze(-1),
    );
    const columns = asvIndex.sub(1).remainder(mostOwn).add(1).mul(asvIndex.ne(0));
    return spread(values, columns, mostOwn);
  }

  #features(codes: torch.Tensor, batch: RaggedBatch): torch.Tensor {
    return featuresOfSums(this.sums(codes, batch, "union"), this.sums(codes, batch, "share"));
  }

  /**
   * How surely each ASV has each code [U, dim], and the length of its own branch in each pooling [U, P]; at
   * least 0, in float32 or float64.
   */
  #codesOf(
    batch: RaggedBatch,
    { asvEmbeddings, nucleotides: wanted, mask, separateMasking }: EncodeRequest,
    rows: torch.Tensor | null,
  ): { codes: torch.Tensor; own: torch.Tensor; nucleotides: SequenceEncoding["nucleotides"] } {
    const divided = (raw: torch.Tensor) => {
      const known = atLeastFloat32(raw).softplus();
      return { codes: known.narrow(1, 0, this.dim), own: known.narrow(1, this.dim, this.poolings.length) };
    };
    if (asvEmbeddings) {
      return { ...divided(asvEmbeddings.narrow(0, 1, asvEmbeddings.size(0) - 1)), nucleotides: null };
    }
    const padding = this.#padding(batch);
    const { asvTokens } = batch;
    const first = this.asvEncoder.forward(asvTokens, { ...padding, nucleotides: wanted, mask }, rows);
    const hidden = separateMasking && first.nucleotides?.mask;
    const { embeddings } = hidden ? this.asvEncoder.forward(asvTokens, padding, rows) : first;
    return { ...divided(embeddings), nucleotides: first.nucleotides };
  }
}

/**
 * A sample's features [B, 2 K] from the sums of its ASVs' codes [B, K], and from their means weighted by
 * counts [B, K]: additive and saturating, like the taxa that carry what metadata tell of.
 */
export function featuresOfSums(sums: torch.Tensor, means: torch.Tensor): torch.Tensor {
  return torch.cat([sums.neg().expm1().neg(), means.log1p()], 1);
}

/**
 * Values of slots [B, S] at the columns that `index` names from 1 on (0: none): [B, columns],
 * those of one column added up.
 */
function spread(values: torch.Tensor, index: torch.Tensor, columns: number): torch.Tensor {
  return torch
    .zeros([values.size(0), columns + 1], { dtype: values.dtype, device: values.device })
    .scatterAdd(1, index, values)
    .narrow(1, 1, columns);
}
