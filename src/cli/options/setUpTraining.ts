import { existsSync } from "node:fs";
import "../../reference/predictor.ts"; // the form of converted models
import type { Command } from "commander";
import type { z } from "zod";
import { refuseOtherFiles } from "../../common/files/folderLock.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { openDataset } from "../../data/dataset/dataset.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import * as torch from "../../torch/index.ts";
import { checkModel } from "../../training/config/checkModel.ts";
import type { DataConfig, ModelConfig, SplitConfig, TrainingConfig } from "../../training/config/config.ts";
import { startingSettings } from "../../training/config/defaults.ts";
import { foldsMarker } from "../../training/folds/crossValidate.ts";
import { isMainRank } from "../../training/ranks/share.ts";
import { RunFolder } from "../../training/run/folder.ts";
import { checkMetadataColumns, openConfiguredData } from "../../training/tasks/openData.ts";
import { checkTraining } from "../../training/tasks/runTraining.ts";
import { chooseDevice } from "./chooseDevice.ts";
import { deviceOfRank, displayOfRank, firstOnRankZero, joinRanks } from "./joinRanks.ts";
import { type EncoderUse, refuseIdleOptions } from "./refuseIdleOptions.ts";
import { configOf, givenPaths, givenSettings, type SchemaOption, valueAt } from "./schemaOptions.ts";
import type { RunFlags } from "./trainingOptions.ts";

/** What may differ when a run is continued. */
const changeable = [
  "training.epochs",
  "training.maxSteps",
  "training.maxMinutes",
  "training.patience",
  "training.saveMinutes",
  "training.shardOptimizer",
  "training.loaderWorker",
];

interface Trainable {
  readonly unifracMetric: string;
  readonly furtherMetrics: readonly string[];
  readonly data: DataConfig;
  split: SplitConfig;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
}

/** Everything that a training needs, from the options of its command. */
export interface TrainingSetup<Config> {
  readonly config: Config;
  readonly dataset: Dataset;
  readonly output: string;
  readonly device: torch.Device;
  readonly display: ProgressDisplay;
  readonly resume: boolean;
  readonly debugNan: boolean;
  readonly plots: boolean;
  readonly command: string;
}

/**
 * Resolves options, configuration file and, for a run that goes on, the run's own configuration, and
 * opens the data. `check` tells with `needsDistances` whether the configuration uses any, with `columns`
 * what metadata it needs besides those of the split; `useOf` which encoder is trained, where the
 * configuration alone does not tell.
 * @throws UserError for contradictions, before any work is done.
 */
