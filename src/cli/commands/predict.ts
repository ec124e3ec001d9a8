import { dirname, resolve } from "node:path";
import { Command, Option } from "commander";
import { isFolder } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { batchOptionsOf } from "../../training/config/buildModel.ts";
import { readBase } from "../../training/contributions/asvBase.ts";
import { contributionTable } from "../../training/contributions/contributionTable.ts";
import { addsAsvsUp, explainSamples } from "../../training/contributions/explainSamples.ts";
import { gapWarning, toleratedGap } from "../../training/contributions/gapWarning.ts";
import { sampleAttention, withTaxa } from "../../training/inference/attention.ts";
import { predictorOf, predictSamples } from "../../training/inference/predictSamples.ts";
import { isMainRank } from "../../training/ranks/share.ts";
import { RunFolder } from "../../training/run/folder.ts";
import { runCategories } from "../../training/run/openSamples.ts";
import { predictionColumns } from "../../training/targets/predictionTable.ts";
import {
  probabilityColumns,
  writeAttentionArtifact,
  writePredictionArtifact,
  writeProbabilityArtifact,
} from "../../training/targets/resultArtifacts.ts";
import { resultFormats, writeResults } from "../../training/targets/resultFile.ts";
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
import { positiveWholeNumber } from "../options/optionValues.ts";
import { addRankFlags } from "../options/rankFlags.ts";

interface PredictFlags extends ModelFlags {
  readonly output: string;
  readonly asvSampling?: "first" | "abundance" | "random";
  readonly predictionPasses: number;
  readonly outputVariance: boolean;
  readonly probabilities?: string;
  readonly attention?: string;
  readonly contributions?: string;
  readonly taxonomy?: string;
}

export function makeCommand(): Command {
  const command = addModelOptions(
    new Command("predict").description(
      "Predict metadata of samples with a model that `train` made; needs a table, but no tree",
    ),
  )
    .option(
      "--metadata <file>",
      "TSV, CSV or QIIME 2 metadata; only for models trained with --categorical-columns",
    )
    .optionsGroup("Prediction:")
    .addOption(
      new Option(
        "--asv-sampling <how>",
        "which ASVs are read if a sample has more than --token-limit; by default as in training",
      ).choices(["first", "abundance", "random"]),
    )
    .option(
      "--prediction-passes <n>",
      "with --asv-sampling random: predictions are means over this many choices of ASVs",
      positiveWholeNumber,
      1,
    )
    .option("--output-variance", "add the standard deviation over these passes", false)
    .optionsGroup("Output:")
    .requiredOption(
      "-o, --output <file>",
      `where to write the predictions: .${resultFormats.join(", .")}, .qza`,
    )
    .option(
      "--probabilities <file>",
      "also write only the probabilities of the classes, which an artifact of predictions (.qza) does not hold",
    )
    .option("--attention <file>", "also write how much each ASV of each sample counted")
    .option(
      "--contributions <file>",
      "also write what each ASV adds to each prediction, compared with the training samples",
    );
  return addRankFlags(addRunningOptions(addFormatOption(addTaxonomyOption(command)))).action(run);
}

