import { median } from "../../common/median.ts";
import { NearestNeighbours } from "../baselines/nearestNeighbours.ts";
import { RandomForest } from "../baselines/randomForest.ts";
import { chooseInside, type Learned, type LearnTarget, type LearnTask } from "./learner.ts";
import { sharesOf, sharpened } from "./scores.ts";

/** Trees of a forest that only tells the inner folds' errors, as a share of all. */
const innerShare = 0.2;

/** A random forest on counts as shares of their sample, as `rf-baseline` grows it. */
export function forest(task: LearnTask): Learned {
  const { study, target, train, random, trees } = task;
  const grow = (own: Int32Array, count: number, label: number) =>
    new RandomForest(study.relative(own), targetOf(target, own), {
      trees: count,
      random: random.derive("forest", label),
    });
  const inner = Math.max(10, Math.round(innerShare * trees));
  const { unseen } = chooseInside(task, [{}], (own, test, fold) => [
    grow(own, inner, fold + 1).predict(study.relative(test)),
  ]);
  const final = grow(train, trees, 0);
  return {
    ...sharpened(task, { trees }, unseen, (samples) => final.predict(study.relative(samples))),
    *explain(samples) {
      const rows = study.relative(samples);
      const predicted = final.predict(rows);
      const { base, samples: explained } = final.shap(rows);
      let at = 0;
      for (const values of explained) yield { values, total: base.map((own) => predicted[at++] - own) };
    },
  };
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
  const { target, train } = task;
  const value = (own: Int32Array, count: number) => {
    if (target.kind === "numbers")
      return new Float64Array(count).fill(median(Array.from(own, (sample) => target.values[sample])));
    const shares = sharesOf(target, own);
    return Float64Array.from({ length: count * shares.length }, (_, i) => shares[i % shares.length]);
  };
  const { unseen } = chooseInside(task, [{}], (own, test) => [value(own, test.length)]);
  return { settings: {}, unseen, predict: (samples) => value(train, samples.length) };
}

function targetOf(target: LearnTarget, own: Int32Array) {
  const values = Float64Array.from(own, (sample) => target.values[sample]);
  return target.kind === "numbers"
    ? ({ kind: "numbers", values } as const)
    : ({ kind: "classes", values, classes: target.classes.length } as const);
}
