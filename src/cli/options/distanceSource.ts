import { basename } from "node:path";
import { type Command, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { type Distances, pairCount } from "../../data/distances/distances.ts";
import { readDistances } from "../../data/distances/read.ts";
import { type BetaMetric, betaDiversity, betaMetrics } from "../../data/statistics/betaDiversity.ts";
import { readTable } from "../../data/table/read.ts";
import { type UniFracMetric, uniFracMetrics } from "../../data/unifrac/metrics.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { warnOfTable } from "./doubtfulTable.ts";
import { positiveWholeNumber } from "./optionValues.ts";
import { rarefied } from "./rarefied.ts";
import { rootedTree } from "./rootedTree.ts";

/** Where a command takes its distances from. The command itself has `--seed`. */
export interface DistanceFlags {
  readonly distances?: string;
  readonly table?: string;
  readonly tree?: string;
  readonly metric?: UniFracMetric | BetaMetric;
  readonly rarefyDepth?: number;
  readonly seed: number;
}

const isBeta = (metric: string): metric is BetaMetric => (betaMetrics as readonly string[]).includes(metric);

/** The options of `distancesFrom`. */
export function addDistanceOptions(command: Command): Command {
  return command
    .optionsGroup("Distances:")
    .option(
      "--distances <file>",
      "a square matrix: .tsv, .qza, .h5, .arrow, .npz or .npy (which holds no ids; --table gives them)",
    )
    .option("--table <file>", "or a table to compute them from")
    .option("--tree <file>", "rooted tree, for UniFrac")
    .addOption(
      new Option(
        "--metric <name>",
        "metric for --table; by default unweighted UniFrac with --tree, else braycurtis",
      ).choices([...uniFracMetrics, ...betaMetrics]),
    )
    .option(
      "--rarefy-depth <n>",
      "counts to draw from each sample of --table first; samples with fewer are left out",
      positiveWholeNumber,
    );
}

/**
 * The distances that the options name, read or computed, and what to call them in a sentence.
 * @throws UserError for options that contradict each other, and as reading and computing do.
 */
export async function distancesFrom(
  flags: DistanceFlags,
  display: ProgressDisplay,
): Promise<{ distances: Distances; name: string }> {
  const { distances: path, table: source, tree } = flags;
  if (path !== undefined) {
    const idle = (["tree", "metric", "rarefyDepth"] as const).find((name) => flags[name] !== undefined);
    if (idle !== undefined)
      throw new UserError(
        `--${idle === "rarefyDepth" ? "rarefy-depth" : idle} has no effect on a matrix that is there already; leave it or --distances out.`,
      );
    const order = source === undefined ? undefined : (await readTable(source)).sampleIds;
    const sampleOrder = order ?? (() => refuseWithoutIds(path));
    const distances = readDistances(path, { sampleOrder });
    // The file's bytes are as large as the matrix: they go before more of that size is made.
    Bun.gc(true);
    return { distances, name: basename(path) };
  }
  if (source === undefined)
    throw new UserError("Give the distances with --distances, or a table to compute them from with --table.");
  const metric = flags.metric ?? (tree === undefined ? "braycurtis" : "unweighted");
  if (isBeta(metric) !== (tree === undefined))
    throw new UserError(
      isBeta(metric)
        ? `--tree has no effect on ${metric}, which needs none; leave it out or choose a UniFrac metric.`
        : `The metric ${metric} needs a tree; add --tree, or choose one of ${betaMetrics.join(", ")}.`,
    );
  const table = rarefied(await readTable(source), source, flags, display);
  warnOfTable(table, metric, display);
  const rooted = tree === undefined ? undefined : rootedTree(tree, display);
  const pairs = pairCount(table.sampleIds.length);
  display.begin(`Computing ${metric}`, pairs, "pairs");
  const distances = await compute();
  display.end();
  return { distances, name: `${metric} of ${basename(source)}` };

  async function compute(): Promise<Distances> {
    if (isBeta(metric))
      return betaDiversity(table, { metric, source, onProgress: (done) => display.update(done) });
    const { uniFracAllPairs } = await import("../../data/unifrac/index.ts");
    const values = await uniFracAllPairs(table, rooted!, {
      metric,
      precision: "float64",
      treeSource: tree,
      onProgress: (share) => display.update(Math.round(share * pairs)),
    });
    return { ids: table.sampleIds, values };
  }
}

function refuseWithoutIds(path: string): never {
  throw new UserError(
    `${path} holds no sample ids; add the table whose samples it has, in their order, as --table.`,
  );
}