async function run(flags: PredictFlags): Promise<void> {
  const format = formatFor(flags.output, flags.format);
  const { attention, probabilities, contributions } = flags;
  const attentionFormat = attention === undefined ? null : formatFor(attention, undefined);
  const probabilityFormat = probabilities === undefined ? null : formatFor(probabilities, undefined);
  const contributionFormat =
    contributions === undefined ? null : formatFor(contributions, undefined, "contributions of ASVs");
  if (flags.outputVariance && flags.predictionPasses === 1)
    throw new UserError("--output-variance needs --prediction-passes of at least 2.");
  if (flags.taxonomy !== undefined && attention === undefined && contributions === undefined)
    throw new UserError(
      "--taxonomy names the ASVs of --attention and --contributions; give one of them, too, or leave it out.",
    );
  using use = await openModelAndSamples(flags, flags.output);
  const { run: opened, dataset, samples, device, display, onProgress } = use;
  const taxonomy = taxonomyOf(use, flags.taxonomy);
  // What is missing is said before any work is done.
  const { predictor, targets } = predictorOf(opened);
  if (format === "qza" && targets.columns.length > 1)
    throw new UserError(
      `An artifact of predictions holds one column, and this model predicts ${targets.columns.join(", ")}; end ${flags.output} in .tsv.`,
    );
  if (probabilities !== undefined && targets.classes === null)
    throw new UserError("--probabilities: this model predicts numbers, which have none; leave it out.");
  const pooling = predictor.targetPooling;
  if (attention !== undefined && !pooling)
    throw new UserError(
      `--attention: this model ${addsAsvsUp(predictor) ? "adds ASVs up" : "has a perceiver"}, which does not weigh ASVs one by one; leave it out${addsAsvsUp(predictor) ? ", or give --contributions" : ""}.`,
    );
  const base =
    contributions === undefined
      ? null
      : readBase(
          runFolderOf(flags.model, opened.checkpoint).trainAsvs,
          dataset,
          opened.facts.config.model.maxBp,
        );
  const categories = runCategories(opened.facts, dataset, display);
  const reading = {
    device,
    categories,
    asvSampling: flags.asvSampling,
    passes: flags.predictionPasses,
    onProgress,
  };
  const { predictions, deviations } = predictSamples(opened, dataset, samples, reading);
  // What all ranks have computed together, the first one writes.
  if (!isMainRank()) return;
  const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
  const columns = predictionColumns({
    dataset,
    samples,
    predictions,
    targets,
    deviations: flags.outputVariance ? deviations : undefined,
  });
  writeResults(flags.output, columns, format, () =>
    writePredictionArtifact(flags.output, ids, predictions[0]),
  );
  if (probabilities !== undefined && probabilityFormat !== null) {
    const shares = probabilityColumns(ids, predictions[0]);
    writeResults(probabilities, shares, probabilityFormat, () =>
      writeProbabilityArtifact(probabilities, shares),
    );
    display.message(`The probabilities of the classes are in ${probabilities}`);
  }
  display.message(`${samples.length} predictions of ${targets.columns.join(", ")} are in ${flags.output}`);
  display.record("predictions", { samples: samples.length, targets: targets.columns, output: flags.output });
  if (contributions !== undefined && contributionFormat !== null && base) {
    display.message(`Computing what each ASV adds to the predictions of ${samples.length} samples`);
    const explained = explainSamples(opened, dataset, base, samples, reading);
    const { columns, gap } = contributionTable(dataset, base, samples, predictions, explained);
    if (gap > toleratedGap) display.warn(gapWarning("this model", gap));
    writeResults(contributions, withTaxa(columns, taxonomy), contributionFormat);
    display.message(`The contributions of ASVs are in ${contributions}`);
  }
  if (attention === undefined || attentionFormat === null || !pooling) return;
  const options = { device, batch: batchOptionsOf(opened.facts.config.model) };
  const encoder = predictor.baseModel.asvEncoder;
  const weights = sampleAttention(dataset, samples, options, {
    encoder,
    pooling,
    forward: ({ input, asvEmbeddings, rows }) => {
      const own = rows.map((row) => samples[row]);
      predictor.forward(input, { asvEmbeddings, categories: categories?.ids(own, device) });
    },
  });
  writeResults(attention, withTaxa(weights, taxonomy), attentionFormat, () =>
    writeAttentionArtifact(attention, weights),
  );
  display.message(`The weights of ASVs are in ${attention}`);
}

/** The folder of a run that is given as such, or by one of its checkpoints. */
function runFolderOf(model: string, checkpoint: string): RunFolder {
  return new RunFolder(isFolder(model) ? model : dirname(dirname(resolve(checkpoint))));
}
