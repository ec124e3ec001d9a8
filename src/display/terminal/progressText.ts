import { durationText, learningRateText, lossText, percentText } from "../numberText.ts";

/**
 * The figures behind a bar, in their order: total loss, learning rate, regression or
 * classification loss, UniFrac loss, count loss, nucleotide loss, nucleotide accuracy (0 to 1).
 * Usually running means over the epoch.
 */
export type ProgressParts = Partial<Record<(typeof partOrder)[number], number>>;
const partOrder = ["TL", "LR", "RL", "CL", "UL", "CNT", "NL", "NA"] as const;

export interface EpochSummary {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Losses and metrics by the names of their tags: `total_loss`, `unifrac_loss`, `r2`, ... */
  readonly train: Readonly<Record<string, number>>;
  readonly val?: Readonly<Record<string, number>>;
  readonly seconds?: number;
  readonly learningRate?: number;
}

/**
 * Title of an epoch's bar: `Epoch 3/10`, `Epoch 3/10 [Val]`, or `[Val Pass 2/5]` where validation has passes.
 */
export function epochTitle(
  epoch: number,
  epochs: number,
  validation?: boolean | { readonly pass: number; readonly passes: number },
): string {
  const title = `Epoch ${epoch}/${epochs}`;
  if (!validation) return title;
  if (validation === true) return `${title} [Val]`;
  return `${title} [Val Pass ${validation.pass}/${validation.passes}]`;
}

/** An epoch in one line: `Epoch 1/5: train_loss=0.1234, unifrac=0.0123 | val_loss=0.1500, r2=0.5000`. */
export function epochLine(summary: EpochSummary): string {
  const part = (phase: "train" | "val", values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .map(([name, value]) => {
        if (name === "total_loss") return `${phase}_loss=${lossText(value)}`;
        if (name === "nuc_accuracy") return `nuc_acc=${percentText(value)}`;
        if (name === "accuracy") return `accuracy=${percentText(value)}`;
        return `${name.replace(/^(unifrac|target|count)_loss$/, "$1")}=${lossText(value)}`;
      })
      .join(", ");
  const parts = [part("train", summary.train)];
  if (summary.val) parts.push(part("val", summary.val));
  const end: string[] = [];
  if (summary.learningRate !== undefined) end.push(`lr=${learningRateText(summary.learningRate)}`);
  if (summary.seconds !== undefined) end.push(`${durationText(summary.seconds)}`);
  if (end.length > 0) parts.push(end.join(", "));
  return `Epoch ${summary.epoch}/${summary.epochs}: ${parts.join(" | ")}`;
}

/** The figures that are there, in their order. */
export function orderedParts(parts: ProgressParts): ProgressParts {
  return Object.fromEntries(partOrder.filter((name) => parts[name] !== undefined).map((n) => [n, parts[n]]));
}

/** `TL=0.1234`, `LR=1.00e-04`, ... */
export function partTexts(parts: ProgressParts): string[] {
  return Object.entries(orderedParts(parts)).map(([name, value]) => {
    if (name === "LR") return `LR=${learningRateText(value)}`;
    if (name === "NA") return `NA=${percentText(value)}`;
    return `${name}=${lossText(value)}`;
  });
}

export function paceText(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return "?";
  return perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(3);
}
