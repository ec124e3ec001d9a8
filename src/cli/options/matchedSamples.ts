import type { Command } from "commander";
import { matchIds } from "../../data/statistics/matchIds.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";

/** Options of commands that compare two files of the same samples. */
export interface MatchFlags {
  readonly table?: string;
  readonly intersectIds: boolean;
}

export function addMatchOptions(command: Command): Command {
  return command
    .optionsGroup("Samples:")
    .option("--table <file>", "table with the samples of a .npy file, in the same order")
    .option("--intersect-ids", "compare only samples that are in both, instead of refusing others", false);
}

/**
 * The rows of two files at which both have the same samples; says how many samples are left out.
 * @throws UserError for samples of one file alone, without --intersect-ids.
 */
export function matchSamples(
  [first, second]: readonly [readonly string[], readonly string[]],
  files: readonly [string, string],
  { intersectIds }: MatchFlags,
  display: ProgressDisplay,
) {
  const matched = matchIds(first, second, files, intersectIds);
  if (matched.left > 0)
    display.warn(`${matched.left} samples are in one of the files alone and were left out.`);
  return matched;
}
