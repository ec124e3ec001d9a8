import { median } from "../../common/median.ts";
import { NearestNeighbours } from "../baselines/nearestNeighbours.ts";
import { RandomForest } from "../baselines/randomForest.ts";
import { chooseInside, type Learned, type LearnTarget, type LearnTask, widthOf } from "./learner.ts";
import { sharesOf, sharpened } from "./scores.ts";

/** Trees of a forest that only tells the inner folds' errors: a share of all, but so many at least. */
const innerShare = 0.2;
const fewestInner = 50;

/** The forests of a task: one of each inner fold, and one on all training samples. */
interface Forests {
  readonly inner: readonly RandomForest[];
  readonly final: RandomForest;
}

/** `forest` and `median-forest` are two readings of the same trees. */
const forestsOfTask = new WeakMap<LearnTask, Forests>();

function forestsOf(task: LearnTask): Forests {
  const { study, target, train, inner, random, trees } = task;
  const known = forestsOfTask.get(task);
  if (known) return known;
  const grow = (own: Int32Array, count: number, label: number) =>
    new RandomForest(study.relative(own), targetOf(target, own), {
      trees: count,
      random: random.derive("forest", label),
    });
  const few = Math.min(trees, Math.max(fewestInner, Math.round(innerShare * trees)));
  const forests = {
    inner: inner.map(({ train: own }, fold) => grow(own, few, fold + 1)),
    final: grow(train, trees, 0),
  };
  forestsOfTask.set(task, forests);
  return forests;
}

/** A random forest on counts as shares of their sample, as `rf-baseline` grows it. */
export function forest(task: LearnTask): Learned {
  return readForest(task, "mean");
}

/**
 * The same forest, read so that it errs least by the absolute error: the mean of the middle fifth of the
 * trees, nearly their median (`RandomForest.predictMiddle`). For numbers.
 */
export function medianForest(task: LearnTask): Learned {
  return readForest(task, "middle");
}

function readForest(task: LearnTask, of: "mean" | "middle"): Learned {
  const { study } = task;
  const { inner, final } = forestsOf(task);
  const read = (grown: RandomForest, samples: Int32Array) =>
    of === "mean" ? grown.predict(study.relative(samples)) : grown.predictMiddle(study.relative(samples));
  const { unseen } = chooseInside(task, [{}], (_own, test, fold) => [read(inner[fold], test)]);
  return sharpened(
    task,
    { trees: task.trees },
    unseen,
    (samples) => read(final, samples),
    (samples) => final.shap(study.relative(samples), of),
  );
}

/** Nearest neighbours by true distances; their number is chosen among samples of other groups. */
export function neighbours(task: LearnTask): Learned {
  const { study, target, train, groupOf } = task;
  const fit = (own: Int32Array) =>
    new NearestNeighbours({
      distance: (a, b) => study.distance(a, b),
      train: own,
      target:
        target.kind === "numbers"
          ? { kind: "numbers", values: target.values }
          : { kind: "classes", values: target.values, classes: target.classes.length },
      groupOf: groupOf ?? undefined,
    });
  const { unseen } = chooseInside(task, [{}], (own, test) => [fit(own).predict(test)]);
  const final = fit(train);
  return sharpened(task, { neighbours: final.k }, unseen, (samples) => final.predict(samples));
}

/**
 * The median, or the classes' shares, of the training samples: what is said of a
 * sample without looking at it.
 */
export function constant(task: LearnTask): Learned {
  const { study, target, train } = task;
  const value = (own: Int32Array, count: number) => {
    if (target.kind === "numbers")
      return new Float64Array(count).fill(median(Array.from(own, (sample) => target.values[sample])));
    const shares = sharesOf(target, own);
    return Float64Array.from({ length: count * shares.length }, (_, i) => shares[i % shares.length]);
  };
  const { unseen } = chooseInside(task, [{}], (own, test) => [value(own, test.length)]);
  const nothing = new Float64Array(study.dataset.asvCount * widthOf(target));
  return {
    settings: {},
    unseen,
    predict: (samples) => value(train, samples.length),
    explain: (samples) => Array.from(samples, () => ({ values: nothing, base: value(train, 1) })),
  };
}

function targetOf(target: LearnTarget, own: Int32Array) {
  const values = Float64Array.from(own, (sample) => target.values[sample]);
  return target.kind === "numbers"
    ? ({ kind: "numbers", values } as const)
    : ({ kind: "classes", values, classes: target.classes.length } as const);
}
