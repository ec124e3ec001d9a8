import { Command } from "commander";
import { type PretrainConfig, pretrainSchema } from "../training/config.ts";
import { pretrain } from "../training/pretrain.ts";
import { reportPretraining } from "./reportPretraining.ts";
import { addSchemaOptions } from "./schemaOptions.ts";
import { addRunFlags, pretrainOptions } from "./trainingOptions.ts";
import { setUpTraining } from "./trainingRun.ts";

export function makeCommand(): Command {
  const command = new Command("pretrain").description(
    "Train an encoder whose distances between samples match UniFrac, or which predicts Faith's PD",
  );
  addSchemaOptions(command, pretrainSchema, pretrainOptions);
  return addRunFlags(command).action(async (_options, self: Command) => run(self));
}

async function run(command: Command): Promise<void> {
  const setup = await setUpTraining<PretrainConfig>(command, pretrainSchema, pretrainOptions, () => ({
    needsDistances: true,
  }));
  using _dataset = setup.dataset;
  const { summary } = await pretrain(setup);
  reportPretraining(summary, setup);
}
