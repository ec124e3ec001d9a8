import * as torch from "../torch/index.ts";
import { AsvEncoder, type AsvEncoderOptions, type AsvEncoding, type AsvRequest } from "./asvEncoder.ts";
import type { WordIndex } from "./words/wordIndex.ts";
import { WordTable, type WordTableOptions } from "./words/wordTable.ts";

/** What codes are made from: words (k-mers), the transformer of bases, or the sum of both. */
export const codeSources = ["kmer", "transformer", "both"] as const;
export type CodeSource = (typeof codeSources)[number];

export interface AsvCodesOptions {
  readonly source: CodeSource;
  /** Codes of an ASV. */
  readonly codes: number;
  /** Lengths of own branches that each ASV has, one for each way of pooling. Default 1. */
  readonly own?: number;
  /** The words' vectors; `dim` is the rank of the map from words to codes. */
  readonly words: WordTableOptions;
  readonly asv: AsvEncoderOptions;
}

/** Spread of codes before any training: large enough that they differ from the first step on. */
const spread = 3.4;
/** softplus of it is 0.01: an ASV has few codes at the start. */
const fewCodes = -4.5;
/** softplus of it is 1: at the start the own branches of all ASVs are alike. */
const alike = Math.log(Math.E - 1);

/**
 * How surely each ASV has each of K codes, and how long the branch is that is its own, all before the
 * softplus: tokens [U, L] -> [U, K + own]. From words the map is linear, as a product of two narrow matrices,
 * which costs a quarter of a full one and learns as well; the transformer adds what it reads in context.
 */
export class AsvCodes extends torch.nn.Module {
  static override readonly names = { wordProjection: "word_projection", asvProjection: "asv_projection" };
  readonly words: WordTable | null = null;
  readonly wordProjection: torch.nn.Linear | null = null;
  readonly asv: AsvEncoder | null = null;
  readonly asvProjection: torch.nn.Linear | null = null;
  /** [K + own] */
  readonly bias: torch.Tensor;
  /** What numbers the words by which samples are compared as sets; the encoder that does it says so. */
  compared: readonly WordIndex[] = [];

  constructor({ source, codes, own = 1, words, asv }: AsvCodesOptions) {
    super();
    const { Linear, init, parameter } = torch.nn;
    if (source !== "transformer") {
      this.words = new WordTable(words);
      this.wordProjection = new Linear(words.dim, codes + own, { bias: false });
      init.normal_(this.wordProjection.weight, 0, spread / Math.sqrt(words.dim));
      forgetLast(this.wordProjection, own);
    }
    if (source !== "kmer") {
      this.asv = new AsvEncoder(asv);
      this.asvProjection = new Linear(asv.dim, codes + own, { bias: false });
      // Beside words the transformer starts silent: it can only add to what they know.
      if (source === "both") init.zeros_(this.asvProjection.weight);
      else init.normal_(this.asvProjection.weight, 0, spread / Math.sqrt(asv.dim));
      forgetLast(this.asvProjection, own);
    }
    this.bias = parameter(torch.cat([torch.full([codes], fewCodes), torch.full([own], alike)]));
  }

  /** Null where codes are made from words alone. */
  get nucleotideHead(): torch.nn.Linear | null {
    return this.asv?.nucleotideHead ?? null;
  }

  /** See `AsvEncoder.halveChunks`; words have nothing to halve. */
  halveChunks(): number | null {
    return this.asv?.halveChunks() ?? null;
  }

  /** `rows` are those of the sequences' words, where they are known already. */
  forward(tokens: torch.Tensor, request: AsvRequest = {}, rows: torch.Tensor | null = null): AsvEncoding {
    const sums = this.words?.forward(rows ?? this.words.index.rowsOf(tokens));
    const fromWords = sums && this.wordProjection!.forward(sums);
    const read = this.asv?.forward(tokens, request) ?? null;
    const fromBases = read && this.asvProjection!.forward(read.embeddings);
    const sum = fromWords && fromBases ? fromWords.add(fromBases) : (fromWords ?? fromBases)!;
    return { embeddings: sum.add(this.bias), nucleotides: read?.nucleotides ?? null };
  }
}

/** Zeros for own branches: nothing tells ASVs apart in them at the start. */
function forgetLast({ weight }: torch.nn.Linear, own: number): void {
  torch.noGrad(() => void weight.narrow(0, weight.size(0) - own, own).zero_());
}
