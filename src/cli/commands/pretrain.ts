import { Command } from "commander";
import { checkMetrics } from "../../training/config/checkModel.ts";
import { type PretrainConfig, pretrainSchema } from "../../training/config/config.ts";
import { pretrainConfig } from "../../training/config/defaults.ts";
import { pretrain } from "../../training/tasks/pretrain.ts";
import { pretrainUse } from "../options/refuseIdleOptions.ts";
import { addSchemaOptions } from "../options/schemaOptions.ts";
import { setUpTraining } from "../options/setUpTraining.ts";
import { addRunFlags, pretrainOptions } from "../options/trainingOptions.ts";
import { reportPretraining } from "../text/reportPretraining.ts";

export function makeCommand(): Command {
  const command = new Command("pretrain").description(
    "Train an encoder whose distances between samples match UniFrac, or which predicts Faith's PD",
  );
  addSchemaOptions(command, pretrainSchema, pretrainOptions, pretrainConfig());
  return addRunFlags(command).action(async (_options, self: Command) => run(self));
}

async function run(command: Command): Promise<void> {
  const setup = await setUpTraining<PretrainConfig>(
    command,
    pretrainSchema,
    pretrainOptions,
    (config) => {
      checkMetrics(config);
      return { needsDistances: true };
    },
    pretrainUse,
  );
  using _dataset = setup.dataset;
  const { summary } = await pretrain(setup);
  reportPretraining(summary, setup);
}
