import { maskToken } from "../common/tokens.ts";
import * as torch from "../torch/index.ts";
import { AttentionPooling } from "./attentionPooling.ts";
import { PositionEmbedding } from "./embeddings/positionEmbedding.ts";
import { chooseMask, type MaskStrategy, maskCapacity, maskStrategies, selectPositions } from "./masking.ts";
import { type Packing, packingOf, slicePacking } from "./packing.ts";
import { keyMask, PreNormEncoder, type TransformerOptions } from "./transformer.ts";

export interface AsvEncoderOptions extends Omit<TransformerOptions, "gradientCheckpointing"> {
  /** Tokens that exist; 7 with the mask token, 6 without. Default 7. */
  readonly vocabulary?: number;
  /** The longest sequence. Default 150. */
  readonly maxBp?: number;
  /** Bases that the transformer reads as one token, a word of its own vocabulary. Default 1. */
  readonly basesPerToken?: number;
  /** Whether there is a head that predicts bases. Default false. */
  readonly predictNucleotides?: boolean;
  /** Encode so many ASVs at a time, which bounds memory and changes no number; default all at once. */
  readonly chunkSize?: number | null;
  /**
   * Compute each chunk a second time in the backward pass instead of keeping its values. Only in training.
   */
  readonly gradientCheckpointing?: boolean;
  /** Share of the bases that are hidden in training when nucleotides are predicted; default 0. */
  readonly maskRatio?: number;
  readonly maskStrategy?: MaskStrategy;
}

/** What is asked of the encoder besides embeddings. */
export interface AsvRequest {
  /** Whether a token is 0; see `RaggedBatch`. Default true. */
  readonly hasPadding?: boolean;
  /** Where the tokens are that are not 0, if the host knows. */
  readonly packing?: Packing | null;
  /** Predict nucleotides. In training, with a mask ratio, this hides bases first. Default false. */
  readonly nucleotides?: boolean;
  /** [U, L] bool: the positions to hide, instead of random ones. */
  readonly mask?: torch.Tensor | null;
}

/** Predicted bases: of all positions, or of those that were hidden. */
export interface NucleotidePrediction {
  /** [M, V] */
  readonly logits: torch.Tensor;
  /** [M] int64: the flat position in [U, L] of each; null where M = U * L and all are there in order. */
  readonly positions: torch.Tensor | null;
  /** [M] bool: which predictions count; null where the tokens alone decide (those above 0). */
  readonly filled: torch.Tensor | null;
  /** [U, L] bool: what was hidden; null where nothing was. */
  readonly mask: torch.Tensor | null;
}

export interface AsvEncoding {
  /** [U, D] */
  readonly embeddings: torch.Tensor;
  /** Null unless asked for, or where the model has no head for it. */
  readonly nucleotides: NucleotidePrediction | null;
}

/** Encodes sequences of bases: tokens [U, L] -> embeddings [U, D]. */
export class AsvEncoder extends torch.nn.Module {
  static override readonly names = {
    tokenEmbedding: "token_embedding",
    positionEmbedding: "position_embedding",
    attentionPooling: "attention_pooling",
    nucleotideHead: "nucleotide_head",
  };
  readonly tokenEmbedding: torch.nn.Embedding;
  readonly positionEmbedding: PositionEmbedding;
  readonly transformer: PreNormEncoder;
  readonly attentionPooling: AttentionPooling;
  readonly nucleotideHead: torch.nn.Linear | null;
  readonly vocabulary: number;
  readonly basesPerToken: number;
  readonly #dim: number;
  #chunkSize: number | null;
  #checkpointing: boolean;
  /** ASVs of the last pass. */
  #lastCount = 0;
  readonly #maskRatio: number;
  readonly #maskStrategy: MaskStrategy;

