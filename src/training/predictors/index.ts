import { fineTuned } from "./fineTuned.ts";
import { kernelRidge, ridge } from "./kernelRidge.ts";
import type { Learned, Learner, LearnTask } from "./learner.ts";
import { onMedianLine } from "./medianLine.ts";
import { constant, forest, medianForest, neighbours } from "./simple.ts";
import { meanOfBest, stack } from "./stack.ts";
import { supportVectors } from "./supportVectors.ts";

/** Predictors that learn by themselves; `stack` and `auto` are made of them. */
const learners = {
  forest: { title: "Random forest", learn: forest },
  "median-forest": { title: "Median forest", learn: medianForest },
  ridge: { title: "Ridge on presence", learn: ridge },
  kernel: { title: "Kernel ridge", learn: (task) => kernelRidge(task, task.study.kernels) },
  vectors: { title: "Support vectors", learn: (task) => supportVectors(task, task.study.kernels) },
  encoder: { title: "Encoder", learn: (task) => kernelRidge(task, task.study.encoderKernels) },
  neighbours: { title: "Nearest neighbours", learn: neighbours },
  finetuned: { title: "Fine-tuned model", learn: fineTuned },
} satisfies Record<string, { title: string; learn: Learner }>;

export type SingleName = keyof typeof learners;
export const singleNames = Object.keys(learners) as SingleName[];
export const predictorNames = ["auto", "stack", ...singleNames] as const;
export type PredictorName = (typeof predictorNames)[number];

/** The column's name of a predictor in tables; `constant` is the median or the commonest class. */
export function titleOf(name: string, isClassifier: boolean): string {
  if (name === "constant") return isClassifier ? "Shares of the classes" : "Median";
  if (name === "auto") return "Auto";
  if (name === "stack") return "Stack";
  return learners[name as SingleName].title;
}

/** Predictors that are made of all the others. */
const joined = ["auto", "stack"] as const;
/** Whether a pretrained encoder has any part in the wanted predictors. */
export function usesEncoder(wanted: readonly PredictorName[]): boolean {
  return ["encoder", "finetuned", ...joined].some((name) => wanted.includes(name as PredictorName));
}

/** The predictors that must be learned for those that are wanted, and can be. */
export function partsOf(
  wanted: readonly PredictorName[],
  { study, target }: Pick<LearnTask, "study" | "target">,
): SingleName[] {
  const all = joined.some((name) => wanted.includes(name));
  const can = {
    "median-forest": target.kind === "numbers",
    neighbours: study.metric !== null,
    encoder: study.encoderKernels.length > 0,
    // Each of its fits is a training: only where it is asked for.
    finetuned: false,
  };
  return singleNames.filter(
    (name) => (all && (can[name as keyof typeof can] ?? true)) || wanted.includes(name),
  );
}

/** Learns the wanted predictors and the constant one; `auto` says in its settings of which it is the mean. */
export async function learnAll(
  task: LearnTask,
  wanted: readonly PredictorName[],
): Promise<Record<string, Learned>> {
  const parts: Record<string, Learned> = {};
  for (const name of partsOf(wanted, task))
    parts[name] = onMedianLine(task, await learners[name].learn(task));
  const all: Record<string, Learned> = { constant: constant(task), ...parts };
  if (wanted.includes("stack") || wanted.includes("auto")) all["stack"] = stack(task, parts);
  if (wanted.includes("auto")) {
    all["auto"] = meanOfBest(task, all);
    if (!wanted.includes("stack")) delete all["stack"];
  }
  return all;
}
