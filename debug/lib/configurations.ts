import type { TaskOptions } from "./encoderTask.ts";
import type { Changes } from "./freshEncoder.ts";

/** A way of training that is compared with the others. */
export interface Configuration {
  readonly name: string;
  /** What it changes of the base, in words. */
  readonly is: string;
  readonly changes?: Changes;
  readonly task?: (embeddingDim: number) => TaskOptions;
  /** Zero the sample's position embedding and keep it so: ASVs have no order. */
  readonly withoutPositions?: boolean;
}

/** What all others are changes of: the product's defaults with raw distances. */
export const baseName = "raw";

const forms: readonly Configuration[] = [
  {
    name: "raw",
    is: "raw distances, no dropout, one masked pass: the base",
    task: () => ({ form: "raw", nucShare: 1 }),
  },
  {
    name: "tanh-10",
    is: "tanh(d / 10), as the newest reference",
    task: () => ({ form: { tanhScale: 10 }, nucShare: 1 }),
  },
  {
    name: "tanh-sqrt",
    is: "tanh(d / s), s = 10 for 128 values and growing with the root of the embedding size",
    task: (dim) => ({ form: { tanhScale: 10 * Math.sqrt(dim / 128) }, nucShare: 1 }),
  },
  {
    name: "tanh-1",
    is: "tanh(d / 1): bends where the distances are",
    task: () => ({ form: { tanhScale: 1 }, nucShare: 1 }),
  },
  {
    name: "tanh-learned",
    is: "tanh(d / s), s learned from 1 on",
    task: () => ({ form: "learned", nucShare: 1 }),
  },
];

/** Each form also with dropout, and with distances from a pass in which nothing is hidden. */
const noisy: readonly Configuration[] = forms.flatMap((form) => [
  {
    ...form,
    name: `${form.name}, dropout 0.1`,
    is: "dropout 0.1 in all layers",
    changes: { model: { dropout: 0.1 } },
  },
  {
    ...form,
    name: `${form.name}, separate pass`,
    is: "distances from an unmasked pass, nucleotides from a masked one",
    task: (dim: number) => ({ ...form.task!(dim), separateMasking: true }),
  },
]);

const shares: readonly Configuration[] = [
  {
    name: "raw, quarter in own pass",
    is: "nucleotides of a quarter of the ASVs, in a pass of their own: the product's way",
    task: () => ({ form: "raw", nucShare: 0.25 }),
  },
  {
    name: "tanh-1, quarter in own pass",
    is: "the same with tanh(d / 1)",
    task: () => ({ form: { tanhScale: 1 }, nucShare: 0.25 }),
  },
];

const others: readonly Configuration[] = [
  { name: "batch 16", is: "batches of 16", changes: { training: { batchSize: 16 } } },
  { name: "batch 64", is: "batches of 64", changes: { training: { batchSize: 64 } } },
  { name: "rate 5e-4", is: "learning rate 5e-4", changes: { training: { lr: 5e-4 } } },
  { name: "rate 2e-3", is: "learning rate 2e-3", changes: { training: { lr: 2e-3 } } },
  { name: "no positions", is: "no position embedding of ASVs in a sample", withoutPositions: true },
  {
    name: "nucleotides 0",
    is: "no nucleotide loss, nothing hidden",
    changes: { training: { nucPenalty: 0 } },
  },
  {
    name: "nucleotides 0.1",
    is: "weight 0.1 of the nucleotide loss",
    changes: { training: { nucPenalty: 0.1 } },
  },
  { name: "nucleotides 1", is: "weight 1 of the nucleotide loss", changes: { training: { nucPenalty: 1 } } },
].map((one) => ({ ...one, task: () => ({ form: "raw", nucShare: 1 }) }) as Configuration);

/** In the order of interest: what is asked first is measured first. */
export const configurations: readonly Configuration[] = [
  ...forms,
  ...shares,
  ...noisy.filter(({ name }) => name.startsWith("raw,")),
  ...others,
  ...noisy.filter(({ name }) => !name.startsWith("raw,")),
];