export async function setUpTraining<Config extends Trainable>(
  command: Command,
  schema: z.ZodType<Config> & { readonly shape: object },
  options: readonly SchemaOption[],
  check: (config: Config) => { needsDistances: boolean; columns?: readonly string[] },
  useOf: (config: Config) => EncoderUse = ({ model }) => ({ model }),
): Promise<TrainingSetup<Config>> {
  const flags = command.opts<RunFlags>();
  if (flags.output !== undefined && flags.outputDir !== undefined)
    throw new UserError("--output and --output-dir are the same; give one of them.");
  const output = flags.output ?? flags.outputDir;
  if (output === undefined) throw new UserError("Where to write the run is missing; give --output.");
  const rank = await joinRanks(flags);
  // What torchrun has started anew goes on from the last checkpoint, if there was one.
  if (rank && rank.restarts > 0 && existsSync(new RunFolder(output).lastCheckpoint)) flags.resume = true;
  const { folds } = flags;
  // Folds that are done are found by their own files.
  const resumes = flags.resume && folds === undefined;
  const { config, folder, notes } = resumes
    ? resumedConfig(command, schema, options, output)
    : { config: newConfig(command, schema, options, useOf), folder: null, notes: [] };
  const isAlone = rank === null || rank.worldSize === 1;
  // A run of several ranks may go on with one.
  if (config.training.shardOptimizer && isAlone && !resumes)
    throw new UserError(
      "--shard-optimizer divides the optimizer's state among ranks; add --ranks, or leave it out.",
    );
  if (folds !== undefined && !isAlone)
    throw new UserError(
      `--folds starts processes of its own, one for each core; start it once, not on ${rank.worldSize} ranks.`,
    );
  const { needsDistances, columns = [] } = check(config);
  const display = displayOfRank(flags);
  for (const note of notes) display.message(note);
  if (flags.deterministic) torch.useDeterministicAlgorithms(true);
  if (flags.threads || flags.deterministic) torch.setNumThreads(flags.threads ?? 1);
  const device = deviceOfRank(await chooseDevice(folds === undefined ? flags.device : "cpu"), rank);
  // A run that goes on has its shape already, even if what it started from is gone.
  checkModel((resumes ? config : useOf(config)).model, config.training);
  checkTraining(config.training, device);
  if (!resumes) {
    if (folds !== undefined) refuseOtherFiles(output, foldsMarker);
    else if (isMainRank()) new RunFolder(output).refuseOther();
    const { by, stratify } = config.split;
    checkMetadataColumns(config.data, [...columns, ...[by, stratify].filter((name) => name !== null)]);
  }
  const open = () =>
    openConfiguredData({
      data: config.data,
      metric: needsDistances ? config.unifracMetric : null,
      furtherMetrics: config.furtherMetrics,
      seed: config.training.seed,
      output,
      display,
    });
  const dataset = folder !== null ? openDataset(folder) : await firstOnRankZero(open);
  const { samples, asvs } = dataset.manifest.counts;
  const threads = torch.getNumThreads();
  const each = `${threads} thread${threads === 1 ? "" : "s"}`;
  const who = rank && rank.worldSize > 1 ? `${rank.worldSize} ranks of ${each}` : each;
  const where = folds === undefined ? `training on ${device} with ${who}` : `${folds} folds`;
  display.message(`${samples} samples, ${asvs} ASVs; ${where}`);
  const line = process.argv.slice(2).map((word) => (/[\s"'$]/.test(word) ? JSON.stringify(word) : word));
  return {
    config,
    dataset,
    output,
    device,
    display,
    resume: flags.resume,
    debugNan: flags.debugNan,
    plots: flags.plots,
    command: `aam ${line.join(" ")}`,
  };
}

function newConfig<Config extends Trainable>(
  command: Command,
  schema: z.ZodType<Config> & { readonly shape: object },
  options: readonly SchemaOption[],
  useOf: (config: Config) => EncoderUse,
): Config {
  const { config, preset } = command.opts<RunFlags>();
  const sections = Object.keys(schema.shape);
  const settings = givenSettings(command, options, config);
  const read = (encoder?: ModelConfig) =>
    configOf(
      command,
      schema,
      options,
      config,
      startingSettings(sections, encoder, { preset, given: settings }),
    );
  // What is best depends on the encoder that is asked for.
  const result = read(useOf(read()).model);
  const given = givenPaths(command, options);
  refuseIdleOptions(given, useOf(result));
  const chosen = ["training.batchSize", "training.gradientAccumulationSteps"].find((path) => given.has(path));
  if (result.training.autoBatchSize && chosen !== undefined)
    throw new UserError(`--auto-batch-size chooses what ${given.get(chosen)} sets; leave one of them out.`);
  return result;
}

/**
 * The configuration of the run in `output`, with the limits given now, and the split
 * and data it was begun with. `auto` is what was decided when it began; `notes` say what that is.
 */
function resumedConfig<Config extends Trainable>(
  command: Command,
  schema: z.ZodType<Config>,
  options: readonly SchemaOption[],
  output: string,
): { config: Config; folder: string; notes: string[] } {
  const flags = command.opts<RunFlags>();
  const folder = new RunFolder(output);
  const parsed = schema.safeParse(folder.readConfig());
  if (!parsed.success)
    throw new UserError(
      `${folder.config} is not a configuration of this command; use the command that began the run.`,
    );
  const saved = parsed.data;
  if (flags.preset !== undefined)
    throw new UserError("--resume goes on with the run's own configuration; leave --preset out.");
  if (flags.config !== undefined)
    throw new UserError("--resume goes on with the run's own configuration; leave --config out.");
  const given = givenPaths(command, options);
  const now = configOf(
    command,
    schema,
    options.filter(({ path }) => given.has(path)),
  );
  const notes: string[] = [];
  for (const [path, name] of given) {
    const [wanted, begun] = [valueAt(now, path), valueAt(saved, path)];
    if (changeable.includes(path)) {
      const [section, key] = path.split(".");
      const part = valueAt(saved, section) as Record<string, unknown>;
      part[key] = wanted;
      continue;
    }
    if (JSON.stringify(wanted) === JSON.stringify(begun)) continue;
    if (wanted === "auto" || (wanted === "none" && begun === null))
      notes.push(`${name} ${wanted}: the run goes on with ${begun ?? "none"}, as it was begun.`);
    else
      throw new UserError(
        `${name} is ${JSON.stringify(wanted)}, but the run in ${output} was begun with ${JSON.stringify(begun)}; ` +
          "leave it out to go on, or start a new run.",
      );
  }
  // The parts as they were written down: a split is never drawn anew.
  saved.split = {
    ...saved.split,
    stratify: null,
    trainSamples: folder.trainIds,
    valSamples: folder.validationIds,
  };
  const run = folder.readJson(folder.run) as { dataset?: { path?: string } };
  const path = run.dataset?.path;
  if (typeof path !== "string")
    throw new UserError(`${folder.run} does not name the run's data; start a new run.`);
  return { config: saved, folder: path, notes };
}
