import type { Random } from "../../common/random/random.ts";
import { type FineTuneInput, fineTuneSchema } from "../config/config.ts";
import { mergeSettings, type Settings } from "../config/mergeSettings.ts";

/** One setting that is searched, and what it may be. */
export interface Dimension {
  /** Its name as an option: `lr`. */
  readonly name: string;
  /** Its place in the configuration: `training.lr`. */
  readonly path: string;
  readonly values:
    | {
        readonly kind: "range";
        readonly low: number;
        readonly high: number;
        readonly log: boolean;
        readonly whole: boolean;
      }
    | { readonly kind: "choice"; readonly of: readonly unknown[] };
}

/** Where in its range each setting of a trial lies, from 0 to 1. */
export function drawPlaces(dimensions: readonly Dimension[], random: Random): number[] {
  return dimensions.map(({ name }) => random.derive(name).float());
}

/** The value at a place of a range; numbers have three digits, as more tell nothing. */
export function valueAtPlace({ values }: Dimension, place: number): unknown {
  if (values.kind === "choice")
    return values.of[Math.min(values.of.length - 1, Math.floor(place * values.of.length))];
  const { low, high, log, whole } = values;
  if (whole) {
    const value = log ? low * ((high + 1) / low) ** place : low + place * (high + 1 - low);
    return Math.min(high, Math.floor(value));
  }
  return Number((log ? low * (high / low) ** place : low + place * (high - low)).toPrecision(3));
}

/** The configuration `base` with one value for each dimension. */
export function withValues(
  base: Settings,
  dimensions: readonly Dimension[],
  values: readonly unknown[],
): Settings {
  return dimensions.reduce((config, { path }, d) => {
    const keys = path.split(".");
    const nested = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), values[d]) as Settings;
    return mergeSettings(config, nested);
  }, base);
}

/**
 * What is searched where nothing is said: how fast and how strongly a fine-tuning learns. An encoder of
 * transformers that is trained along has dropout, too. A head on blocks has rates of its own.
 */
export function defaultSpace(base: FineTuneInput): string[] {
  const { model, freezeBase, target } = fineTuneSchema.parse(base);
  // Inner folds choose the penalty of a head on blocks.
  if (target.pooling === "blocks")
    return [
      "lr=0.1..3:log",
      "epochs=20,40,80",
      "batch-size=16,32,64",
      ...(target.lossType === "huber" ? ["huber-delta=0.1..1:log"] : []),
    ];
  return [
    "lr=0.0001..0.01:log",
    "weight-decay=0.001..0.3:log",
    "batch-size=8,16,32,64",
    "ema=none,0.99",
    ...(model.encoder === "aam" && !freezeBase ? ["dropout=0..0.3"] : []),
  ];
}
