/**
 * Trains a UniFrac encoder: from a BIOM table and a tree to a run, in one command.
 *
 *     bun run train.ts --table T.biom --tree T.nwk --output RUN
 *
 * prepares a data set (kept beside the run and used again), trains an encoder whose distances between sample
 * embeddings match UniFrac, and ends with figures on samples that it has not seen. The command `pretrain`
 * does the same with every option.
 */

import { Command } from "commander";
import { guardFiles } from "./src/cli/options/filesOfCommand.ts";
import { styleHelp } from "./src/cli/options/helpStyle.ts";
import { pretrainUse } from "./src/cli/options/refuseIdleOptions.ts";
import { addSchemaOptions } from "./src/cli/options/schemaOptions.ts";
import { setUpTraining } from "./src/cli/options/setUpTraining.ts";
import { addRunFlags, firstRunOptions } from "./src/cli/options/trainingOptions.ts";
import { reportError } from "./src/cli/text/reportError.ts";
import { reportPretraining } from "./src/cli/text/reportPretraining.ts";
import { watchInterrupts } from "./src/common/interrupt.ts";
import { type PretrainConfig, pretrainSchema } from "./src/training/config/config.ts";
import { pretrainConfig } from "./src/training/config/defaults.ts";
import { pretrain } from "./src/training/tasks/pretrain.ts";

export function makeCommand(): Command {
  const command = styleHelp(new Command("train.ts"))
    .description(
      "Trains a UniFrac encoder on a table and a tree; `aam pretrain` is the same with every option, " +
        "and `aam train` fine-tunes the encoder on metadata.",
    )
    .showHelpAfterError("(--help lists the options)");
  addSchemaOptions(command, pretrainSchema, firstRunOptions, pretrainConfig());
  return guardFiles(addRunFlags(command).action(async () => run(command)));
}

async function run(command: Command): Promise<void> {
  const setup = await setUpTraining<PretrainConfig>(
    command,
    pretrainSchema,
    firstRunOptions,
    () => ({ needsDistances: true }),
    pretrainUse,
  );
  using dataset = setup.dataset;
  if (!setup.resume) {
    // Sequences are read to their ends; of shorter ones the built-in encoder, if it fits, keeps its shape.
    const { model } = setup.config;
    model.maxBp = Math.max(model.maxBp, dataset.manifest.counts.longestAsv - 1);
  }
  const { summary } = await pretrain(setup);
  reportPretraining(summary, setup);
}

if (import.meta.main) {
  watchInterrupts();
  try {
    await makeCommand().parseAsync();
  } catch (error) {
    process.exit(reportError(error));
  }
}
