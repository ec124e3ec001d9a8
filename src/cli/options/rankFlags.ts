import type { Command } from "commander";
import { positiveWholeNumber } from "./optionValues.ts";

export interface RankFlags {
  readonly ranks?: number;
  readonly rankTimeout: number;
}

export function addRankFlags(command: Command): Command {
  return command
    .option(
      "--ranks <n>",
      "share the work among this many processes on this machine (see docs/cluster.md)",
      positiveWholeNumber,
    )
    .option(
      "--rank-timeout <seconds>",
      "seconds that ranks wait for one that does not answer, before they end",
      positiveWholeNumber,
      600,
    );
}
