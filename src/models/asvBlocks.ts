import * as torch from "../torch/index.ts";
import { AsvSum } from "./asvSum.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import { slotWeights } from "./setPooling.ts";

export interface AsvBlocksOptions {
  /** Values of an ASV's embedding. */
  readonly dim: number;
  /** The first so many of these are codes of a set encoder, before the softplus; 0 for none. */
  readonly codes: number;
  /** Features of `AsvSum`. */
  readonly sumFeatures: number;
  /** ASVs of the training samples that have an effect of their own. */
  readonly known: number;
  /** Tokens of an ASV that are read. */
  readonly tokens: number;
}

/** Blocks whose squared lengths vary by less than this share differ by float32's rounding alone. */
const rounding = 1e-12;

/** A batch with its samples' ASVs, of which `asvTokens` may be left out where `asvColumns` are given. */
export type BlockBatch = Pick<
  RaggedBatch,
  "asvTokens" | "asvColumns" | "asvIndex" | "counts" | "hasSamplePadding"
>;

/**
 * What a linear head needs to hold ridge regression on ASVs as a special case and to know relatives besides:
 *
 *     presence   1 for each known ASV that the sample has
 *     counts     log(1 + depth x share of the counts) of each known ASV
 *     codes      1 - exp(-sum of the ASVs' codes): whether any ASV has the code (of a set encoder)
 *     sums       `AsvSum`: an effect of each ASV that near relatives share
 *
 * Known are ASVs of the training samples, by their sequences; others count by codes and sums alone. Each
 * block is centred, and scaled so that a training sample's mean squared length is the same in every block and
 * 1 over all of them, as the kernels of kernel ridge regression are. So what is learned with weight decay is
 * a kernel ridge regression with the mean of four kernels.
 *
 * @example
 * const blocks = new AsvBlocks({ dim: 513, codes: 512, sumFeatures: 1024, known: 2000, tokens: 151 });
 * blocks.know(tokensOfAsvs, 8511);                 // ASVs of the training samples, counts of a sample
 * blocks.fit(blocks.raw(batch, slots));            // of the training samples
 * const features = blocks.forward(batch, slots);   // [B, 2 * 2000 + 512 + 1024]
 */
export class AsvBlocks extends torch.nn.Module {
  static override readonly names = { asvSum: "asv_sum", knownTokens: "known_tokens" };
  readonly asvSum: AsvSum;
  /** [known, tokens] uint8: their sequences, 0 behind the end. */
  readonly knownTokens: torch.Tensor;
  /** [1]: the counts of a usual training sample. */
  readonly depth: torch.Tensor;
  /** [F] */
  readonly means: torch.Tensor;
  /** [blocks] */
  readonly scales: torch.Tensor;
  /** ASVs that are known, and codes of each ASV. */
  readonly known: number;
  readonly codes: number;
  readonly #widths: readonly number[];

