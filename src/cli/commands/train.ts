import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { UserError } from "../../common/userError.ts";
import { parseWeightRule } from "../../data/encoding/categoryWeights.ts";
import { chosenTargetPooling } from "../../training/config/buildModel.ts";
import { type FineTuneConfig, fineTuneSchema } from "../../training/config/config.ts";
import { fineTuneConfig } from "../../training/config/defaults.ts";
import { crossValidate } from "../../training/folds/crossValidate.ts";
import { summaryText } from "../../training/folds/foldReport.ts";
import { planSchema } from "../../training/folds/plan.ts";
import { pretrainFactsOf } from "../../training/run/open.ts";
import { isClassifier } from "../../training/targets/targets.ts";
import { fineTune } from "../../training/tasks/fineTune.ts";
import { frozenText } from "../../training/tasks/frozenText.ts";
import { atLeastTwo } from "../options/optionValues.ts";
import { type EncoderUse, refuseBesideFolds } from "../options/refuseIdleOptions.ts";
import { addSchemaOptions, type SchemaOption } from "../options/schemaOptions.ts";
import { setUpTraining, type TrainingSetup } from "../options/setUpTraining.ts";
import { addRunFlags, commonOptions, type RunFlags } from "../options/trainingOptions.ts";
import { reportFineTuning } from "../text/reportFineTuning.ts";

const start = "Encoder:";
const encoderText =
  "what encodes samples where no --pretrained-encoder decides: sets of codes (set), or the original AAM's transformers (aam)";
const target = "Target:";
const head = "Target head:";
const categories = "Categories:";

export const trainOptions: readonly SchemaOption[] = [
  { flags: "--metadata-column <names>", path: "target.metadataColumn", group: target },
  { flags: "--classifier", path: "target.classifier", group: target },
  {
    flags: "--no-classifier",
    path: "target.classifier",
    group: target,
    text: "predict numbers; a column of text is refused",
  },
  { flags: "--target-transform <name>", path: "target.transform", group: target },
  { flags: "--target-power <x>", path: "target.power", group: target },
  { flags: "--normalize-by <columns>", path: "target.normalizeBy", group: target },
  { flags: "--loss-type <name>", path: "target.lossType", group: target },
  { flags: "--huber-delta <x>", path: "target.huberDelta", group: target },
  { flags: "--quantiles <levels>", path: "target.quantiles", group: target },
  { flags: "--over-penalty <x>", path: "target.overPenalty", group: target },
  { flags: "--under-penalty <x>", path: "target.underPenalty", group: target },
  { flags: "--loss-config <rule>", path: "target.lossConfig", group: target, parse: lossRule },
  { flags: "--class-weights <rule>", path: "target.classWeights", group: target, parse: classWeightRule },
  { flags: "--target-penalty <x>", path: "target.penalty", group: target },
  { flags: "--best-metric <name>", path: "bestMetric", group: target },
  { flags: "--val-prediction-passes <n>", path: "valPredictionPasses", group: target },
  { flags: "--pretrained-encoder <run>", path: "pretrainedEncoder", group: start },
  { flags: "--freeze-base", path: "freezeBase", group: start },
  { flags: "--target-pooling <how>", path: "target.pooling", group: head },
  { flags: "--sum-features <n>", path: "target.sumFeatures", group: head },
  { flags: "--ridge <x>", path: "target.ridge", group: head },
  {
    flags: "--no-target-layer-norm",
    path: "target.layerNorm",
    group: head,
    text: "leave out the layer norm before the head",
  },
  { flags: "--bounded-targets", path: "target.boundedTargets", group: head },
  { flags: "--learnable-output-scale", path: "target.learnableOutputScale", group: head },
  { flags: "--output-activation <name>", path: "target.outputActivation", group: head },
  { flags: "--regressor-hidden-dims <sizes>", path: "target.regressorHiddenDims", group: head },
  { flags: "--regressor-dropout <share>", path: "target.regressorDropout", group: head },
  { flags: "--residual-regression-head", path: "target.residualRegressionHead", group: head },
  { flags: "--count-prediction", path: "target.countPrediction", group: head },
  { flags: "--count-penalty <x>", path: "target.countPenalty", group: head },
  { flags: "--categorical-columns <names>", path: "categorical.columns", group: categories },
  { flags: "--categorical-fusion <how>", path: "categorical.fusion", group: categories },
  { flags: "--categorical-embed-dim <n>", path: "categorical.embedDim", group: categories },
  { flags: "--categorical-dropout <share>", path: "categorical.dropout", group: categories },
  { flags: "--categorical-lr <x>", path: "categorical.lr", group: categories },
  { flags: "--cross-attn-heads <n>", path: "categorical.crossAttnHeads", group: categories },
  { flags: "--perceiver-num-latents <n>", path: "categorical.perceiverNumLatents", group: categories },
  { flags: "--perceiver-num-layers <n>", path: "categorical.perceiverNumLayers", group: categories },
  {
    flags: "--conditional-output-scaling <names>",
    path: "categorical.conditionalOutputScaling",
    group: categories,
  },
  {
    flags: "--categorical-loss-weights <rule>",
    path: "categorical.lossWeights",
    group: categories,
    parse: (text) => ruleValue(text, "--categorical-loss-weights"),
  },
  {
    flags: "--categorical-loss-weight-column <names>",
    path: "categorical.lossWeightColumn",
    group: categories,
  },
  ...commonOptions.map((option) =>
    option.path === "model.encoder" ? { ...option, text: encoderText } : option,
  ),
];

