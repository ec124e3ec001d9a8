import { UserError } from "../../common/userError.ts";
import { type Dataset, openDataset } from "../../data/dataset/dataset.ts";
import type { Metric } from "../../data/prepare/options.ts";
import { WordSketch, wordLength } from "../../data/sequences/wordSketch.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { metricsOf } from "../config/buildModel.ts";
import { SampleCategories } from "../targets/sampleCategories.ts";
import { asvBases, type RunFacts } from "./facts.ts";
import { prepareShown } from "./prepareShown.ts";
import { richWarning } from "./richSamples.ts";

/** The share of ASVs of another kind than those of the training that is worth a warning. */
const foreignShare = 0.1;

/** Samples for a trained model: a data set, or the files of one. */
export interface SamplesToUse {
  readonly dataset?: string;
  readonly table?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  /** Only to compare with true distances. */
  readonly tree?: string;
  /** Default: as in training. */
  readonly rarefyDepth?: number | "auto" | "none";
  /** Where prepared data are kept. */
  readonly cache: string;
}

/**
 * Opens samples for a model, rarefied as in its training unless told otherwise, and checks that
 * the model can read them.
 * @throws UserError for missing or contradicting sources, and for samples that the model cannot read.
 */
export async function openSamples(
  facts: RunFacts,
  samples: SamplesToUse,
  display: ProgressDisplay,
): Promise<Dataset> {
  const { table, tree, repSeqs, metadata, cache } = samples;
  if ((samples.dataset === undefined) === (table === undefined)) {
    throw new UserError("Give the samples with --table, or with --dataset (one of the two).");
  }
  let dataset: Dataset;
  if (table !== undefined) {
    dataset = await prepareShown(
      {
        table,
        tree,
        repSeqs,
        metadata,
        metrics: tree === undefined ? undefined : (metricsOf(facts.config) as Metric[]),
        rarefyDepth: samples.rarefyDepth ?? facts.data.rarefyDepth,
        seed: facts.data.rarefySeed,
      },
      cache,
      display,
    );
  } else {
    if ([repSeqs, metadata, tree, samples.rarefyDepth].some((given) => given !== undefined))
      throw new UserError(
        "--dataset holds all data; leave --rep-seqs, --metadata, --tree and --rarefy-depth out.",
      );
    dataset = openDataset(samples.dataset!);
    for (const warning of dataset.manifest.warnings) display.warn(warning);
  }
  for (const warning of fitWarnings(facts, dataset, table !== undefined)) display.warn(warning);
  return dataset;
}

/**
 * What is odd about a data set for a model, each a sentence.
 * @param canRarefy whether the command has made it from a table, and has --rarefy-depth.
 */
export function fitWarnings(facts: RunFacts, dataset: Dataset, canRarefy = false): string[] {
  const { data, config } = facts;
  const all = Int32Array.from({ length: dataset.sampleCount }, (_, sample) => sample);
  const cure = () => "rarefy them to fewer counts, or take a model with a higher --token-limit";
  const warnings = [...sequenceWarnings(facts, dataset), ...richWarning(config.model, dataset, all, cure)];
  const lost = dataset.manifest.dropped.filter(
    ({ what, reason }) => what === "samples" && reason.startsWith("fewer than"),
  );
  for (const { count, reason, examples } of lost) {
    warnings.push(
      `${count} samples with ${reason} are left out (${examples.slice(0, 3).join(", ")}${count > 3 ? " ..." : ""}); ` +
        `${canRarefy ? "--rarefy-depth none" : "`prep --rarefy-depth none`"} keeps them, with all their counts.`,
    );
  }
  const empty = dataset.manifest.dropped.find(({ what, reason }) => what === "samples" && reason === "empty");
  if (empty !== undefined)
    warnings.push(
      `${empty.count} samples have no counts and are left out (${empty.examples.slice(0, 3).join(", ")}${empty.count > 3 ? " ..." : ""}).`,
    );
  const depth = dataset.manifest.parameters["rarefyDepth"];
  if (typeof depth === "number" ? depth !== data.rarefyDepth : data.rarefyDepth !== "none") {
    warnings.push(
      `The samples ${countsText(typeof depth === "number" ? depth : "none", "have", "are")}, those of the training ${countsText(data.rarefyDepth, "had", "were")}: the number of ASVs that are seen differs.`,
    );
  }
  return warnings;
}

