import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { openDataset } from "../../data/dataset/dataset.ts";
import { summarizeDataset } from "../../data/describe/datasetSummary.ts";
import { type DistanceStorage, distanceStorages } from "../../data/prepare/distanceStorage.ts";
import type { ImportedDistances } from "../../data/prepare/importDistances.ts";
import type { Metric } from "../../data/prepare/options.ts";
import { metrics } from "../../data/prepare/options.ts";
import { prepareDataset } from "../../data/prepare/prepare.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { chooseDevice } from "../options/chooseDevice.ts";
import { share, wholeNumber } from "../options/optionValues.ts";
import { describeText } from "../text/describeText.ts";

interface PrepOptions {
  readonly table: string[];
  readonly tree?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly distances?: string;
  readonly distanceIds?: string;
  readonly metric?: Metric[];
  readonly distanceStorage: DistanceStorage;
  readonly alpha?: number;
  readonly varianceAdjusted: boolean;
  readonly rarefyDepth: number | "auto" | "none";
  readonly withReplacement: boolean;
  readonly seed: number;
  readonly precision: "float32" | "float64";
  readonly device: "auto" | "cpu" | "cuda";
  readonly output: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

export function makeCommand(): Command {
  return new Command("prep")
    .description("Make a data set from a table and, if given, a tree, distances and metadata")
    .optionsGroup("Input:")
    .requiredOption(
      "--table <file>",
      "BIOM, classic TSV or QIIME 2 table, gzipped or not; if given several times, the tables are merged: same sequence, same ASV",
      (path: string, earlier: string[] = []) => [...earlier, path],
    )
    .option("--tree <file>", "Newick or QIIME 2 tree, from which distances are computed")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .option("--metadata <file>", "TSV, CSV or QIIME 2 metadata")
    .option(
      "--distances <file>",
      "use these distances (.npy, .npz, .h5, .tsv, .csv, .qza) instead of computing them",
    )
    .option(
      "--distance-ids <file>",
      "ids for a distance file that has none, one on each line; `table`: in the table's order",
    )
    .optionsGroup("Distances:")
    .option(
      "--metric <names>",
      `what to compute, or what the distances are: ${metrics.join(", ")} (several with commas; default unweighted)`,
      parseMetrics,
    )
    .addOption(
      new Option(
        "--distance-storage <where>",
        "store all pairs, or the tree to compute each batch's distances from: the same numbers; auto: by the free disk and memory",
      )
        .choices(distanceStorages)
        .default("auto"),
    )
    .option("--alpha <share>", "alpha of the generalized metric, 0 to 1; by default 1", share)
    .option("--variance-adjusted", "the variance-adjusted form of the metrics", false)
    .optionsGroup("Rarefaction:")
    .option(
      "--rarefy-depth <n>",
      "counts to draw from each sample; `auto`: the depth that keeps the most counts and nine of ten samples, at least 1,000 if samples have them; `none`",
      parseDepth,
      "auto",
    )
    .option("--with-replacement", "rarefy with replacement", false)
    .option("--seed <n>", "decides the rarefaction", wholeNumber, 0)
    .optionsGroup("Running:")
    .addOption(
      new Option("--precision <type>", "type in which distances are computed; they are stored as float32")
        .choices(["float32", "float64"])
        .default("float32"),
    )
    .addOption(
      new Option(
        "--device <name>",
        "where to compute all pairs; distances from cuda may differ in the last digit from those of per-batch",
      )
        .choices(["auto", "cpu", "cuda"])
        .default("cpu"),
    )
    .requiredOption("-o, --output <folder>", "where to write the data set; an older one there is replaced")
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false)
    .action(run);
}

async function run(options: PrepOptions): Promise<void> {
  const { output, json, quiet, metric, distances, device, precision, ...rest } = options;
  refuseUselessOptions(options);
  const display = new ProgressDisplay(chooseDisplayMode({ json, quiet }));
  await prepareDataset(
    {
      ...rest,
      precision,
      device: await chooseDevice(device),
      distances: distances === undefined ? undefined : importedDistances(options, distances),
      metrics: distances === undefined ? metric : undefined,
      onProgress: stageReporter(display),
    },
    output,
  );
  display.end();
  // What the data set was made from goes before it is described.
  Bun.gc(true);
  using dataset = openDataset(output);
  for (const warning of dataset.manifest.warnings) display.warn(warning);
  const description = { kind: "dataset", ...summarizeDataset(dataset) } as const;
  if (json) display.record("dataset", description);
  else display.message(describeText(output, { ...description, warnings: [] }));
}

function refuseUselessOptions(options: PrepOptions): void {
  const { tree, distances, metric = ["unweighted"] } = options;
  const computed = distances === undefined && tree !== undefined ? metric : [];
  const refuse = (option: string, reason: string): never => {
    throw new UserError(`${option} has no effect ${reason}; leave it out.`);
  };
  if (options.alpha !== undefined && !computed.includes("generalized"))
    refuse("--alpha", "unless the generalized metric is computed (--metric generalized)");
  if (options.distanceStorage !== "auto" && !computed.some((name) => name !== "faith_pd"))
    refuse("--distance-storage", "where no UniFrac is computed");
  if (options.distanceStorage === "per-batch" && options.device === "cuda")
    refuse("--device cuda", "with --distance-storage per-batch, which computes on the CPU");
  if (options.varianceAdjusted && !computed.some((name) => name !== "faith_pd"))
    refuse("--variance-adjusted", "where no UniFrac is computed");
  if (options.distanceIds !== undefined && distances === undefined)
    refuse("--distance-ids", "without --distances");
  if (options.withReplacement && options.rarefyDepth === "none")
    refuse("--with-replacement", "with --rarefy-depth none");
}

function importedDistances({ metric, distanceIds }: PrepOptions, path: string): ImportedDistances {
  if (metric !== undefined && metric.length !== 1) {
    throw new UserError(`--metric names what ${path} holds, which is one metric, not ${metric.length}.`);
  }
  const order = distanceIds === undefined || distanceIds === "table" ? distanceIds : { path: distanceIds };
  return { path, name: metric?.[0] ?? "unweighted", order };
}

function parseMetrics(text: string, earlier: Metric[] = []): Metric[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(metrics as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`Choose from ${metrics.join(", ")}.`);
  return [...new Set([...earlier, ...(names as Metric[])])];
}

function parseDepth(text: string): number | "auto" | "none" {
  return text === "auto" || text === "none" ? text : wholeNumber(text);
}
