import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { FolderLock, refuseOtherFiles } from "../../common/files/folderLock.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { readTaxonomyOf } from "../../data/taxonomy/read.ts";
import { readableNumber } from "../../display/numberText.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { gapWarning, toleratedGap } from "../contributions/gapWarning.ts";
import type { Reasons } from "../predictors/reasons.ts";
import { describeFoldEncoder, describeNewEncoders } from "./foldEncoder.ts";
import {
  writeFoldPredictions,
  writeFoldReport,
  writeImportanceArtifact,
  writeReasons,
} from "./foldReport.ts";
import { newEncoder } from "./newEncoder.ts";
import { fineTuneOf, makePlan, type Plan, type PlanConfig } from "./plan.ts";
import { type ReasonRow, reasonTable } from "./reasonTable.ts";
import type { JobResult } from "./runJob.ts";
import { runJobs } from "./runJobs.ts";
import { type FoldSummary, summarize } from "./summarize.ts";

export interface CrossValidateOptions {
  readonly dataset: Dataset;
  readonly config: PlanConfig;
  /**
   * Folder of the results; `report.html`, `summary.json`, `predictions.tsv`, `reasons.tsv`, `importance.qza`,
   * the same by contributions to each predictor's predictions, and a file for each fold.
   */
  readonly output: string;
  /** Folds side by side. */
  readonly workers: number;
  /** The program of each, see `RunJobsOptions`. */
  readonly script?: string;
  readonly resume: boolean;
  readonly taxonomy?: string;
  readonly command?: string;
  readonly display: ProgressDisplay;
}

/**
 * Cross-validates predictors of a metadata column and writes what came of it.
 * @throws UserError for columns and folds that do not do, and for a folder that has other results.
 * @example
 * const config = planSchema.parse({ column: "age", splitBy: "host" });
 * const options = { dataset, config, output: "cv", workers: 2, resume: false, display };
 * const { summary } = await crossValidate(options);
 */
