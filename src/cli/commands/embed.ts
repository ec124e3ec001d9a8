import { join, parse } from "node:path";
import { Command } from "commander";
import { UserError } from "../../common/userError.ts";
import { checkSquareOutput, writeSquare } from "../../data/distances/squareFile.ts";
import { predictedRows } from "../../models/pairwiseDistances.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import { batchOptionsOf, objectiveForms } from "../../training/config/buildModel.ts";
import { positionAttention, sampleAttention, withTaxa } from "../../training/inference/attention.ts";
import {
  embedAsvs,
  embeddingColumns,
  embedSamples,
  valueColumns,
} from "../../training/inference/embedSamples.ts";
import { isMainRank } from "../../training/ranks/share.ts";
import { writeAttentionArtifact } from "../../training/targets/resultArtifacts.ts";
import { writeResults } from "../../training/targets/resultFile.ts";
import {
  addFormatOption,
  addModelOptions,
  addRunningOptions,
  addTaxonomyOption,
  formatFor,
  type ModelFlags,
  openModelAndSamples,
  taxonomyOf,
} from "../options/modelOptions.ts";
import { addRankFlags } from "../options/rankFlags.ts";
import { addStudyOptions, chosenForm, type StudyFlags } from "../options/studyOptions.ts";

interface EmbedFlags extends ModelFlags, StudyFlags {
  readonly output?: string;
  readonly distances?: string;
  readonly asvs?: string;
  readonly attention?: string;
  readonly positions?: string;
  readonly taxonomy?: string;
}

export function makeCommand(): Command {
  const command = addModelOptions(
    new Command("embed").description(
      "Write embeddings of samples and ASVs, and what the encoder attended to",
    ),
  ).option(
    "--tree <file>",
    "with a --table: Newick or QIIME 2 tree that gives --calibrate-on its true distances",
  );
  command
    .optionsGroup("Output, at least one of:")
    .option("-o, --output <file>", "where to write the samples' embeddings")
    .option(
      "--distances <file>",
      "where to write the predicted UniFrac distances between the samples: .npy, .h5, .tsv, .qza or .arrow; with several metrics one file for each, FILE.METRIC.npy",
    )
    .option("--asvs <file>", "where to write the ASVs' embeddings")
    .option("--attention <file>", "where to write how much each ASV of each sample counted")
    .option("--positions <file>", "where to write how much each base of each ASV counted");
  addTaxonomyOption(command);
  addStudyOptions(command);
  return addRankFlags(addRunningOptions(addFormatOption(command))).action(run);
}

