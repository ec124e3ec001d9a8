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
 * @example
 * const encoder = new SetEncoder({
 *   source: "kmer", codes: 512, pooling: "union", distance: { kind: "tanimoto" },
 *   words: { kinds: [{ length: 6, stretch: 0 }], maxBases: 150, dim: 128, buckets: 65536 }, asv,
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
  };
  readonly asvEncoder: AsvCodes;
  readonly pooling: SetPooling;
  /** Of presence alone, and where codes come from words. */
  readonly wordSets: WordSets | null = null;
  /** Of longer words, where there are any. */
  readonly longWordSets: WordSets | null = null;
  /** Of the first study, or the only one. */
  readonly distance: SetDistance | null;
  /** Of the second study and those after it; null where there is one. */
  readonly otherDistances: torch.nn.ModuleList<SetDistance> | null = null;
  /** Faith's PD from |z|²: two numbers. Null for distances. */
  readonly valueHead: torch.nn.Linear | null;
  readonly encoderType: "unifrac" | "faith_pd";
  /** Codes: the part of the embeddings that means the same in any batch. */
  readonly dim: number;
  /** Width of what is known of an ASV: its codes and its own branch. */
  readonly asvDim: number;

  constructor(options: SetEncoderOptions) {
    super();
    this.dim = options.codes;
    this.asvDim = options.codes + 1;
    this.encoderType = options.encoderType ?? "unifrac";
    this.asvEncoder = new AsvCodes(options);
    this.pooling = new SetPooling(options.pooling, options.codes);
    const { words } = this.asvEncoder;
    if (words && options.pooling === "union") {
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
    this.distance = options.distance && !isValue ? new SetDistance(options.distance) : null;
    const { distance, studies = 1 } = options;
    if (this.distance && distance && studies > 1)
      this.otherDistances = new torch.nn.ModuleList(
        Array.from({ length: studies - 1 }, () => new SetDistance(distance)),
      );
    this.valueHead = isValue ? new torch.nn.Linear(1, 1) : null;
  }

  /** The distances of every study, the first one's first. */
  get distances(): SetDistance[] {
    return this.distance ? [this.distance, ...(this.otherDistances ?? [])] : [];
  }

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SequenceEncoding {
    const words = this.#wordsOf(batch);
    // Those of the table are the first that samples are compared by.
    const { codes, own, nucleotides } = this.#codesOf(batch, request, words[0] ?? null);
    const coordinates = torch.cat(this.parts(codes, own, batch, words), 1);
    const { asvIndex } = batch;
    const featuresOf = () => this.#features(codes, batch);
    return {
      embeddings: coordinates,
      basePrediction: this.valueHead?.forward(coordinates.square().sum([1], true)) ?? null,
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

  /** [B, S, K + 1]: what `asvEncoder` gives for the ASV in each slot, zeros where a slot is empty. */
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
   * The coordinates of samples, one part after the other: of codes [U, K], of the words of each of `sets`, of
   * own branches with lengths [U].
   */
  parts(
    codes: torch.Tensor,
    own: torch.Tensor,
    batch: RaggedBatch,
    words = this.#wordsOf(batch),
  ): torch.Tensor[] {
    const sets = words.map((rows, i) => this.#wordsOfSamples(this.sets[i], rows, batch));
    return [this.pooling.forward(this.sums(codes, batch)), ...sets, this.own(own, batch)];
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
  own(lengths: torch.Tensor, { asvIndex, counts }: Pick<RaggedBatch, "asvIndex" | "counts">): torch.Tensor {
    const weights = slotWeights(this.pooling.kind, counts, asvIndex).to(lengths.dtype);
    const distinct = lengths.size(0);
    if (distinct <= mostOwn) return this.pooling.own(spread(weights, asvIndex, distinct), lengths);
    const values = this.pooling.own(
      weights,
      torch.embedding(withEmptyRow(lengths.unsqueeze(1)), asvIndex, 0).squeeze(-1),
    );
    const columns = asvIndex.sub(1).remainder(mostOwn).add(1).mul(asvIndex.ne(0));
    return spread(values, columns, mostOwn);
  }

  /** [B, 2 K]: additive and saturating, like the taxa that carry what metadata tell of. */
  #features(codes: torch.Tensor, batch: RaggedBatch): torch.Tensor {
    const present = this.sums(codes, batch, "union").neg().expm1().neg();
    const share = this.sums(codes, batch, "share").log1p();
    return torch.cat([present, share], 1);
  }

  /**
   * How surely each ASV has each code [U, K], and the length of its own branch [U]; at least
   * 0, in float32 or float64.
   */
  #codesOf(
    batch: RaggedBatch,
    { asvEmbeddings, nucleotides: wanted, mask, separateMasking }: EncodeRequest,
    rows: torch.Tensor | null,
  ): { codes: torch.Tensor; own: torch.Tensor; nucleotides: SequenceEncoding["nucleotides"] } {
    const divided = (raw: torch.Tensor) => {
      const known = atLeastFloat32(raw).softplus();
      return { codes: known.narrow(1, 0, this.dim), own: known.select(1, this.dim) };
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
 * Values of slots [B, S] at the columns that `index` names from 1 on (0: none): [B, columns],
 * those of one column added up.
 */
function spread(values: torch.Tensor, index: torch.Tensor, columns: number): torch.Tensor {
  return torch
    .zeros([values.size(0), columns + 1], { dtype: values.dtype, device: values.device })
    .scatterAdd(1, index, values)
    .narrow(1, 1, columns);
}
