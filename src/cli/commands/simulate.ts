import { Command } from "commander";
import { simulate, writeSimulation } from "../../data/simulate/simulate.ts";
import { chooseDisplayMode, ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { positiveWholeNumber, wholeNumber } from "../options/optionValues.ts";

interface SimulateCommandOptions {
  readonly output: string;
  readonly samples: number;
  readonly asvs: number;
  readonly depth: number;
  readonly richness: number;
  readonly length: number;
  readonly varyLength: boolean;
  readonly seed: number;
  readonly parts: number;
}

export function makeCommand(): Command {
  return new Command("simulate")
    .description(
      "Simulate a study whose communities follow a gradient and differ between sites: table.biom, tree.nwk, metadata.tsv",
    )
    .requiredOption("-o, --output <folder>", "where to write the three files")
    .option("--samples <n>", "number of samples", wholeNumber, 300)
    .option(
      "--asvs <n>",
      "tips of the tree; ASVs that no sample has are left out of the table",
      wholeNumber,
      600,
    )
    .option("--depth <n>", "mean reads of a sample", wholeNumber, 5000)
    .option("--richness <n>", "most ASVs of a sample, roughly", wholeNumber, 80)
    .option("--length <n>", "bases of a sequence", wholeNumber, 150)
    .option("--vary-length", "let insertions and deletions vary the length", false)
    .option("--seed <n>", "another seed gives another study", wholeNumber, 0)
    .option(
      "--parts <n>",
      "tables to write, each with some of the samples: table-1.biom, ...",
      positiveWholeNumber,
      1,
    )
    .action(({ output, parts, ...options }: SimulateCommandOptions) => {
      const onProgress = stageReporter(new ProgressDisplay(chooseDisplayMode({})));
      const simulation = simulate({ ...options, onProgress });
      const files = writeSimulation(output, simulation, parts);
      const { sampleIds, asvIds } = simulation.table;
      console.log(simulation.notice);
      console.log(`${sampleIds.length} samples with ${asvIds.length} ASVs that were seen:`);
      for (const path of [...files.tables, files.tree, files.metadata]) console.log(`  ${path}`);
    });
}
