import type { Command } from "commander";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import type { SetDistance } from "../../models/setDistance.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import { calibratedDistance, typicalDistance } from "../../training/inference/calibratedDistance.ts";
import { hasMetric } from "../../training/inference/judgeEncoder.ts";
import type { ModelAndSamples } from "./modelOptions.ts";
import { positiveWholeNumber } from "./optionValues.ts";

/** Whose tree the distances of an encoder shall be those of. */
export interface StudyFlags {
  readonly study?: string;
  readonly calibrateOn?: number;
}

/** Three samples have three pairs, enough for a line. */
const fewestCalibrating = 3;

export function addStudyOptions(command: Command): Command {
  return command
    .optionsGroup("Distances:")
    .option(
      "--study <name>",
      "give distances as on the tree of this study, one of those that the encoder was trained on",
    )
    .option(
      "--calibrate-on <n>",
      "for a study that the encoder does not know: fit its distances to the true ones among n samples, drawn by the run's seed",
      positiveWholeNumber,
    );
}

/**
 * The form of distances that the options ask for, and the samples besides those that it was fitted to; null
 * where it is the run's own. An encoder of several studies without options gets their mean, and a warning.
 * @throws UserError for options that do not do.
 */
export function chosenForm(
  { run, dataset, samples, device, display }: ModelAndSamples,
  { study, calibrateOn }: StudyFlags,
): { form: SetDistance; rest: Int32Array } | null {
  const { encoder, facts } = run;
  const names = facts.studies ?? [];
  if (study !== undefined && calibrateOn !== undefined)
    throw new UserError("--study and --calibrate-on exclude each other; leave one of them out.");
  const isSet = encoder instanceof SetEncoder && encoder.distance !== null;
  if (calibrateOn !== undefined && facts.config.furtherMetrics.length > 0)
    throw new UserError(
      "--calibrate-on is for encoders of one metric, and this one has several; leave it out.",
    );
  if (calibrateOn !== undefined) {
    if (!isSet)
      throw new UserError("--calibrate-on is for encoders that compare sets (--encoder set); leave it out.");
    if (!hasMetric(dataset, facts.config.unifracMetric))
      throw new UserError(
        `--calibrate-on needs true ${facts.config.unifracMetric} distances; give --tree with the --table, or a --dataset that prep made with a tree.`,
      );
    if (calibrateOn < fewestCalibrating || samples.length - calibrateOn < 2)
      throw new UserError(
        `--calibrate-on ${calibrateOn} of ${samples.length} samples: at least ${fewestCalibrating} are needed, and 2 besides them.`,
      );
    const drawn = new Random(facts.config.training.seed).derive("calibrate").shuffle(samples.slice());
    const form = calibratedDistance(run, dataset, drawn.slice(0, calibrateOn), device);
    if (!form) throw new UserError(`No distance among the ${calibrateOn} samples drawn is known; draw more.`);
    return { form, rest: drawn.slice(calibrateOn).sort() };
  }
  if (study !== undefined) {
    const place = names.indexOf(study);
    if (place < 0 || !isSet)
      throw new UserError(
        names.length > 0
          ? `The encoder knows no study "${study}"; it was trained on ${names.join(", ")}.`
          : "--study is for encoders that were trained on several data sets; leave it out.",
      );
    return { form: encoder.distances[place], rest: samples };
  }
  const own = studiesOf(dataset)?.names ?? [];
  if (!isSet || names.length === 0 || own.join("\n") === names.join("\n")) return null;
  display.warn(
    `The encoder was trained on ${names.join(", ")}; the scale of these distances is the mean of theirs, so compare their ranks, or give --study or --calibrate-on.`,
  );
  return { form: typicalDistance(encoder), rest: samples };
}