function countsText(depth: number | "none", have: string, are: string): string {
  return depth === "none" ? `${have} all their counts` : `${are} rarefied to ${depth} counts`;
}

/** How many ASVs a model cannot read as those of its training. */
function oddAsvs({ config, data }: RunFacts, asvs: Iterable<Uint8Array>) {
  const { maxBp } = config.model;
  const { shortestAsv, longestAsv, words } = data;
  const sketch = words === undefined ? null : new WordSketch(words, maxBp);
  const counts = { tooLong: 0, longer: 0, tooShort: 0, reversed: 0, foreign: 0 };
  for (const bases of asvs) {
    if (bases.length > maxBp) counts.tooLong++;
    else if (bases.length > longestAsv) counts.longer++;
    if (bases.length < shortestAsv) counts.tooShort++;
    const kinship = sketch?.judge(bases);
    if (kinship === "reversed" || kinship === "foreign") counts[kinship]++;
  }
  return counts;
}

/** Whether the ASVs of some samples are of the kind that a model was trained on. */
export function knowsSequences(facts: RunFacts, dataset: Dataset, samples: Int32Array): boolean {
  const rows = new Set(Array.from(samples, (sample) => [...dataset.sample(sample).asvs]).flat());
  const { reversed, foreign } = oddAsvs(facts, asvBases(dataset, undefined, rows));
  return facts.data.words !== undefined && reversed === 0 && foreign <= foreignShare * rows.size;
}

/** What is odd about the ASVs of a data set for a model, each a sentence. */
export function sequenceWarnings(facts: RunFacts, dataset: Dataset): string[] {
  const { maxBp } = facts.config.model;
  const { shortestAsv, longestAsv } = facts.data;
  const counts = oddAsvs(facts, asvBases(dataset));
  const all = dataset.asvCount;
  const warnings: string[] = [];
  if (counts.tooLong > 0)
    warnings.push(
      `${counts.tooLong} of ${all} ASVs are longer than the ${maxBp} bases that the model reads; only their first ${maxBp} count. ` +
        "That is right only if they begin at the same primer as those of the training.",
    );
  if (counts.longer > foreignShare * all)
    warnings.push(
      `${counts.longer} of ${all} ASVs are longer than any of the training (${longestAsv} bases), and the model knows nothing of what lies behind; cut them there.`,
    );
  if (counts.tooShort > 0)
    warnings.push(
      `${counts.tooShort} of ${all} ASVs are shorter than any of the training (${shortestAsv} bases); predictions may be poor.`,
    );
  if (counts.reversed > 0)
    warnings.push(
      `${counts.reversed} of ${all} ASVs are reverse complements of what the model was trained on, which it cannot read; turn them round first.`,
    );
  if (counts.foreign > foreignShare * all)
    warnings.push(
      `${counts.foreign} of ${all} ASVs have hardly a word of ${wordLength} bases in common with those of the training: ` +
        "they are of another region or gene, and what the model says of them means little.",
    );
  return warnings;
}

/**
 * The categories of samples that a model needs; null if it needs none.
 * @throws UserError where columns are missing.
 */
export function runCategories(
  facts: RunFacts,
  dataset: Dataset,
  display: ProgressDisplay,
): SampleCategories | null {
  if (facts.kind !== "fine-tune" || facts.categories === null) return null;
  const names = facts.categories.map(({ name }) => name);
  const known = new Set(dataset.manifest.metadata.map(({ name }) => name));
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) {
    throw new UserError(
      `The model needs the metadata column ${missing.map((name) => `"${name}"`).join(", ")} of every sample, which ${dataset.path} lacks; give --metadata with it.`,
    );
  }
  const categories = SampleCategories.restore(facts.categories, dataset);
  const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  for (const [name, count] of Object.entries(categories.unknown(all))) {
    if (count > 0)
      display.warn(`${count} of ${all.length} samples have no value of "${name}" that the training knew.`);
  }
  return categories;
}
