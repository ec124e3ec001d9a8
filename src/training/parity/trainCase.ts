import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { type LoadedCase, type TrainCase, withPrefix } from "./caseFile.ts";
import { caseLosses } from "./caseLosses.ts";
import { type Comparison, compareAll } from "./compare.ts";
import { buildModel, runModel } from "./modelCase.ts";

/** Trains as the case says and compares losses and gradient norms of all steps and the weights at the end. */
export function runTrainCase(loaded: LoadedCase<TrainCase>): Comparison[] {
  const { name, description, tensors } = loaded;
  const rates = tensors.get("outputs/learning_rate")?.toFloat64Array();
  if (!rates) throw new UserError(`Case ${name} has no outputs/learning_rate.`);
  const model = buildModel(loaded).train();
  const { lr, betas, eps, weight_decay: weightDecay } = description.optimizer;
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr, betas, eps, weightDecay });
  const record = new Map<string, number[]>();
  const note = (key: string, value: torch.Tensor) => {
    const list = record.get(key);
    if (list) list.push(value.item());
    else record.set(key, [value.item()]);
  };
  for (let step = 0; step < description.steps; step++) {
    torch.tidy(() => {
      for (const group of optimizer.paramGroups) group.lr = rates[step];
      optimizer.zeroGrad();
      const run = runModel(model, loaded, `inputs/step${step}/`);
      const losses = caseLosses(description, model, run, withPrefix(tensors, `targets/step${step}/`));
      losses.total_loss.backward();
      for (const [term, value] of Object.entries(losses)) note(`losses/${term}`, value);
      note(
        "outputs/grad_norm",
        torch.nn.clipGradNorm_(model.parameters(), description.clip_grad_norm ?? Number.POSITIVE_INFINITY),
      );
      optimizer.step();
    });
  }
  const series = new Map([...record].map(([key, values]) => [key, torch.tensor(Float64Array.from(values))]));
  const isSeries = (key: string) => key.startsWith("losses/") || key === "outputs/grad_norm";
  const expectedSeries = new Map([...tensors].filter(([key]) => isSeries(key)));
  return [
    ...compareAll("", series, expectedSeries, description),
    ...compareAll("outputs/final/", model.stateDict(), withPrefix(tensors, "outputs/final/"), description),
  ];
}
