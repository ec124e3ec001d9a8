import { resolve } from "node:path";
import { Command } from "commander";
import { type PretrainConfig, pretrainSchema } from "../training/config.ts";
import { pretrain } from "../training/pretrain.ts";
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
  const { display } = setup;
  if (display.mode === "json") {
    display.record("summary", { ...summary });
    return;
  }
  const isValue = setup.config.metric === "faith_pd";
  const nucleotides = summary["val.nuc_accuracy"];
  console.log(
    [
      `${isValue ? "Faith's PD" : "UniFrac"} of ${summary.samples.validation} validation samples${isValue ? "" : ", all pairs"}: ` +
        `R² ${summary["val.unifrac_r2"].toFixed(4)}, MAE ${summary["val.unifrac_mae"].toFixed(4)}, Pearson ${summary["val.unifrac_pearson"].toFixed(4)}`,
      ...(nucleotides === null
        ? []
        : [`Hidden nucleotides predicted rightly: ${(100 * nucleotides).toFixed(1)} %`]),
      `${summary.steps} steps, ${summary["train.samples_per_second"].toFixed(1)} samples/s, ended by ${summary.stopped_by}`,
      `The run is in ${resolve(setup.output)}`,
    ].join("\n"),
  );
}
