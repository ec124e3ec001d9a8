import "../../reference/predictor.ts"; // the form of converted models
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { removeOnInterrupt } from "../../common/interrupt.ts";
import type { ReportProgress } from "../../common/progress.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { cacheBeside } from "../../data/prepare/cached.ts";
import { readIdFile } from "../../data/split/files.ts";
import { readTaxonomyOf } from "../../data/taxonomy/read.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import * as torch from "../../torch/index.ts";
import { builtinNotes, type OpenedRun, openRun } from "../../training/run/open.ts";
import { openSamples } from "../../training/run/openSamples.ts";
import { formatOfPath, type ResultFormat, resultFormats } from "../../training/targets/resultFile.ts";
import { chooseDevice } from "./chooseDevice.ts";
import { deviceOfRank, displayOfRank, firstOnRankZero, joinRanks } from "./joinRanks.ts";
import { wholeNumber } from "./optionValues.ts";
import { addDeviceOptions, addPrintOptions } from "./runningOptions.ts";

/** Options of every command that uses a trained model. */
export interface ModelFlags {
  readonly model: string;
  readonly table?: string;
  readonly dataset?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly tree?: string;
  readonly samples?: string;
  readonly rarefyDepth?: number | "auto" | "none";
  readonly device: "auto" | "cpu" | "cuda";
  readonly threads?: number;
  /** Of commands that several ranks can run. */
  readonly ranks?: number;
  readonly rankTimeout?: number;
  readonly format?: ResultFormat;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** Headings of the help. */
const samples = "Model and samples:";
const running = "Running:";

/**
 * What to use, and on which samples. The command's own options come next, and last
 * those of `addRunningOptions`.
 */
export function addModelOptions(command: Command): Command {
  return command
    .optionsGroup(samples)
    .requiredOption(
      "--model <run>",
      "folder of a run (its best weights), a checkpoint file, or `builtin`: the encoder that comes with the program",
    )
    .option("--table <file>", "BIOM, TSV or QIIME 2 table")
    .option("--dataset <folder>", "a data set that `prep` wrote, instead of a table")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .option("--samples <file>", "only these samples: one id on each line")
    .option(
      "--rarefy-depth <n>",
      "counts to draw from each sample: a number, auto or none; by default as in training",
      depth,
    );
}

/** `quiet`: what is still printed with --quiet. */
export function addRunningOptions(command: Command, quiet?: string): Command {
  return addPrintOptions(addDeviceOptions(command.optionsGroup(running)), quiet);
}

export function addTaxonomyOption(command: Command): Command {
  return command.option(
    "--taxonomy <file>",
    "name the ASVs in these tables: QIIME 2 taxonomy, or ids and lineages as in SILVA and Greengenes",
  );
}

export function addFormatOption(command: Command): Command {
  return command.addOption(
    new Option("--format <name>", "format of the files; by default, by the ending of each name").choices([
      ...resultFormats,
    ]),
  );
}

function depth(text: string): number | "auto" | "none" {
  return text === "auto" || text === "none" ? text : wholeNumber(text);
}

/** A model and the samples to use it on; disposing of it closes the data. */
export interface ModelAndSamples extends Disposable {
  readonly run: OpenedRun;
  readonly dataset: Dataset;
  readonly samples: Int32Array;
  readonly device: torch.Device;
  readonly display: ProgressDisplay;
  /** Shows how far the model has come. */
  readonly onProgress: ReportProgress;
}

/**
 * Opens model and samples. `beside`: the output, where prepared data are kept for the next time; without one
 * they are in a temporary folder that is removed in the end.
 */
export async function openModelAndSamples(
  flags: ModelFlags,
  beside: string | undefined,
): Promise<ModelAndSamples> {
  const { ranks, rankTimeout, threads } = flags;
  const rank = rankTimeout === undefined ? null : await joinRanks({ ranks, rankTimeout, threads });
  const display = displayOfRank(flags);
  if (threads) torch.setNumThreads(threads);
  const device = deviceOfRank(await chooseDevice(flags.device), rank);
  const run = openRun(flags.model, device);
  for (const note of builtinNotes(flags.model)) display.warn(note);
  using disposables = new DisposableStack();
  const cache = cacheFolder(beside, disposables);
  const dataset = disposables.use(
    await firstOnRankZero(() => openSamples(run.facts, { ...flags, cache }, display)),
  );
  const samples = chosenSamples(dataset, flags.samples, display);
  const open = disposables.move();
  const onProgress = stageReporter(display);
  return { run, dataset, samples, device, display, onProgress, [Symbol.dispose]: () => open.dispose() };
}

function cacheFolder(beside: string | undefined, disposables: DisposableStack): string {
  if (beside !== undefined) return cacheBeside(beside);
  const folder = mkdtempSync(join(tmpdir(), "aam-cache-"));
  const release = removeOnInterrupt(folder);
  disposables.defer(() => {
    rmSync(folder, { recursive: true, force: true });
    release();
  });
  return folder;
}

function chosenSamples(dataset: Dataset, file: string | undefined, display: ProgressDisplay): Int32Array {
  if (file === undefined) return Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  const ids = readIdFile(file);
  const known = ids.map((id) => dataset.sampleIndex(id));
  const lacking = ids.filter((_, i) => known[i] < 0);
  if (lacking.length === ids.length)
    throw new UserError(
      `${file} names no sample of the data: its first id is "${ids[0]}", the data's "${dataset.sampleIds[0]}".`,
    );
  if (lacking.length > 0)
    display.warn(
      `${lacking.length} ids of ${file} are not among the samples (the first is "${lacking[0]}").`,
    );
  return Int32Array.from(known.filter((index) => index >= 0));
}

/** The taxonomy of the samples' ASVs, if a file of it is given. @throws UserError as `readTaxonomyOf` does */
export function taxonomyOf({ dataset, display }: ModelAndSamples, path: string | undefined) {
  if (path === undefined) return undefined;
  return readTaxonomyOf(dataset.asvIds(), path, "the samples", (text) => display.warn(text));
}

/** `withoutArtifact`: what is written, if QIIME 2 has no type for it. */
export function formatFor(
  path: string,
  format: ResultFormat | undefined,
  withoutArtifact?: string,
): ResultFormat {
  if (format !== undefined && /\.qza$/i.test(path))
    throw new UserError(
      `--format ${format} and the name ${path} contradict each other; give another name, or leave --format out.`,
    );
  return format ?? formatOfPath(path, withoutArtifact);
}
