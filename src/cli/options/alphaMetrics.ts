import { InvalidArgumentError, Option } from "commander";
import { UserError } from "../../common/userError.ts";
import { type AlphaMetric, alphaMetrics } from "../../data/statistics/alphaDiversity.ts";
import { nameList } from "./optionValues.ts";

export interface AlphaFlags {
  readonly table: string;
  readonly tree?: string;
  readonly metric?: readonly AlphaMetric[];
  readonly shannonBase: keyof typeof shannonBases;
}

export const shannonBases = { "2": 2, e: Math.E, "10": 10 };

/** `--metric` of several names. */
export function alphaOption(): Option {
  return new Option(
    "--metric <names>",
    `some of ${alphaMetrics.join(", ")}, separated by commas; by default all, faith_pd only with --tree`,
  ).argParser((text) => {
    const names = nameList(text);
    const unknown = names.find((name) => !(alphaMetrics as readonly string[]).includes(name));
    if (unknown !== undefined)
      throw new InvalidArgumentError(`There is no ${unknown}; choose of ${alphaMetrics.join(", ")}.`);
    return [...new Set(names)];
  });
}

/**
 * The metrics that the options ask for. @throws UserError for `faith_pd` without a tree, and a tree without
 * `faith_pd`.
 */
export function alphaMetricsOf({ metric, tree }: AlphaFlags): readonly AlphaMetric[] {
  const metrics = metric ?? alphaMetrics.filter((name) => name !== "faith_pd" || tree !== undefined);
  if (metrics.includes("faith_pd") && tree === undefined)
    throw new UserError("The metric faith_pd needs a tree; add --tree, or leave it out.");
  if (!metrics.includes("faith_pd") && tree !== undefined)
    throw new UserError(`--tree has no effect on ${metrics.join(", ")}; leave it out, or add faith_pd.`);
  return metrics;
}