export async function crossValidate(options: CrossValidateOptions): Promise<{
  summary: FoldSummary;
  reasons: ReasonRow[];
  /** By predictor. */
  contributions: Readonly<Record<string, ReasonRow[]>>;
  report: string;
}> {
  const { dataset, config, output, workers, resume, display, command } = options;
  const divided = makePlan(dataset, config);
  const paths = new Set([config.encoder, fineTuneOf(config)?.pretrainedEncoder ?? null]);
  const encoders =
    config.encoder === newEncoder
      ? [describeNewEncoders()]
      : [...paths]
          .filter((path) => path !== null)
          .map((path) => describeFoldEncoder(path, dataset, divided.samples));
  const plan = {
    ...divided,
    warnings: [
      ...divided.warnings,
      ...encoders.flatMap(({ warnings }) => warnings),
      ...promiseWarnings(divided),
    ],
  };
  const taxonomy =
    options.taxonomy === undefined
      ? null
      : readTaxonomyOf(dataset.asvIds(), options.taxonomy, dataset.path, (text) => display.warn(text));
  refuseOtherFiles(output, foldsMarker);
  using _lock = FolderLock.acquire(output);
  claimFolder(output, resume, {
    rules,
    config,
    data: dataset.manifest.files,
    ...(encoders.length > 0 && { encoder: encoders.map(({ sha256 }) => sha256).join(" ") }),
  });
  for (const warning of plan.warnings) display.warn(warning);
  display.begin("Folds", plan.jobs.length, "folds");
  const results = await runJobs(dataset, plan, {
    workers,
    script: options.script,
    folder: join(output, "folds"),
    onDone: (_result, done) => display.update(done),
  });
  display.end();
  const summary = summarize(plan, results);
  // A fold in which no ASV does anything tells nothing of how it does it.
  const tableOf = (pick: (result: JobResult) => Reasons | null | undefined) =>
    reasonTable(
      dataset,
      plan.target,
      results.flatMap((result) => pick(result) ?? []).filter(({ asvs }) => asvs.length > 0),
      taxonomy,
    );
  if (config.reasons) for (const warning of contributionWarnings(summary, dataset)) display.warn(warning);
  const reasons = tableOf((result) => result.reasons);
  const explained = results.flatMap((result) => Object.keys(result.contributions));
  const contributions = Object.fromEntries(
    [...new Set([summary.main, ...explained])]
      .map((name) => [name, tableOf((result) => result.contributions[name])] as const)
      .filter(([, rows]) => rows.length > 0),
  );
  writeFileAtomic(join(output, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  writeFoldPredictions(join(output, "predictions.tsv"), dataset, plan, results);
  const named = Object.entries(contributions).map(([name, rows]) => [`${name}-`, rows] as const);
  for (const [prefix, rows] of [["", reasons] as const, ...named]) {
    if (rows.length === 0) continue;
    writeReasons(join(output, `${prefix}reasons.tsv`), rows);
    writeImportanceArtifact(join(output, `${prefix}importance.qza`), rows);
  }
  const found = { dataset, plan, results, summary, reasons, contributions };
  const report = await writeFoldReport({ ...found, folder: output, command });
  return { summary, reasons, contributions, report };
}

/** Where ASVs' contributions cannot be had, or do not add up as they should. */
function contributionWarnings({ predictors, contributionGaps }: FoldSummary, dataset: Dataset): string[] {
  const reasons = [
    {
      names: ["kernel", "vectors"],
      why: `${dataset.path} holds no tree for unweighted UniFrac; prepare it again with --tree`,
    },
    { names: ["encoder"], why: "its encoder does not pool ASVs as a set, or reads only some of a sample's" },
  ];
  const missing = reasons.flatMap(({ names, why }) => {
    const own = predictors.filter(({ name }) => names.includes(name) && contributionGaps[name] === undefined);
    if (own.length === 0) return [];
    return [`No contributions of ASVs to ${own.map(({ name }) => name).join(" and ")}: ${why}.`];
  });
  const rough = Object.entries(contributionGaps).filter(([, gap]) => gap > toleratedGap);
  return [...missing, ...rough.map(([name, gap]) => gapWarning(name, gap))];
}

/**
 * A warning where groups are too few for the intervals' promise: of K groups and a new one each is as likely
 * to have the largest errors, so finite intervals can be promised to hold K / (K + 1) at most (Dunn,
 * Wasserman and Ramdas 2023).
 */
function promiseWarnings({ jobs, groupOf, groupColumn, config }: Plan): string[] {
  const fewest = Math.min(
    ...jobs.map(({ train }) => new Set(groupOf ? train.map((sample) => groupOf[sample]) : train).size),
  );
  const most = fewest / (fewest + 1);
  if (config.coverage <= most) return [];
  const noun = groupColumn === null ? "sample" : "value";
  const units = `${fewest} ${noun}${fewest === 1 ? "" : "s"}${groupColumn === null ? "" : ` of ${quote(groupColumn)}`}`;
  return [
    `Intervals cannot be promised to hold ${config.coverage} of the true values: with ${units} to learn from, ${readableNumber(most, 2)} is the most for a new one. They are as wide as the worst prediction in training asks for; the column coverage shows what they did hold here.`,
  ];
}

/** Raised where the same data and settings give other numbers than before: folds of both are not mixed. */
const rules = 10;

/** The file by which a folder of folds is known. */
export const foldsMarker = "cross-validation.json";

/** What must be the same for folds to be of one piece. */
function claimFolder(output: string, resume: boolean, made: Readonly<Record<string, unknown>>): void {
  const path = join(output, foldsMarker);
  const content = `${JSON.stringify(made, null, 2)}\n`;
  if (existsSync(path)) {
    if (!resume)
      throw new UserError(
        `${output} has results of a cross-validation already; give --resume to go on with it, or another --output.`,
      );
    if (readFileSync(path, "utf8") !== content)
      throw new UserError(
        `${output} has folds of other data or settings (see ${path}), or of an earlier version; give the same ones, or another --output.`,
      );
    return;
  }
  writeFileAtomic(path, content);
}