async function run(flags: EmbedFlags): Promise<void> {
  const paths = [flags.output, flags.asvs, flags.attention, flags.positions];
  const first = [...paths, flags.distances].find((path) => path !== undefined);
  if (first === undefined)
    throw new UserError(
      "Nothing to write is named; give --output, --distances, --asvs, --attention or --positions.",
    );
  if (flags.taxonomy !== undefined && [flags.asvs, flags.attention, flags.positions].every((path) => !path))
    throw new UserError(
      "--taxonomy names ASVs; give --asvs, --attention or --positions, too, or leave it out.",
    );
  if (flags.distances === undefined && (flags.study !== undefined || flags.calibrateOn !== undefined))
    throw new UserError("--study and --calibrate-on are for --distances; give it, or leave them out.");
  if (flags.tree !== undefined && flags.calibrateOn === undefined)
    throw new UserError("--tree is for --calibrate-on; give it, or leave --tree out.");
  if (flags.distances !== undefined) checkSquareOutput(flags.distances, "distances");
  const artifactless = {
    output: "embeddings",
    asvs: "embeddings",
    positions: "weights of positions",
  } as const;
  for (const name of ["output", "asvs", "positions"] as const)
    if (flags[name] !== undefined) formatFor(flags[name], flags.format, artifactless[name]);
  if (flags.attention !== undefined) formatFor(flags.attention, flags.format);
  using use = await openModelAndSamples(flags, first);
  const { run: opened, dataset, samples, device, display, onProgress } = use;
  const { encoder, facts } = opened;
  const pooling = encoder instanceof SetEncoder ? null : encoder.attentionPooling;
  const bases = encoder instanceof SetEncoder ? encoder.asvEncoder.asv : encoder.asvEncoder;
  if (flags.attention !== undefined && !pooling)
    throw new UserError(
      "--attention: this model pools its ASVs as a set, without attention; leave it out, or use a model of --encoder aam.",
    );
  if (flags.positions !== undefined && !bases)
    throw new UserError(
      "--positions: this model reads words of bases, without attention; leave it out, or use a model of --codes both.",
    );
  if (flags.distances !== undefined && facts.encoderType !== "unifrac")
    throw new UserError(
      `${flags.model} was not trained on distances but as ${facts.encoderType}; leave --distances out, or give a run that was.`,
    );
  const options = { device, batch: batchOptionsOf(facts.config.model), onProgress };
  const taxonomy = taxonomyOf(use, flags.taxonomy);
  const write = (path: string, what: string, columns: Parameters<typeof writeResults>[1]) => {
    writeResults(path, withTaxa(columns, taxonomy), formatFor(path, flags.format), () =>
      writeAttentionArtifact(path, columns),
    );
    display.message(`${columns[0].values.length} ${what} are in ${path}`);
  };
  if (flags.output !== undefined || flags.distances !== undefined) {
    const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
    using embeddings = embedSamples(opened, dataset, samples, device, onProgress);
    // What all ranks have computed together, the first one writes.
    if (!isMainRank()) return;
    if (flags.output !== undefined)
      write(flags.output, "embeddings of samples", [
        ...embeddingColumns("sample_id", ids, embeddings.narrow(1, 0, encoder.dim)),
        ...valueColumns(opened, embeddings),
      ]);
    if (flags.output !== undefined && encoder instanceof SetEncoder && encoder.poolings.length > 1)
      for (const pooling of encoder.poolings) {
        const { from, length } = encoder.codeColumns(pooling);
        display.message(`e${from} to e${from + length - 1} are codes of --pooling ${pooling.kind}`);
      }
    if (flags.distances !== undefined) {
      const { form, metrics = [] } = objectiveForms(facts.config, encoder);
      const chosen = chosenForm(use, flags)?.form ?? form;
      const several = metrics.flatMap(({ metric, form: own }) => (own ? [{ metric, form: own }] : []));
      const single = [{ metric: facts.config.unifracMetric, form: chosen }];
      for (const one of several.length > 0 ? several : single) {
        const path = several.length > 1 ? withMetric(flags.distances, one.metric) : flags.distances;
        const rows = () => predictedRows(embeddings, one.form);
        await writeSquare(path, { ids, precision: "float32", rows });
        display.message(`The predicted ${one.metric} distances of ${ids.length} samples are in ${path}`);
      }
    }
  }
  if (!isMainRank()) return;
  if (flags.asvs !== undefined) {
    const ids = dataset.asvIds();
    write(
      flags.asvs,
      "embeddings of ASVs",
      embeddingColumns("asv_id", ids, embedAsvs(opened, dataset, device, onProgress)),
    );
  }
  if (flags.attention !== undefined) {
    const weights = sampleAttention(dataset, samples, options, {
      encoder: encoder.asvEncoder,
      pooling: pooling!,
      forward: ({ input, asvEmbeddings }) => encoder.forward(input, { asvEmbeddings }),
    });
    write(flags.attention, "weights", weights);
  }
  if (flags.positions !== undefined)
    write(flags.positions, "ASVs' weights by position", positionAttention(dataset, bases!, options));
}

/** `distances.npy` -> `distances.unweighted.npy`, where an encoder has learned several distances. */
function withMetric(path: string, metric: string): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}.${metric}${ext}`);
}
