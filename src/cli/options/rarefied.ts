import type { Command } from "commander";
import { rarefy } from "../../data/table/rarefy.ts";
import type { Table } from "../../data/table/table.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { positiveWholeNumber, wholeNumber } from "./optionValues.ts";

export interface RarefyFlags {
  readonly rarefyDepth?: number;
  readonly withReplacement?: boolean;
  readonly seed: number;
}

/** The last options of a command that computes something of each sample of a table, rarefied if wanted. */
export function addDrawingOptions(command: Command): Command {
  return command
    .option(
      "--rarefy-depth <n>",
      "counts to draw from each sample first; samples with fewer are left out",
      positiveWholeNumber,
    )
    .option("--seed <n>", "decides the rarefaction", wholeNumber, 0)
    .option("--json", "print JSON lines", false)
    .option("--quiet", "print warnings only", false);
}

/**
 * The table rarefied as the options ask for, with a warning of the samples that it leaves out. `source`
 * names the table.
 */
export function rarefied(table: Table, source: string, flags: RarefyFlags, display: ProgressDisplay): Table {
  const { rarefyDepth: depth, seed, withReplacement } = flags;
  if (depth === undefined) return table;
  const { table: drawn, report } = rarefy(table, {
    depth,
    seed,
    withReplacement,
    source,
    onProgress: stageReporter(display),
  });
  const dropped = report.droppedSamples.length;
  if (dropped > 0) {
    display.warn(
      `${dropped} of ${report.samplesBefore} samples have fewer than ${depth} counts and were left out; the first is "${report.droppedSamples[0].id}".`,
    );
  }
  return drawn;
}
