import { Command } from "commander";
import { UserError } from "../common/userError.ts";
import { positionAttention, sampleAttention } from "../training/attention.ts";
import { batchOptionsOf } from "../training/buildModel.ts";
import { embedAsvs, embeddingColumns, embedSamples } from "../training/embedSamples.ts";
import { writeResults } from "../training/resultFile.ts";
import {
  addFormatOption,
  addRunningOptions,
  addUseOptions,
  formatFor,
  openUse,
  type UseFlags,
} from "./useOptions.ts";

interface EmbedFlags extends UseFlags {
  output?: string;
  asvs?: string;
  attention?: string;
  positions?: string;
}

export function makeCommand(): Command {
  const command = addUseOptions(
    new Command("embed").description(
      "Write embeddings of samples and ASVs, and what the encoder attended to",
    ),
  );
  command
    .optionsGroup("Output, at least one of:")
    .option("-o, --output <file>", "where to write the samples' embeddings")
    .option("--asvs <file>", "where to write the ASVs' embeddings")
    .option("--attention <file>", "where to write how much each ASV of each sample counted")
    .option("--positions <file>", "where to write how much each base of each ASV counted");
  return addRunningOptions(addFormatOption(command)).action(run);
}

async function run(flags: EmbedFlags): Promise<void> {
  const paths = [flags.output, flags.asvs, flags.attention, flags.positions];
  const first = paths.find((path) => path !== undefined);
  if (first === undefined)
    throw new UserError("Nothing to write is named; give --output, --asvs, --attention or --positions.");
  for (const path of paths) if (path !== undefined) formatFor(path, flags.format);
  const { run: opened, dataset, samples, device, display } = await openUse(flags, first);
  using _dataset = dataset;
  const { encoder, facts } = opened;
  const options = { device, batch: batchOptionsOf(facts.config.model) };
  const write = (path: string, what: string, columns: Parameters<typeof writeResults>[1]) => {
    writeResults(path, columns, formatFor(path, flags.format));
    display.message(`${columns[0].values.length} ${what} are in ${path}`);
  };
  if (flags.output !== undefined) {
    const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
    write(
      flags.output,
      "embeddings of samples",
      embeddingColumns("sample_id", ids, embedSamples(opened, dataset, samples, device)),
    );
  }
  if (flags.asvs !== undefined) {
    const ids = Array.from({ length: dataset.asvCount }, (_, row) => dataset.asvId(row));
    write(
      flags.asvs,
      "embeddings of ASVs",
      embeddingColumns("asv_id", ids, embedAsvs(opened, dataset, device)),
    );
  }
  if (flags.attention !== undefined) {
    const weights = sampleAttention(dataset, samples, options, {
      encoder: encoder.sampleEncoder.asvEncoder,
      pooling: encoder.attentionPooling,
      forward: ({ input, asvEmbeddings }) => encoder.forward(input, { asvEmbeddings }),
    });
    write(flags.attention, "weights", weights);
  }
  if (flags.positions !== undefined)
    write(
      flags.positions,
      "ASVs' weights by position",
      positionAttention(dataset, encoder.sampleEncoder.asvEncoder, options),
    );
}
