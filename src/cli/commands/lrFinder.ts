import { Command } from "commander";
import { UserError } from "../../common/userError.ts";
import { learningRatePlot, savePlot } from "../../display/plots/index.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import * as torch from "../../torch/index.ts";
import { checkMetrics, checkModel } from "../../training/config/checkModel.ts";
import { type ModelConfig, pretrainSchema } from "../../training/config/config.ts";
import { startingSettings } from "../../training/config/defaults.ts";
import { findLearningRate } from "../../training/tasks/findLearningRate.ts";
import { openConfiguredData } from "../../training/tasks/openData.ts";
import { chooseDevice } from "../options/chooseDevice.ts";
import { positiveNumber, positiveWholeNumber } from "../options/optionValues.ts";
import { refuseIdleOptions } from "../options/refuseIdleOptions.ts";
import { addDeviceOptions, addPrintOptions } from "../options/runningOptions.ts";
import { addSchemaOptions, configOf, givenPaths } from "../options/schemaOptions.ts";
import { pretrainOptions } from "../options/trainingOptions.ts";

interface Flags {
  readonly output: string;
  readonly config?: string;
  readonly from: number;
  readonly to: number;
  readonly steps: number;
  readonly device: "auto" | "cpu" | "cuda";
  readonly threads?: number;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** What a search of the learning rate has no use for. */
const unused =
  /^(startFrom|sampleEpochs)$|^training\.(epochs|minEpoch|max(Steps|Minutes|Memory)|lr$|scheduler|warmup|lrFloor|patience|ema|save|shard|auto|target|gradientAccum)/;
export const lrFinderOptions = pretrainOptions.filter(({ path }) => !unused.test(path));

export function makeCommand(): Command {
  const command = new Command("lr-finder").description(
    "Find a learning rate for pretraining, and draw its curve",
  );
  addSchemaOptions(command, pretrainSchema, lrFinderOptions);
  command
    .optionsGroup("Running:")
    .requiredOption("-o, --output <path>", "where to write the plot: .svg and .png are added")
    .option("--config <file>", "settings in YAML or JSON; options here win")
    .option("--from <x>", "first learning rate", positiveNumber, 1e-6)
    .option("--to <x>", "last learning rate", positiveNumber, 1)
    .option("--steps <n>", "steps from one to the other", positiveWholeNumber, 100);
  addPrintOptions(addDeviceOptions(command), "warnings and the result", "progress and result");
  return command.action(async (flags: Flags, self: Command) => run(flags, self));
}

async function run(flags: Flags, command: Command): Promise<void> {
  const read = (encoder?: ModelConfig) =>
    configOf(
      command,
      pretrainSchema,
      lrFinderOptions,
      flags.config,
      startingSettings(Object.keys(pretrainSchema.shape), encoder),
    );
  const config = read(read().model);
  refuseIdleOptions(givenPaths(command, lrFinderOptions), { model: config.model });
  const { from, to, steps, output } = flags;
  if (steps < 10) throw new UserError("--steps must be at least 10 for a curve that says anything.");
  if (!(from < to)) throw new UserError(`The search must go up: --from ${from} is not below --to ${to}.`);
  checkModel(config.model, config.training);
  checkMetrics(config);
  const display = new ProgressDisplay(chooseDisplayMode(flags));
  if (flags.threads) torch.setNumThreads(flags.threads);
  const device = await chooseDevice(flags.device);
  const { seed } = config.training;
  using dataset = await openConfiguredData({
    data: config.data,
    metric: config.unifracMetric,
    furtherMetrics: config.furtherMetrics,
    seed,
    output,
    display,
  });
  const { samples, asvs } = dataset.manifest.counts;
  display.message(
    `${samples} samples, ${asvs} ASVs; searching on ${device}, CPU threads: ${torch.getNumThreads()}`,
  );
  display.begin("Searching", steps, "steps");
  const onStep = (done: number, loss: number) => display.update(done, { TL: loss });
  const search = await findLearningRate({ dataset, config, device, from, to, steps, onStep });
  display.end();
  const { suggestion } = search;
  const plot = await learningRatePlot({
    title: "Loss by learning rate",
    ...search,
    suggestion: suggestion ?? undefined,
  });
  await savePlot(plot, output.replace(/\.(svg|png)$/, ""));
  if (display.mode === "json") {
    display.record("learning_rate", { suggestion, steps: search.losses.length });
    return;
  }
  console.log(
    suggestion === null
      ? "The loss never falls: there is no rate to suggest; look at the plot."
      : `Suggested: --lr ${Number(suggestion.toPrecision(2))} (a tenth of where the loss is least)`,
  );
}
