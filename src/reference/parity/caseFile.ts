import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";

const lossSchema = z.strictObject({
  base: z.enum(["unifrac", "value"]).optional(),
  target: z.enum(["value", "class"]).optional(),
  /** The reference's first state: a count head without sigmoid, mean squared errors. */
  seed_version: z.boolean().optional(),
  penalty: z.number().optional(),
  nuc_penalty: z.number().optional(),
  target_penalty: z.number().optional(),
  count_penalty: z.number().optional(),
  class_weights: z.array(z.number()).nullish(),
  target_loss_type: z.enum(["mse", "mae", "huber", "quantile", "asymmetric"]).optional(),
  quantiles: z.array(z.number()).nullish(),
  over_penalty: z.number().optional(),
  under_penalty: z.number().optional(),
  loss_config: z.record(z.string(), z.string()).nullish(),
  target_columns: z.array(z.string()).nullish(),
  /** Whether `targets/sample_weights` [B] weigh the samples; without it they do where there are any. */
  sample_weights: z.boolean().optional(),
});

/** What the numbers were computed in; default float32. */
const dtype = z.enum(["float32", "float64"]).optional();
const common = { name: z.string().optional(), dtype, atol: z.number(), rtol: z.number() };
const modelPart = {
  module: z.enum(["ASVEncoder", "SampleSequenceEncoder", "SequenceEncoder", "SequencePredictor"]),
  config: z.record(z.string(), z.unknown()),
  call: z
    .strictObject({
      return_nucleotides: z.boolean().optional(),
      return_sample_embeddings: z.boolean().optional(),
    })
    .default({}),
  categorical: z.record(z.string(), z.number()).nullish(),
  distance_normalization: z.enum(["none", "tanh10"]).default("tanh10"),
};

const caseSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...common, ...modelPart, kind: z.literal("model"), loss: lossSchema.nullish() }),
  z.strictObject({
    ...common,
    ...modelPart,
    kind: z.literal("train"),
    loss: lossSchema.nullish(),
    steps: z.number().int().positive(),
    optimizer: z.strictObject({
      name: z.literal("adamw"),
      lr: z.number(),
      weight_decay: z.number(),
      betas: z.tuple([z.number(), z.number()]),
      eps: z.number(),
    }),
    clip_grad_norm: z.number().nullish(),
    scheduler: z.string().optional(),
  }),
  z.strictObject({
    ...common,
    kind: z.literal("block"),
    module: z.string(),
    config: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({
    ...common,
    kind: z.literal("loss"),
    settings: z.record(z.string(), lossSchema).default({}),
  }),
]);

export type ParityCase = z.infer<typeof caseSchema>;
export type ModelCase = Extract<ParityCase, { readonly kind: "model" }>;
export type TrainCase = Extract<ParityCase, { readonly kind: "train" }>;
export type BlockCase = Extract<ParityCase, { readonly kind: "block" }>;
export type LossCase = Extract<ParityCase, { readonly kind: "loss" }>;
export type LossSettings = z.infer<typeof lossSchema>;

/** A case with its tensors, by name; they are where the case is to be computed. */
export interface LoadedCase<C extends ParityCase = ParityCase> {
  readonly name: string;
  readonly device: torch.Device;
  readonly description: C;
  readonly tensors: ReadonlyMap<string, torch.Tensor>;
}

const descriptionFile = "case.json";
const tensorFile = "tensors.safetensors";

/** @throws UserError for a folder that is no case, or has settings that are not known. */
export function loadCase(folder: string, device: torch.Device = "cpu"): LoadedCase {
  const path = join(folder, descriptionFile);
  if (!existsSync(path)) {
    throw new UserError(
      `${folder} is no parity case: it has no ${descriptionFile}. Use --cases for a folder of cases.`,
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new UserError(`${path} is not JSON: ${cause instanceof Error ? cause.message : cause}.`);
  }
  const parsed = caseSchema.safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join(".") || "the case"}: ${issue.message}`,
    );
    throw new UserError(`${path} is not understood: ${problems.join("; ")}.`);
  }
  const stored = torch.loadSafetensors(join(folder, tensorFile)).tensors;
  const tensors = new Map([...stored].map(([name, value]) => [name, value.to(device)]));
  return { name: parsed.data.name ?? basename(folder), device, description: parsed.data, tensors };
}

/** The folders in `folder` that hold a case, by name. @throws UserError if there is none. */
export function findCases(folder: string): string[] {
  if (!existsSync(folder)) throw new UserError(`There is no folder ${folder}.`);
  const found = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, descriptionFile)));
  if (found.length === 0)
    throw new UserError(`${folder} holds no parity case, that is no folder with a ${descriptionFile}.`);
  return found;
}

/** The tensors whose names begin with `prefix`, by the rest of their names. */
export function withPrefix(
  tensors: ReadonlyMap<string, torch.Tensor>,
  prefix: string,
): Map<string, torch.Tensor> {
  const found = new Map<string, torch.Tensor>();
  for (const [name, tensor] of tensors)
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), tensor);
  return found;
}
