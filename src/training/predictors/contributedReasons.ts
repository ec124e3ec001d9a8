import type { Dataset } from "../../data/dataset/dataset.ts";
import { gapOf } from "../contributions/gapWarning.ts";
import { type Contributions, type Learned, type LearnTask, type Part, widthOf } from "./learner.ts";
import { fewestSamples, type Reasons } from "./reasons.ts";
import type { Study } from "./study.ts";

/** What contributions are found for: training samples of a data set, and their target. */
type Explained = Pick<LearnTask, "train" | "target"> & { readonly study: Pick<Study, "dataset"> };

/**
 * What ASVs do in every predictor whose predictions can be divided among them, and in every mean of
 * predictors; held-out samples need no truth for it. An ASV's importance is the mean over samples of its
 * contribution's size (of classes: half the sum of the sizes); its effect is the mean contribution in samples
 * that have it, less that in samples that do not.
 *
 * Contributions to a weighted mean are the weighted mean of those to its parts, which are found once for all.
 * A part without contributions adds, as a whole, its prediction less their mean over the samples.
 */
export function contributedReasons(
  task: Explained,
  predictors: Readonly<Record<string, Learned>>,
  test: Int32Array,
): Record<string, Reasons> {
  const { dataset } = task.study;
  const width = widthOf(task.target);
  const wanted = Object.entries(predictors)
    .map(([name, learned]) => ({ name, learned, parts: singlesOf({ name, learned, weight: 1 }) }))
    .filter(({ learned }) => learned.parts || learned.explain)
    .map((one) => ({ ...one, tally: new Tally(dataset, one.learned.predict(test), width) }));
  const singles = new Set(wanted.flatMap(({ parts }) => parts.map(({ learned }) => learned)));
  const found = new Map(Array.from(singles, (one) => [one, contributionsOf(task, one, test)]));
  for (const sample of test) {
    const own = new Map(Array.from(found, ([one, all]) => [one, next(all)]));
    for (const { parts, tally } of wanted) {
      const [values, rest, base] = [dataset.asvCount * width, width, width].map((n) => new Float64Array(n));
      for (const { learned, weight } of parts) {
        const one = own.get(learned)!;
        const into = learned.explain ? values : rest;
        for (let i = 0; i < into.length; i++) into[i] += weight * one.values[i];
        for (let c = 0; c < width; c++) base[c] += weight * one.base[c];
      }
      tally.add(sample, { values, base }, rest);
    }
  }
  const present = new Int32Array(dataset.asvCount);
  for (const sample of task.train) for (const asv of dataset.sample(sample).asvs) present[asv]++;
  const often = Array.from(present.keys()).filter((asv) => present[asv] >= fewestSamples);
  return Object.fromEntries(
    wanted.map(({ name, parts, tally }) => {
      const others = parts.filter(({ learned }) => !learned.explain && isMoved(learned.predict(test), width));
      const undivided = {
        parts: others.map((part) => part.name),
        weight: others.reduce((sum, { weight }) => sum + weight, 0),
        importance: tally.rest,
      };
      return [name, { ...tally.reasonsOf(often), ...(others.length > 0 && { undivided }) }];
    }),
  );
}

/** The predictors that are no means, of which one is made in the end, each once with its whole weight. */
function singlesOf({ name, learned, weight }: Part): Part[] {
  if (!learned.parts) return [{ name, learned, weight }];
  const singles = new Map<Learned, Part>();
  for (const part of learned.parts)
    for (const one of singlesOf({ ...part, weight: weight * part.weight }))
      singles.set(one.learned, { ...one, weight: one.weight + (singles.get(one.learned)?.weight ?? 0) });
  return [...singles.values()];
}

/** A predictor's contributions; where it has none, its predictions [width] less a base, as a whole. */
function* contributionsOf(
  { target }: Explained,
  { explain, predict }: Learned,
  test: Int32Array,
): Iterator<Contributions> {
  if (explain) {
    yield* explain(test);
    return;
  }
  const width = widthOf(target);
  const predicted = predict(test);
  const base = new Float64Array(width);
  for (let i = 0; i < predicted.length; i++) base[i % width] += predicted[i] / test.length;
  for (let at = 0; at < predicted.length; at += width) {
    yield { values: predicted.slice(at, at + width).map((value, c) => value - base[c]), base };
  }
}

/** Whether predictions [samples * width] differ. */
function isMoved(predicted: Float64Array, width: number): boolean {
  return predicted.some((value, i) => value !== predicted[i % width]);
}

function next<T>(items: Iterator<T>): T {
  const { done, value } = items.next();
  if (done) throw new RangeError("A predictor has contributions to fewer samples than it was asked for.");
  return value;
}

/** Adds up the contributions to one predictor over samples. */
class Tally {
  readonly #dataset: Dataset;
  readonly #predicted: Float64Array;
  readonly #width: number;
  /** By ASV: mean size; by ASV and class: sums over samples, and over those that have the ASV. */
  readonly #sizes: Float64Array;
  readonly #sums: Float64Array;
  readonly #sumsWith: Float64Array;
  readonly #having: Int32Array;
  #added = 0;
  #missing = 0;
  #largest = 0;
  #rest = 0;

  /** @param predicted of all samples that will be added [samples * width]. */
  constructor(dataset: Dataset, predicted: Float64Array, width: number) {
    this.#dataset = dataset;
    this.#predicted = predicted;
    this.#width = width;
    this.#sizes = new Float64Array(dataset.asvCount);
    this.#sums = new Float64Array(dataset.asvCount * width);
    this.#sumsWith = new Float64Array(dataset.asvCount * width);
    this.#having = new Int32Array(dataset.asvCount);
  }

  /** Mean size of what is not divided among ASVs. */
  get rest(): number {
    return this.#rest;
  }

  /** @param rest what is not divided [width]. */
  add(sample: number, { values, base }: Contributions, rest: Float64Array): void {
    const width = this.#width;
    const from = this.#added++ * width;
    const total = base.map((value, c) => this.#predicted[from + c] - value);
    const share = (width === 1 ? width : width / 2) / this.#predicted.length;
    const missing = total.map((value, c) => value - rest[c]);
    for (let i = 0; i < values.length; i++) {
      this.#sums[i] += values[i];
      missing[i % width] -= values[i];
      this.#sizes[Math.floor(i / width)] += Math.abs(values[i]) * share;
    }
    for (const asv of this.#dataset.sample(sample).asvs) {
      this.#having[asv]++;
      for (let c = 0; c < width; c++) this.#sumsWith[asv * width + c] += values[asv * width + c];
    }
    for (const own of rest) this.#rest += Math.abs(own) * share;
    this.#missing = Math.max(this.#missing, ...missing.map(Math.abs));
    this.#largest = Math.max(this.#largest, ...total.map(Math.abs));
  }

  /** Of some ASVs; those that move nothing are left out. */
  reasonsOf(some: readonly number[]): Reasons {
    const width = this.#width;
    const asvs = some.filter((asv) => this.#sizes[asv] > 0);
    const effects = asvs.flatMap((asv) =>
      Array.from({ length: width }, (_, c) => {
        const all = this.#sums[asv * width + c];
        const own = this.#sumsWith[asv * width + c];
        const [count, n] = [this.#having[asv], this.#added];
        return count > 0 && count < n ? own / count - (all - own) / (n - count) : null;
      }),
    );
    const size = this.#predicted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const gap = gapOf(this.#missing, this.#largest, size);
    return { asvs, effects, importance: asvs.map((asv) => this.#sizes[asv]), gap };
  }
}
