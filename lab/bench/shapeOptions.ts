import type { Command } from "commander";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import type { PretrainInput } from "../../src/training/config/config.ts";
import type { MixedPrecision } from "../../src/training/loop/mixedPrecision.ts";

/** What `bench step`, `train` and `predict` have in common: the data, the model's shape, where it runs. */
export interface ShapeFlags {
  embeddingDim: number;
  layers: number;
  heads: number;
  tokenLimit: number;
  maxBp: number;
  gradientCheckpointing?: boolean;
  mixedPrecision?: MixedPrecision;
  device: "auto" | "cpu" | "cuda";
  threads?: number;
}

/** `trains`: whether ours is trained, so that there is something to say of its precision and memory. */
export function addShapeOptions(command: Command, { trains = true } = {}): Command {
  const device = command
    .createOption("--device <name>", "where both compute")
    .choices(["auto", "cpu", "cuda"]);
  const precision = command.createOption(
    "--mixed-precision <type>",
    "type of our matrix products; by default what training uses on the device",
  );
  command
    .option("--dataset <folder>", "a data set that `prep` wrote, with unweighted UniFrac")
    .option("--table <file>", "BIOM table to make one from; needs --tree; default: a simulated study")
    .option("--tree <file>", "its tree")
    .option("--embedding-dim <n>", "size of the embedding", positiveWholeNumber, 128)
    .option("--layers <n>", "layers of each transformer", positiveWholeNumber, 4)
    .option("--heads <n>", "attention heads of each layer", positiveWholeNumber, 4)
    .option(
      "--token-limit <n>",
      "the most ASVs of a sample; the other side pads to it",
      positiveWholeNumber,
      1024,
    )
    .option("--max-bp <n>", "the most bases of an ASV; the other side pads to it", positiveWholeNumber, 150)
    .addOption(device.default("cpu"))
    .option("--threads <n>", "of both sides; all cores if not given", positiveWholeNumber);
  if (!trains) return command;
  return command
    .option("--gradient-checkpointing", "ours computes activations twice (the other side always does)", false)
    .addOption(precision.choices(["none", "bf16"]));
}

/** The configuration of our model. Without dropout, as it trains by default. */
export function modelOf(flags: ShapeFlags): PretrainInput {
  const { embeddingDim, layers, heads, tokenLimit, gradientCheckpointing, mixedPrecision } = flags;
  return {
    model: {
      embeddingDim,
      attentionLayers: layers,
      attentionHeads: heads,
      tokenLimit,
      maxBp: flags.maxBp,
      gradientCheckpointing,
    },
    training: mixedPrecision ? { mixedPrecision } : {},
  };
}