export function makeCommand(): Command {
  const command = new Command("train").description(
    "Train a model that predicts metadata of samples, on a pretrained encoder or from scratch",
  );
  const frozen = { when: "with --freeze-base", start: fineTuneConfig({ freezeBase: true }) };
  addSchemaOptions(command, fineTuneSchema, trainOptions, fineTuneConfig(), frozen);
  command
    .optionsGroup("Validation samples:")
    .option(
      "--folds <n>",
      "cross-validate instead: hold each of so many parts out once, beside predictors that need no training",
      atLeastTwo,
    );
  return addRunFlags(command).action(async (_options, self: Command) => run(self));
}

async function run(command: Command): Promise<void> {
  const { folds } = command.opts<RunFlags>();
  if (folds !== undefined) refuseBesideFolds(command);
  const setup = await setUpTraining<FineTuneConfig>(
    command,
    fineTuneSchema,
    trainOptions,
    (config) => ({
      needsDistances: config.training.penalty > 0 && !config.freezeBase,
      columns: [...config.target.metadataColumn, ...config.target.normalizeBy, ...config.categorical.columns],
    }),
    encoderUse,
  );
  using _dataset = setup.dataset;
  if (folds !== undefined) return await trainInFolds(command, setup);
  const { summary } = await fineTune(setup);
  reportFineTuning(summary, setup);
}

/** The encoder that is trained is the pretrained one; a target's transformers may lie above codes, too. */
export function encoderUse({
  pretrainedEncoder: pretrained,
  model: own,
  target,
  categorical: categories,
}: FineTuneConfig): EncoderUse {
  const model = pretrained === null ? own : pretrainFactsOf(pretrained).facts.config.model;
  const pooling = chosenTargetPooling(model, target, categories);
  return {
    model,
    pretrained,
    hasItsMetric: pretrained !== null,
    hasHead: pooling !== "sum" && pooling !== "blocks",
    settlesDecay: pooling === "blocks",
    hasTransformersAbove: pooling === "attention" || target.countPrediction,
  };
}

function ruleValue(text: string, option: string): unknown {
  const rule = parseWeightRule(text, option);
  return rule === "auto" ? rule : Object.fromEntries(rule);
}

function classWeightRule(text: string): unknown {
  const numbers = text.split(",").map(Number);
  return numbers.every(Number.isFinite) && text.trim() !== "" ? numbers : ruleValue(text, "--class-weights");
}

/** JSON (`{"age": "mae"}`) or pairs (`age=mae,ph=mse`). */
function lossRule(text: string): unknown {
  if (text.trim().startsWith("{")) {
    try {
      return JSON.parse(text);
    } catch {
      throw new InvalidArgumentError("It is not valid JSON.");
    }
  }
  const pairs = text.split(",").map((pair) => pair.split("=").map((part) => part.trim()));
  if (pairs.some((pair) => pair.length !== 2))
    throw new InvalidArgumentError("Write column=loss,column=loss.");
  return Object.fromEntries(pairs);
}

/** Each fold is trained once for itself, and once for each of these. */
const innerFolds = 3;

/**
 * Cross-validates a fine-tuning, beside predictors that need none.
 * @throws UserError for several columns, and for what `crossValidate` refuses.
 */
async function trainInFolds(command: Command, setup: TrainingSetup<FineTuneConfig>): Promise<void> {
  const { folds, resume } = command.opts<RunFlags>();
  const { config, dataset, display } = setup;
  const { trainSamples, valSamples } = config.split;
  if (trainSamples !== null || valSamples !== null)
    throw new UserError("--folds divides the samples itself; leave files of samples out of --config.");
  const { metadataColumn: columns, classifier } = config.target;
  if (columns.length !== 1)
    throw new UserError(
      `--folds is for one column, and these are given: ${columns.join(", ")}; leave the others out.`,
    );
  if (config.freezeBase)
    display.message(
      frozenText({ ...config, model: encoderUse(config).model }, isClassifier(dataset, config.target)),
    );
  const hasDistances = dataset.manifest.distances.length > 0;
  const plan = planSchema.parse({
    ...{ column: columns[0], classifier, folds, innerFolds, fineTune: config },
    ...{ splitBy: config.split.by, stratify: config.split.stratify, seed: config.training.seed },
    predictors: ["finetuned", "ridge", "kernel", "forest", ...(hasDistances ? ["neighbours"] : [])],
  });
  const { summary, report } = await crossValidate({
    ...{ dataset, config: plan, output: resolve(setup.output), resume, display },
    workers: availableParallelism(),
    script: join(import.meta.dir, "../foldWorker.ts"),
    command: setup.command,
  });
  if (display.mode === "json") display.record("cross-validation", { ...summary });
  else console.log(summaryText(summary));
  display.message(`The report is ${report}`);
}