  /** @throws RangeError for options that make no sense. */
  constructor(options: AsvEncoderOptions) {
    super();
    const {
      dim,
      vocabulary = maskToken + 1,
      maxBp = 150,
      basesPerToken = 1,
      chunkSize = null,
      gradientCheckpointing = false,
    } = options;
    const { maskRatio = 0, maskStrategy = "random" } = options;
    if (!maskStrategies.includes(maskStrategy)) {
      throw new RangeError(
        `Unknown mask strategy "${maskStrategy}"; expected ${maskStrategies.join(" or ")}.`,
      );
    }
    if (!(maskRatio >= 0 && maskRatio < 1)) {
      throw new RangeError(`The mask ratio must be at least 0 and below 1, got ${maskRatio}.`);
    }
    if (chunkSize !== null && !(Number.isInteger(chunkSize) && chunkSize >= 1)) {
      throw new RangeError(`The ASVs of a chunk must be a whole number from 1 on, got ${chunkSize}.`);
    }
    this.vocabulary = vocabulary;
    this.basesPerToken = basesPerToken;
    this.#dim = dim;
    this.#chunkSize = chunkSize;
    this.#checkpointing = gradientCheckpointing;
    this.#maskRatio = maskRatio;
    this.#maskStrategy = maskStrategy;
    this.tokenEmbedding = new torch.nn.Embedding(vocabulary ** basesPerToken, dim);
    this.positionEmbedding = new PositionEmbedding(Math.ceil((maxBp + 1) / basesPerToken), dim);
    this.transformer = new PreNormEncoder({ ...options, gradientCheckpointing: false });
    this.attentionPooling = new AttentionPooling(dim);
    this.nucleotideHead = options.predictNucleotides
      ? new torch.nn.Linear(dim, basesPerToken * vocabulary)
      : null;
  }

