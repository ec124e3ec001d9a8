import { resolve } from "node:path";
import { UserError } from "../../common/userError.ts";
import { type FineTuneConfig, fineTuneSchema, type ModelConfig } from "../../training/config/config.ts";
import { startingSettings } from "../../training/config/defaults.ts";
import { mergeSettings, type Settings } from "../../training/config/mergeSettings.ts";
import { readConfigFile } from "./schemaOptions.ts";

interface Given {
  readonly config?: string;
  readonly metadataColumn?: string;
  readonly pretrainedEncoder?: string;
  readonly freezeBase?: boolean;
  readonly splitBy?: string;
}

/**
 * Defaults of `train`, then `--config`, then options. Data are no part of it: all trainings have the same.
 * @throws UserError for a file that cannot be read.
 */
export function fineTuneSettings({ config, ...options }: Given): Settings {
  const { metadataColumn, pretrainedEncoder, freezeBase, splitBy } = options;
  const file = config === undefined ? {} : readConfigFile(config);
  delete file["data"];
  const given = {
    ...(metadataColumn !== undefined && { target: { metadataColumn: [metadataColumn] } }),
    ...(pretrainedEncoder !== undefined && {
      pretrainedEncoder: pretrainedEncoder === "builtin" ? pretrainedEncoder : resolve(pretrainedEncoder),
    }),
    ...(freezeBase !== undefined && { freezeBase }),
    ...(splitBy !== undefined && { split: { by: splitBy } }),
  };
  const settings = mergeSettings(file, given);
  const model = settings["model"] as Settings | undefined;
  const encoder = { encoder: model?.["encoder"] ?? "set", codes: model?.["codes"] ?? "kmer" };
  const start = startingSettings(
    Object.keys(fineTuneSchema.shape),
    encoder as Pick<ModelConfig, "encoder" | "codes">,
    { given: settings },
  );
  return mergeSettings(start, settings);
}

/**
 * Settings as a configuration.
 * @param file where they come from.
 * @throws UserError for a setting that is none, and for files that say which samples are held out.
 */
export function parseFineTune(settings: Settings, file: string | undefined): FineTuneConfig {
  const parsed = fineTuneSchema.safeParse(settings);
  if (parsed.success) {
    const { trainSamples, valSamples } = parsed.data.split;
    if (trainSamples === null && valSamples === null) return parsed.data;
    throw new UserError(`${file}: the samples are divided in folds; leave files of samples out.`);
  }
  const [{ path, message }] = parsed.error.issues;
  throw new UserError(`${file}: ${path.join(".")}: ${message}.`);
}
