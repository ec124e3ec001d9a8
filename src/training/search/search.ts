import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { FolderLock, refuseOtherFiles } from "../../common/files/folderLock.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { yamlText } from "../../formats/yaml.ts";
import { groupBootstrap } from "../../metrics/intervals.ts";
import { fineTuneSchema } from "../config/config.ts";
import { describeFoldEncoder } from "../folds/foldEncoder.ts";
import { sideBySide } from "../folds/sideBySide.ts";
import { importanceOf } from "./importance.ts";
import type { SearchSummary, Trial } from "./outcome.ts";
import { writeSearchReport, writeTrials } from "./searchReport.ts";
import { type SimpleLosses, simplePredictors } from "./simplePredictors.ts";
import { type SearchConfig, SearchRunner, type TrialResult } from "./trial.ts";
import type { SearchBegin } from "./worker.ts";

export interface SearchOptions {
  readonly dataset: Dataset;
  readonly config: SearchConfig;
  /** Has `trials.tsv`, `best.yaml`, `report.html`, `summary.json` and a file for each fold in the end. */
  readonly output: string;
  /** Trainings side by side, each with one thread. */
  readonly workers: number;
  /** The program of each, which calls `serveTrials` and knows all forms of models. */
  readonly script: string;
  /** No trial is begun after so many minutes; those of earlier calls on the same folder count. */
  readonly maxMinutes: number | null;
  readonly command?: string;
  readonly display: ProgressDisplay;
}

/** Successive halving takes so many trials at a time, and lets one in three go on. */
const bracket = 9;
const factor = 3;

/**
 * Searches settings of a fine-tuning: each trial draws some, which are judged on inner folds. `random`
 * judges every trial on all folds (Bergstra and Bengio 2012); `halving` takes nine, judges them on one fold,
 * the best three on three, the best one on all (successive halving, Jamieson and Talwalkar 2016, with folds
 * as the resource). In the end the best settings and those that the search started from are judged on
 * samples that no trial has seen. What a trial comes to depends on data, settings and its number alone.
 * @throws UserError for data and settings that do not do, and for a folder that has other results.
 */
