import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { type LoadedCase, type TrainCase, withPrefix } from "./caseFile.ts";
import { caseLosses } from "./caseLosses.ts";
import { type Comparison, compareAll, compareTensor } from "./compare.ts";
import { buildModel, runModel } from "./modelCase.ts";
import { RoundingGradients } from "./roundingGradients.ts";

/** Trains as the case says and compares losses and gradient norms of all steps and the weights at the end. */
export function runTrainCase(loaded: LoadedCase<TrainCase>): Comparison[] {
  const { name, description, tensors } = loaded;
  const rates = tensors.get("outputs/learning_rate")?.toFloat64Array();
  if (rates?.length !== description.steps) {
    throw new UserError(`Case ${name} needs outputs/learning_rate with one rate for each of its steps.`);
  }
  const model = buildModel(loaded).train();
  const { lr, betas, eps, weight_decay: weightDecay } = description.optimizer;
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr, betas, eps, weightDecay });
  const rounding = new RoundingGradients(model);
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
      const run = runModel(model, loaded, `inputs/step${step}/`, { packed: true });
      const losses = caseLosses(loaded, model, run, withPrefix(tensors, `targets/step${step}/`));
      losses.total_loss.backward();
      for (const [term, value] of Object.entries(losses)) note(`losses/${term}`, value);
      rounding.observe();
      const largest = description.clip_grad_norm ?? Number.POSITIVE_INFINITY;
      note("outputs/grad_norm", torch.nn.clipGradNorm_(model.parameters(), largest));
      optimizer.step();
    });
  }
  const series = new Map([...record].map(([key, values]) => [key, torch.tensor(Float64Array.from(values))]));
  const isSeries = (key: string) => key.startsWith("losses/") || key === "outputs/grad_norm";
  const expectedSeries = new Map([...tensors].filter(([key]) => isSeries(key)));
  const allRates = rates.reduce((sum, rate) => sum + rate, 0);
  return [
    ...compareAll("", series, expectedSeries, description),
    ...compareWeights(model, loaded, rounding.elements(), allRates),
  ];
}

/**
 * The weights at the end. Elements whose gradients are rounding alone went where rounding sent them, on any
 * machine elsewhere: they may differ by as much as the optimizer can have moved them.
 */
function compareWeights(
  model: torch.nn.Module,
  { description, tensors }: LoadedCase<TrainCase>,
  rounding: ReadonlyMap<string, torch.Tensor>,
  farthest: number,
): Comparison[] {
  const state = model.stateDict();
  const compared: Comparison[] = [];
  for (const [key, expected] of withPrefix(tensors, "outputs/final/")) {
    const name = `outputs/final/${key}`;
    const actual = state.get(key);
    const drifting = rounding.get(key);
    if (!actual || !drifting || actual.shape.join() !== expected.shape.join()) {
      compared.push(compareTensor(name, actual, expected, description));
      continue;
    }
    const steady = drifting.logicalNot();
    compared.push(
      compareTensor(name, actual.maskedSelect(steady), expected.maskedSelect(steady), description),
      compareTensor(
        `${name} (gradient of rounding alone)`,
        actual.maskedSelect(drifting),
        expected.maskedSelect(drifting),
        { atol: farthest, rtol: 0 },
      ),
    );
  }
  return compared;
}
