import * as torch from "../../torch/index.ts";
import { gaussLegendre } from "../baselines/gaussLegendre.ts";
import type { KernelName } from "./kernelName.ts";
import { type KernelScores, multiply } from "./kernels.ts";
import type { Contributions, LearnTask } from "./learner.ts";
import { slopeBetween } from "./probabilityContributions.ts";
import type { SoftKernels } from "./softKernels.ts";

/** Kernels that are products of what samples have of each ASV. */
const features: Partial<Record<KernelName, (count: number) => number>> = {
  presence: () => 1,
  counts: Math.log1p,
};

/** Points of the quadrature at first and at most: they are doubled while sums are off by more than this. */
const [fewest, most, closeEnough] = [8, 128, 1e-5];
/** Samples on the way at once, and samples whose contributions are sought together. */
const [rowsAtOnce, samplesAtOnce] = [64, 8];

/**
 * What each ASV adds to a score that is a sum over kernels, from the base sample, which has of each ASV the
 * training samples' mean (of presence a share), to the sample that is explained. Integrated gradients
 * (Sundararajan, Taly and Yan 2017) on the straight line between both:
 *
 *     (x_a - base_a) * integral from 0 to 1 of d score / d x_a at base + t (x - base) dt
 *
 * Where kernels are products of features the score is linear, and this is coefficient * (value - mean), the
 * exact Shapley value of independent features (Lundberg and Lee 2017). Kernels of sets of branches, words and
 * codes are taken as functions of soft presence (`SoftSets`), by Gauss-Legendre quadrature. With `finish`,
 * which makes a number of a score, contributions are multiplied by the change of the number over that of the
 * score: the same integral where the score is linear, else the rescale rule (Shrikumar et al. 2017).
 *
 * Null where a kernel is neither (`Study.soft`).
 */
export function kernelContributions(
  { study, train }: LearnTask,
  names: readonly KernelName[],
  { kernel, alpha, offsets }: KernelScores,
  finish: ((score: number) => number) | null,
): ((samples: Int32Array) => Iterable<Contributions>) | null {
  const { dataset } = study;
  const [n, width, asvs] = [train.length, offsets.length, dataset.asvCount];
  const others = names.filter((name) => !features[name]);
  const soft = others.length > 0 ? study.soft(others) : null;
  if (others.length > 0 && !soft) return null;

  /** [train, width] What a score gains by likeness to a training sample, in one kernel. */
  const gains = (name: KernelName) => {
    const scale = kernel.scales[names.indexOf(name)];
    const means = Array.from(offsets, (_, c) => {
      let sum = 0;
      for (let i = c; i < alpha.length; i += width) sum += alpha[i];
      return sum / n;
    });
    return alpha.map((own, i) => scale * (own - means[i % width]));
  };

  return function* explain(samples) {
    const linear = names.flatMap((name) => {
      const value = features[name];
      return value ? [{ value, weights: new Float64Array(asvs * width), gain: gains(name) }] : [];
    });
    const presence = new Float64Array(asvs);
    const absent = new Float64Array(asvs * width);
    train.forEach((sample, i) => {
      const { asvs: own, counts } = dataset.sample(sample);
      own.forEach((asv, k) => {
        presence[asv] += 1 / n;
        for (const { value, weights, gain } of linear)
          for (let c = 0; c < width; c++) weights[asv * width + c] += gain[i * width + c] * value(counts[k]);
      });
    });
    for (const sample of train) {
      const { asvs: own, counts } = dataset.sample(sample);
      own.forEach((asv, k) => {
        for (const { value, weights } of linear)
          for (let c = 0; c < width; c++)
            absent[asv * width + c] -= (weights[asv * width + c] * value(counts[k])) / n;
      });
    }
    const along =
      soft &&
      new SoftScore(
        soft,
        others.map((name) => ({ name, gain: gains(name) })),
        {
          base: presence.map((share) => Math.min(1, share)),
          train: Array.from(train, (sample) => presenceOf(dataset.sample(sample).asvs, asvs)),
          width,
        },
      );
    const baseBlocks = along?.baseLikeness() ?? new Map<KernelName, Float64Array>();
    const ofBase = kernel.ofBlocks(1, (name) => baseBlocks.get(name) ?? kernel.meanOf(name));
    const base = multiply(ofBase, alpha, 1, n, offsets);
    let soon: Float64Array[] = [];
    const scores = multiply(kernel.against(samples), alpha, samples.length, n, offsets);
    for (let row = 0; row < samples.length; row++) {
      const { asvs: own, counts } = dataset.sample(samples[row]);
      if (along && row % samplesAtOnce === 0)
        soon = along.contributions(
          Array.from(samples.subarray(row, row + samplesAtOnce), (sample) =>
            presenceOf(dataset.sample(sample).asvs, asvs),
          ),
        );
      const ofSoft = soon[row % samplesAtOnce];
      const values = absent.map((value, i) => (ofSoft ? value + ofSoft[i] : value));
      own.forEach((asv, k) => {
        for (const { value, weights } of linear)
          for (let c = 0; c < width; c++)
            values[asv * width + c] += weights[asv * width + c] * value(counts[k]);
      });
      if (!finish) yield { values, base };
      else {
        const slope = slopeBetween(finish, base[0], scores[row]);
        yield { values: values.map((one) => one * slope), base: Float64Array.of(finish(base[0])) };
      }
    }
  };
}