  /**
   * From now on encodes half as many ASVs at a time as in the last pass, each chunk a second time in the
   * backward pass, which changes no number. Returns how many these are, or null where they cannot be fewer.
   */
  halveChunks(): number | null {
    const present = Math.min(this.#chunkSize ?? this.#lastCount, this.#lastCount);
    if (present < 2) return null;
    this.#checkpointing = true;
    this.#chunkSize = Math.ceil(present / 2);
    return this.#chunkSize;
  }

  forward(tokens: torch.Tensor, request: AsvRequest = {}): AsvEncoding {
    const [count, length] = tokens.shape;
    this.#lastCount = count;
    const head = request.nucleotides ? this.nucleotideHead : null;
    const mask = head && this.training ? this.#mask(tokens, request.mask) : null;
    const hidden = mask ? tokens.maskedFill(mask, maskToken) : tokens;
    const size = Math.max(Math.min(this.#chunkSize ?? count, count), 1);
    // A given mask may be of any size: then all its positions are predicted, and those that
    // count are told by the mask.
    const selecting = mask !== null && !request.mask;
    const chunks: ChunkEncoding[] = [];
    for (let start = 0; start < Math.max(count, 1); start += size) {
      const rows = Math.min(size, count - start);
      const part = (whole: torch.Tensor) => (rows === count ? whole : whole.narrow(0, start, rows));
      const selection =
        mask && selecting
          ? selectPositions(part(mask), maskCapacity(rows, length, this.#maskRatio, this.#maskStrategy))
          : null;
      const packing = request.packing ?? null;
      const padding = {
        has: request.hasPadding ?? true,
        packing: packing && (rows === count ? packing : slicePacking(packing, start, rows, length)),
      };
      const chunk = this.#runChunk(part(hidden), padding, head, selection?.positions ?? null);
      const positions =
        selection && start > 0 ? selection.positions.add(start * length) : selection?.positions;
      chunks.push({ ...chunk, positions: positions ?? null, filled: selection?.filled ?? null });
    }
    const embeddings = joined(chunks.map((chunk) => chunk.embeddings));
    if (!head) return { embeddings, nucleotides: null };
    return {
      embeddings,
      nucleotides: {
        logits: joined(chunks.map((chunk) => chunk.logits!)),
        positions: selecting ? joined(chunks.map((chunk) => chunk.positions!)) : null,
        filled: selecting ? joined(chunks.map((chunk) => chunk.filled!)) : (mask?.flatten() ?? null),
        mask,
      },
    };
  }

  /**
   * @throws RangeError if the vocabulary has no token for what is hidden; without masking such a model works.
   */
  #mask(tokens: torch.Tensor, given: torch.Tensor | null | undefined): torch.Tensor | null {
    if (!given && this.#maskRatio === 0) return null;
    if (this.vocabulary <= maskToken) {
      throw new RangeError(
        `Masking needs a vocabulary of ${maskToken + 1} tokens, the model has ${this.vocabulary}.`,
      );
    }
    return given ?? chooseMask(tokens, this.#maskRatio, this.#maskStrategy);
  }

  #runChunk(
    tokens: torch.Tensor,
    padding: Padding,
    head: torch.nn.Linear | null,
    positions: torch.Tensor | null,
  ): Pick<ChunkEncoding, "embeddings" | "logits"> {
    if (!(this.#checkpointing && this.training)) return this.#encode(tokens, padding, head, positions);
    // A checkpoint has one result.
    const [rows, dim] = [tokens.size(0), this.#dim];
    const packed = torch.checkpoint((chunk) => {
      const { embeddings, logits } = this.#encode(chunk, padding, head, positions);
      return logits ? torch.cat([embeddings.flatten(), logits.flatten()]) : embeddings.flatten();
    }, tokens);
    const logits = head
      ? packed.narrow(0, rows * dim, packed.numel - rows * dim).view([-1, this.vocabulary])
      : null;
    return { embeddings: packed.narrow(0, 0, rows * dim).view([rows, dim]), logits };
  }

  #encode(
    tokens: torch.Tensor,
    padding: Padding,
    head: torch.nn.Linear | null,
    positions: torch.Tensor | null,
  ): Pick<ChunkEncoding, "embeddings" | "logits"> {
    const isWords = this.basesPerToken > 1;
    const words = isWords ? this.#words(tokens) : tokens;
    const valid = padding.has ? words.ne(0) : null;
    const packing =
      padding.packing && isWords
        ? packingOf(words.toFloat64Array(), words.size(0), words.size(1))
        : padding.packing;
    const values = this.transformer.forward(this.#embed(words), keyMask(valid), packing);
    const embeddings = this.attentionPooling.forward(values, valid);
    if (!head) return { embeddings, logits: null };
    const at = (rows: torch.Tensor) => (positions ? rows.indexSelect(0, positions) : rows);
    if (!isWords) return { embeddings, logits: head.forward(at(values.flatten(0, 1))) };
    // Each word's bases, one after the other, without those that fill the last word.
    const bases = head.forward(values).view([tokens.size(0), -1, this.vocabulary]);
    return { embeddings, logits: at(bases.narrow(1, 0, tokens.size(1)).flatten(0, 1)) };
  }

  /**
   * Tokens [U, L] as words [U, ceil(L / w)]: the number whose digits to the base V are the tokens, so that
   * every mixture of bases, unknown ones and hidden ones is a word, and 0 is one without any base.
   */
  #words(tokens: torch.Tensor): torch.Tensor {
    const width = this.basesPerToken;
    const missing = (width - (tokens.size(1) % width)) % width;
    const digits = tokens.to("int64").constantPadNd([0, missing]).unflatten(1, [-1, width]);
    const places = Array.from({ length: width }, (_, place) =>
      BigInt(this.vocabulary ** (width - 1 - place)),
    );
    return digits.mul(torch.tensor(BigInt64Array.from(places), { device: tokens.device })).sum(-1);
  }

  /** Token + position vectors [U, L, D], looked up in one pass in the table of all pairs [L * V, D]. */
  #embed(tokens: torch.Tensor): torch.Tensor {
    if (this.basesPerToken > 1) return this.positionEmbedding.forward(this.tokenEmbedding.forward(tokens));
    const length = tokens.size(1);
    const positions = this.positionEmbedding.rows(length).unsqueeze(1);
    const pairs = positions.add(this.tokenEmbedding.weight).flatten(0, 1);
    const offsets = torch.arange(0, length * this.vocabulary, this.vocabulary, {
      dtype: "int32",
      device: tokens.device,
    });
    return torch.embedding(pairs, tokens.add(offsets));
  }
}

interface Padding {
  readonly has: boolean;
  readonly packing: Packing | null;
}

interface ChunkEncoding {
  readonly embeddings: torch.Tensor;
  readonly logits: torch.Tensor | null;
  readonly positions: torch.Tensor | null;
  readonly filled: torch.Tensor | null;
}

function joined(parts: readonly torch.Tensor[]): torch.Tensor {
  return parts.length === 1 ? parts[0] : torch.cat(parts, 0);
}