  constructor({ dim, codes, sumFeatures, known, tokens }: AsvBlocksOptions) {
    super();
    const { buffer } = torch.nn;
    this.asvSum = new AsvSum(dim, sumFeatures);
    this.known = known;
    this.codes = codes;
    this.#widths = [known, known, ...(codes > 0 ? [codes] : []), sumFeatures];
    this.knownTokens = buffer(torch.zeros([known, tokens], { dtype: "uint8" }));
    this.depth = buffer(torch.ones([1]));
    this.means = buffer(torch.zeros([this.features]));
    this.scales = buffer(torch.ones([this.#widths.length]));
  }

  /** All features of a sample. */
  get features(): number {
    return this.#widths.reduce((sum, width) => sum + width, 0);
  }

  /** Tells the sequences of the known ASVs, of which no two may be read alike, and the counts of a sample. */
  know(tokens: readonly Uint8Array[], depth: number): void {
    const [known, length] = this.knownTokens.shape;
    const values = new Uint8Array(known * length);
    tokens.forEach((own, row) => {
      values.set(own.subarray(0, length), row * length);
    });
    torch.noGrad(() =>
      torch.tidy(() => {
        this.knownTokens.copy_(torch.tensor(values, { shape: [known, length] }));
        this.depth.fill_(depth);
      }),
    );
  }

  /** Gives the column of an ASV by its tokens: from 1 on, and 0 of one that is not known. */
  lookUp(): (tokens: Uint8Array) => number {
    const [known, length] = this.knownTokens.shape;
    const values = Uint8Array.from(this.knownTokens.toFloat64Array());
    const columns = new Map<string, number>();
    for (let row = 0; row < known; row++)
      columns.set(keyOf(values.subarray(row * length, (row + 1) * length)), row + 1);
    return (tokens) => columns.get(keyOf(tokens.subarray(0, length))) ?? 0;
  }

  /** Centres and scales by the training samples' blocks [N, F]; a block that is the same in all is 0. */
  fit(raw: torch.Tensor): void {
    torch.noGrad(() =>
      torch.tidy(() => {
        this.means.copy_(raw.mean([0]));
        const sizesOf = (values: torch.Tensor) =>
          this.#split(values).map((block) => block.square().sum([1]).mean().item());
        const whole = sizesOf(raw);
        const sizes = sizesOf(raw.sub(this.means)).map((size, i) => (size > rounding * whole[i] ? size : 0));
        const scales = sizes.map((size) => (size > 0 ? 1 / Math.sqrt(size * sizes.length) : 0));
        this.scales.copy_(torch.tensor(scales));
      }),
    );
  }

  /** Slots [B, S, D], zeros where one is empty -> features [B, F]. */
  forward(batch: BlockBatch, slots: torch.Tensor): torch.Tensor {
    return this.finish(this.raw(batch, slots));
  }

  /** Blocks before and after they are centred and scaled, [B, F] both. */
  finish(raw: torch.Tensor): torch.Tensor {
    const scales = this.scales.unbind();
    const blocks = this.#split(raw.sub(this.means));
    return torch.cat(
      blocks.map((block, i) => block.mul(scales[i])),
      1,
    );
  }

  /** The blocks as they are, [B, F]. */
  raw(batch: BlockBatch, slots: torch.Tensor): torch.Tensor {
    const { asvIndex } = batch;
    const valid = batch.hasSamplePadding ? asvIndex.ne(0) : null;
    const columns = this.#columnsOf(batch);
    const filled = columns.ne(0).to("float32");
    const shares = slotWeights("share", batch.counts, asvIndex);
    const spread = (values: torch.Tensor) =>
      torch
        .zeros([asvIndex.size(0), this.#widths[0] + 1], { device: asvIndex.device })
        .scatterAdd(1, columns, values)
        .narrow(1, 1, this.#widths[0]);
    const exact = atLeastFloat32(slots);
    const codes = () => {
      const own = exact.narrow(2, 0, this.codes).softplus();
      return (valid ? own.mul(valid.unsqueeze(-1)) : own).sum([1]);
    };
    return this.ofSums(
      torch.cat(
        [
          spread(filled),
          spread(shares.mul(this.depth).log1p().mul(filled)),
          ...(this.codes > 0 ? [codes()] : []),
          this.asvSum.forward(exact, valid),
        ],
        1,
      ),
    );
  }

  /** The blocks as they are, [B, F], from what is added up over ASVs: the sums of codes have to be united. */
  ofSums(sums: torch.Tensor): torch.Tensor {
    if (this.codes === 0) return sums;
    const [presence, counts, codes, effects] = this.#split(sums);
    return torch.cat([presence, counts, codes.neg().expm1().neg(), effects], 1);
  }

  /** [B, S] int64: the column of the ASV in each slot, 0 where it is not known or the slot is empty. */
  #columnsOf({ asvTokens, asvColumns, asvIndex }: BlockBatch): torch.Tensor {
    const own = asvColumns ?? this.#columnsOfTokens(asvTokens);
    const none = torch.zeros([1], { dtype: "int64", device: asvIndex.device });
    return torch.cat([none, own]).indexSelect(0, asvIndex.flatten()).view(asvIndex.shape);
  }

  #columnsOfTokens(tokens: torch.Tensor): torch.Tensor {
    const [asvs, length] = tokens.shape;
    const values = Uint8Array.from(tokens.toFloat64Array());
    const columnOf = this.lookUp();
    const columns = BigInt64Array.from({ length: asvs }, (_, row) =>
      BigInt(columnOf(values.subarray(row * length, (row + 1) * length))),
    );
    return torch.tensor(columns).to(tokens.device);
  }

  #split(values: torch.Tensor): torch.Tensor[] {
    let from = 0;
    return this.#widths.map((width) => {
      from += width;
      return values.narrow(1, from - width, width);
    });
  }
}

/** Tokens as text, without the padding behind them. */
function keyOf(tokens: Uint8Array): string {
  let end = tokens.length;
  while (end > 0 && tokens[end - 1] === 0) end--;
  return String.fromCharCode(...tokens.subarray(0, end));
}
