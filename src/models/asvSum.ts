import * as torch from "../torch/index.ts";

/** ASVs whose neighbourhoods tell the bandwidth, at most, and how many neighbours of each. */
const judgedAsvs = 2048;
const neighbours = 10;
/** ASVs at a time; bounds memory. */
const perChunk = 128;

/**
 * The sum over a sample's ASVs of random Fourier features of their embeddings. The product of two samples'
 * sums is, up to noise that shrinks with the number of features, the sum of exp(-|a - b|² / s) over all pairs
 * of their ASVs a and b (Rahimi and Recht 2007): what a linear head learns is an effect of each ASV that near
 * relatives share, added up. Averages, which attention pooling gives, cannot tell how many ASVs there are,
 * and a single ASV counts less the richer its sample is.
 *
 * The features are fixed by `fit` and not trained.
 */
export class AsvSum extends torch.nn.Module {
  /** [D, F], in units of 1 / sqrt(s) once fitted. */
  readonly frequencies: torch.Tensor;
  /** [F] */
  readonly phases: torch.Tensor;
  /** [1]: what sums are multiplied by. */
  readonly scale: torch.Tensor;

  constructor(
    dim: number,
    readonly features: number,
  ) {
    super();
    const { buffer } = torch.nn;
    this.frequencies = buffer(torch.randn([dim, features]));
    this.phases = buffer(torch.rand([features]).mul(2 * Math.PI));
    this.scale = buffer(torch.ones([1]));
  }

  /**
   * Fits the width s to the ASVs [U, D]: half the mean squared distance to the nearest ten, of the median
   * ASV; so an ASV shares its effect with its closest relatives only. Two at least.
   */
  fitWidth(asvs: torch.Tensor): void {
    torch.noGrad(() =>
      torch.tidy(() => {
        const count = asvs.size(0);
        const near = Math.min(neighbours, count - 1);
        const stride = Math.max(1, Math.ceil(count / judgedAsvs));
        const judged: number[] = [];
        for (let row = 0; row < count; row += stride) judged.push(row);
        const means: number[] = [];
        for (let from = 0; from < judged.length; from += perChunk) {
          using _scope = torch.scope();
          const rows = BigInt64Array.from(judged.slice(from, from + perChunk), BigInt);
          const chosen = asvs.indexSelect(0, torch.tensor(rows).to(asvs.device));
          // The nearest is the ASV itself.
          const [distances] = torch.topk(torch.cdist(chosen, asvs), near + 1, 1, false, true);
          means.push(...distances.narrow(1, 1, near).square().mean([1]).toFloat32Array());
        }
        means.sort((a, b) => a - b);
        const width = Math.max(means[means.length >> 1] / 2, Number.MIN_VALUE);
        this.frequencies.mul_(Math.sqrt(2 / width));
      }),
    );
  }

  /** Scales sums so that those of these samples [N, F], computed before, have mean squared length 1. */
  fitScale(sums: torch.Tensor): void {
    torch.noGrad(() =>
      torch.tidy(() => {
        const squared = sums.square().sum([1]).mean().item();
        if (squared > 0) this.scale.mul_(1 / Math.sqrt(squared));
      }),
    );
  }

  /** [B, S, D] -> [B, F]. `valid` is [B, S] bool, or null where all slots are filled. */
  forward(asvs: torch.Tensor, valid: torch.Tensor | null): torch.Tensor {
    const waves = this.#waves(asvs);
    const filled = valid ? waves.mul(valid.unsqueeze(-1)) : waves;
    return filled.sum([1]).mul(this.scale);
  }

  /** What each of some ASVs [U, D] adds to a sum: [U, F]. */
  addends(asvs: torch.Tensor): torch.Tensor {
    return this.#waves(asvs).mul(this.scale);
  }

  #waves(asvs: torch.Tensor): torch.Tensor {
    return asvs.to(this.frequencies.dtype).matmul(this.frequencies).add(this.phases).cos();
  }
}