export async function search(options: SearchOptions): Promise<{ summary: SearchSummary; report: string }> {
  const { dataset, config, output, display } = options;
  const runner = new SearchRunner(dataset, config);
  refuseOtherFiles(output, searchMarker);
  using _lock = FolderLock.acquire(output);
  claimFolder(output, { ...config, data: dataset.manifest.files });
  const { pretrainedEncoder: encoder } = fineTuneSchema.parse(config.base);
  const known = encoder === null ? [] : describeFoldEncoder(encoder, dataset, runner.plan.samples).warnings;
  for (const warning of [...runner.plan.warnings, ...known]) display.warn(warning);
  const jobs = new Jobs(options);
  const wanted = 1 + config.trials;
  const lossOf = (trial: number, folds: number) =>
    jobs.lossOf(foldNames(trial, folds)) ?? Number.POSITIVE_INFINITY;
  display.begin("Trials", wanted, "trials");
  const all = config.folds;
  const rungs = config.method === "random" ? [all] : [...[1, factor].filter((n) => n < all), all];
  const size = config.method === "random" ? 1 : bracket;
  await jobs.run(foldNames(0, all));
  let shown = 1;
  // Where the held-out samples were looked at already, the search is over.
  for (let from = 1; from < wanted && !jobs.isTested; ) {
    // Random trials do not wait for each other.
    const count = config.method === "random" ? config.trials : Math.min(size, wanted - from);
    let members = Array.from({ length: count }, (_, i) => from + i);
    for (const folds of rungs) {
      await jobs.run(
        members.flatMap((trial) => foldNames(trial, folds)),
        (done) => {
          // The next rung has fewer trials; the bar does not go back.
          shown = Math.max(shown, from + Math.floor(done / folds));
          display.update(Math.min(shown, from + count));
        },
      );
      if (jobs.isOver) break;
      const rank = new Map(members.map((trial) => [trial, lossOf(trial, folds)]));
      members = members
        .filter((trial) => Number.isFinite(rank.get(trial)))
        .sort((a, b) => rank.get(a)! - rank.get(b)! || a - b)
        .slice(0, Math.ceil(members.length / factor));
    }
    if (jobs.isOver) break;
    from += count;
  }
  display.end();
  const trials = Array.from({ length: wanted }, (_, trial) => trialOf(runner, jobs, trial)).filter(
    (one) => one !== null,
  );
  const best = trials
    .filter(({ folds, loss }) => folds === all && loss !== null)
    .reduce((a, b) => (b.loss! < a.loss! ? b : a));
  display.message("Judging the best settings on samples that no trial has seen");
  await jobs.run(
    [0, best.trial].map((trial) => `trial-${trial}-test`),
    undefined,
    true,
  );
  const simple = await simplePredictors(dataset, runner);
  const summary: SearchSummary = {
    column: runner.plan.target.column,
    figure: runner.plan.target.kind === "numbers" ? "mae" : "log_loss",
    split: runner.plan.groupColumn === null ? "random" : `whole ${runner.plan.groupColumn} held out`,
    samples: { searched: runner.outer.train.length, held_out: runner.outer.test.length },
    trials,
    ended_by: trials.length < wanted ? "time" : "trials",
    best,
    test: judge(runner, jobs, best.trial, simple),
    importance: importanceOf(
      config.space,
      trials,
      (trial) => runner.placesOf(trial),
      (trial) => lossOf(trial, 1),
    ),
  };
  writeFileAtomic(join(output, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  writeTrials(join(output, "trials.tsv"), config.space, trials);
  const head = `# Trial ${best.trial} of a search for ${summary.column}; for \`train --config\`.\n`;
  writeFileAtomic(join(output, "best.yaml"), head + yamlText(runner.settingsOf(best.trial)));
  const report = await writeSearchReport({
    folder: output,
    config,
    summary,
    command: options.command,
    dataset,
  });
  return { summary, report };
}

const foldNames = (trial: number, folds: number) =>
  Array.from({ length: folds }, (_, fold) => `trial-${trial}-fold-${fold + 1}`);

/** The files of jobs, and the time that they took. */
class Jobs {
  readonly #options: SearchOptions;
  readonly #folder: string;
  readonly #results = new Map<string, TrialResult>();
  readonly #started = performance.now();
  readonly #spentBefore: number;
  #ranOut = false;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#folder = join(options.output, "trials");
    makeFolder(this.#folder);
    for (const file of readdirSync(this.#folder).filter((name) => name.endsWith(".json"))) {
      const result = JSON.parse(readFileSync(join(this.#folder, file), "utf8")) as TrialResult;
      this.#results.set(result.name, result);
    }
    const seconds = [...this.#results.values()].reduce((sum, one) => sum + one.seconds, 0);
    this.#spentBefore = seconds / options.workers;
  }

  /** Whether the time was over before the work was. */
  get isOver(): boolean {
    return this.#ranOut;
  }

  /** Whether samples that were held out from the search were looked at. */
  get isTested(): boolean {
    return [...this.#results.keys()].some((name) => name.endsWith("-test"));
  }

  resultOf(name: string): TrialResult | undefined {
    return this.#results.get(name);
  }

  /** Mean loss over the samples of some jobs; undefined where one is missing or failed. */
  lossOf(names: readonly string[]): number | undefined {
    const results = names.map((name) => this.#results.get(name));
    if (results.some((one) => one === undefined || one.error !== null)) return undefined;
    const losses = results.flatMap((one) => one!.losses);
    return losses.reduce((sum, value) => sum + value, 0) / losses.length;
  }

  /** Does those jobs that have no file yet; none is begun after the time is over, unless it must be. */
  async run(names: readonly string[], onDone?: (done: number) => void, isNeeded = false): Promise<void> {
    const { dataset, config, workers, script, maxMinutes } = this.#options;
    const waiting = [...new Set(names)].filter((name) => !this.#results.has(name));
    const isLate = () => {
      const seconds = this.#spentBefore + (performance.now() - this.#started) / 1000;
      return !isNeeded && maxMinutes !== null && seconds >= maxMinutes * 60;
    };
    const next = () => {
      if (waiting.length === 0) return undefined;
      // Without the base there is nothing to compare with.
      if (isLate() && !waiting[0].startsWith("trial-0-")) {
        this.#ranOut = true;
        return undefined;
      }
      return waiting.shift();
    };
    if (waiting.length === 0) return;
    await sideBySide({
      script,
      begin: { dataset: { path: dataset.path, manifest: dataset.manifest }, config } satisfies SearchBegin,
      workers: Math.min(workers, waiting.length),
      next,
      keep: (text) => {
        const result = JSON.parse(text) as TrialResult;
        writeFileAtomic(join(this.#folder, `${result.name}.json`), text);
        this.#results.set(result.name, result);
        onDone?.(names.length - waiting.length);
      },
      cure: "trials that are done are kept: give the same command again, with fewer --workers if memory was short",
    });
  }
}

function trialOf(runner: SearchRunner, jobs: Jobs, trial: number): Trial | null {
  const { folds: all, space } = runner.config;
  const names = foldNames(trial, all).filter((name) => jobs.resultOf(name) !== undefined);
  if (names.length === 0) return null;
  const results = names.map((name) => jobs.resultOf(name)!);
  const values = runner.valuesOf(trial);
  return {
    trial,
    settings: values && Object.fromEntries(space.map(({ name }, d) => [name, values[d]])),
    folds: names.length,
    loss: jobs.lossOf(names) ?? null,
    error: results.find(({ error }) => error !== null)?.error ?? null,
    seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** Losses on the held-out samples with 95 % intervals over groups, and their paired differences. */
function judge(
  { outer, plan, config }: SearchRunner,
  jobs: Jobs,
  best: number,
  simple: readonly SimpleLosses[],
): SearchSummary["test"] {
  const groups = outer.test.map((sample) => (plan.groupOf ? plan.groupOf[sample] : sample));
  const losses = [best, 0].map((trial) => {
    const { error, losses: own } = jobs.resultOf(`trial-${trial}-test`)!;
    if (error !== null)
      throw new UserError(`The training with the settings of trial ${trial} failed: ${error}`);
    return own;
  });
  const interval = (of: (row: number) => number) =>
    groupBootstrap(groups, (rows) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length, {
      seed: config.seed,
    });
  return {
    best: interval((row) => losses[0][row]),
    base: interval((row) => losses[1][row]),
    difference: interval((row) => losses[0][row] - losses[1][row]),
    simple: simple.map(({ name, losses: own }) => ({
      name,
      loss: interval((row) => own[row]),
      difference: interval((row) => losses[0][row] - own[row]),
    })),
  };
}

/** The file by which a folder of a search is known. */
export const searchMarker = "search.json";

/** The same command goes on with a search; another one needs another folder. */
function claimFolder(output: string, made: Readonly<Record<string, unknown>>): void {
  const path = join(output, searchMarker);
  const content = `${JSON.stringify(made, null, 2)}\n`;
  if (!existsSync(path)) writeFileAtomic(path, content);
  else if (readFileSync(path, "utf8") !== content)
    throw new UserError(
      `${output} has a search of other data or settings (see ${path}); give the same ones, or another --output.`,
    );
}