function presenceOf(asvs: Int32Array, count: number): Float64Array {
  const presence = new Float64Array(count);
  for (const asv of asvs) presence[asv] = 1;
  return presence;
}

/** The part of scores [width] that soft kernels make, as a function of presence. */
class SoftScore {
  readonly #soft: SoftKernels;
  readonly #names: readonly KernelName[];
  /** [train, width] of each kernel. */
  readonly #gains: readonly torch.Tensor[];
  readonly #base: Float64Array;
  readonly #width: number;
  /** [train, D] */
  readonly #train: torch.Tensor;

  constructor(
    soft: SoftKernels,
    parts: readonly { readonly name: KernelName; readonly gain: Float64Array }[],
    {
      base,
      train,
      width,
    }: { readonly base: Float64Array; readonly train: readonly Float64Array[]; readonly width: number },
  ) {
    this.#soft = soft;
    this.#base = base;
    this.#width = width;
    this.#train = torch.noGrad(() => torch.tidy(() => this.#at(train).coordinates)).detachFromScope();
    this.#names = parts.map(({ name }) => name);
    this.#gains = parts.map(({ gain }) =>
      torch.tensor(gain, { shape: [train.length, width] }).detachFromScope(),
    );
  }

  /** Likeness [train] of the base in each kernel. */
  baseLikeness(): Map<KernelName, Float64Array> {
    return torch.noGrad(() =>
      torch.tidy(() => {
        const { coordinates } = this.#at([this.#base]);
        const likeness = this.#soft.likeness(this.#names, coordinates, this.#train);
        return new Map(this.#names.map((name, i) => [name, likeness[i].toFloat64Array()]));
      }),
    );
  }

  /** Contributions [A * width] of samples of this presence each. */
  contributions(samples: readonly Float64Array[]): Float64Array[] {
    const width = this.#width;
    const ends = torch.noGrad(() =>
      torch.tidy(() => this.#score(this.#at([this.#base, ...samples]).coordinates).toFloat64Array()),
    );
    const found: Float64Array[] = [];
    let open = [...samples.keys()];
    for (let points = fewest; open.length > 0; points *= 2) {
      const tried = this.#integrate(
        open.map((i) => samples[i]),
        points,
      );
      open = open.filter((sample, i) => {
        found[sample] = tried[i];
        const rest = Float64Array.from({ length: width }, (_, c) => ends[(sample + 1) * width + c] - ends[c]);
        let size = 0;
        tried[i].forEach((value, at) => {
          rest[at % width] -= value;
          size += Math.abs(value);
        });
        return points < most && rest.some((own) => Math.abs(own) > closeEnough * size);
      });
    }
    return found;
  }

  #integrate(samples: readonly Float64Array[], count: number): Float64Array[] {
    const base = this.#base;
    const width = this.#width;
    const { points, weights } = gaussLegendre(count);
    const found = samples.map(() => new Float64Array(base.length * width));
    const rows = samples.flatMap((sample, i) =>
      Array.from(points, (t, q) => ({ sample, into: found[i], t, weight: weights[q] })),
    );
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const some = rows.slice(from, from + rowsAtOnce);
      using _scope = torch.scope();
      const along = some.map(({ sample, t }) => base.map((start, asv) => start + t * (sample[asv] - start)));
      const { given, degrees, z, coordinates } = this.#at(along, true);
      const scores = this.#score(coordinates);
      for (let c = 0; c < width; c++) {
        const options = { retainGraph: true, allowUnused: true } as const;
        const [ofGiven, ofDegrees] = torch
          .grad(scores.select(1, c).sum(), [given, degrees], options)
          .map((slopes) => slopes?.toFloat64Array() ?? null);
        some.forEach(({ sample, into, weight }, row) => {
          const slopes = ofDegrees!.subarray(row * z[row].length, (row + 1) * z[row].length);
          for (let asv = 0; asv < base.length; asv++) {
            const change = sample[asv] - base[asv];
            if (change === 0) continue;
            const slope =
              this.#soft.sets.slope(asv, along[row][asv], z[row], slopes) +
              (ofGiven?.[row * base.length + asv] ?? 0);
            into[asv * width + c] += weight * change * slope;
          }
        });
      }
    }
    return found;
  }

  /** [P, D] -> [P, width] */
  #score(coordinates: torch.Tensor): torch.Tensor {
    return this.#soft
      .likeness(this.#names, coordinates, this.#train)
      .map((likeness, i) => likeness.matmul(this.#gains[i]))
      .reduce((sum, part) => sum.add(part));
  }

  #at(rows: readonly Float64Array[], requiresGrad = false) {
    const { sets } = this.#soft;
    const z = rows.map((row) => {
      const degrees = new Float64Array(sets.size);
      sets.fill(row, degrees);
      return degrees;
    });
    const stacked = (parts: readonly Float64Array[]) =>
      torch.stack(parts.map((part) => torch.tensor(part))).requiresGrad_(requiresGrad);
    const [given, degrees] = [stacked(rows), stacked(z)];
    return { given, degrees, z, coordinates: this.#soft.coordinates(given, degrees) };
  }
}
