import { UserError } from "../../common/userError.ts";
import { atLeastFloat32 } from "../../models/precision.ts";
import * as torch from "../../torch/index.ts";

/** Losses of one value each. `huber` is quadratic up to an error of `huberDelta` and linear beyond. */
export type ColumnLoss = "mse" | "mae" | "huber";
export type TargetLossType = ColumnLoss | "quantile" | "asymmetric";
const columnLosses: readonly string[] = ["mse", "mae", "huber"];
export const targetLossTypes: readonly TargetLossType[] = ["mse", "mae", "huber", "quantile", "asymmetric"];

export interface TargetLossOptions {
  /** Default `huber`. Not looked at for classes. */
  readonly type?: TargetLossType;
  /** Default 1. */
  readonly huberDelta?: number;
  /** Levels in (0, 1) for `quantile`. */
  readonly quantiles?: readonly number[] | null;
  /** Weights of errors above and below the truth for `asymmetric`; default 1. */
  readonly overPenalty?: number;
  readonly underPenalty?: number;
  /** Own losses of some columns, by index ("0") or name; the others have `type`. */
  readonly perColumn?: Readonly<Record<string, string>> | null;
  /** The original AAM does not look at `perColumn` where samples have weights. Default false. */
  readonly ignoreColumnsWithWeights?: boolean;
  /** Names of the columns, for `perColumn`. */
  readonly columns?: readonly string[] | null;
  /** One weight for each class. */
  readonly classWeights?: readonly number[] | null;
}

/** The loss of a target: settings that were checked, applied to any number of batches. */
export class TargetLoss {
  readonly type: TargetLossType;
  readonly #options: TargetLossOptions;
  /** Small tensors by device and dtype. */
  readonly #constants = new Map<string, torch.Tensor>();

  /** @throws UserError for settings that make no sense. */
  constructor(options: TargetLossOptions = {}) {
    this.type = options.type ?? "huber";
    this.#options = options;
    checkOptions(this.type, options);
  }

  /**
   * Predictions [B, K], or [B, K, Q] for quantiles, against values [B, K]: the mean. With
   * `sampleWeights` [B], the mean of each sample's loss times its weight. Unknown values (NaN, or false
   * in `known` [B, K]) do not count.
   */
  regression(
    prediction: torch.Tensor,
    target: torch.Tensor,
    options: { sampleWeights?: torch.Tensor | null; known?: torch.Tensor | null } = {},
  ): torch.Tensor {
    const { sampleWeights = null } = options;
    const there = target.isnan().logicalNot();
    const known = options.known ? there.logicalAnd(options.known) : there;
    const byColumn = !(sampleWeights && this.#options.ignoreColumnsWithWeights);
    const losses = this.#errors(
      atLeastFloat32(prediction),
      target.maskedFill(known.logicalNot(), 0),
      byColumn,
    );
    const perValue = losses.ndim === 3 ? losses.mean(-1) : losses;
    const kept = perValue.mul(known);
    const values = known.sum(-1);
    if (!sampleWeights && !this.#options.perColumn) return kept.sum().div(values.sum().clampMin(1));
    if (!sampleWeights) return meanOfColumns(kept, known);
    const perSample = kept.sum(-1).div(values.clampMin(1));
    return perSample.mul(sampleWeights).sum().div(values.gt(0).sum().clampMin(1));
  }

  /**
   * Log-probabilities [B, C] against classes [B] int64; negative ones are unknown and do not count. Class
   * weights give a weighted mean; with `sampleWeights` [B] as well, the plain mean of class-weighted
   * losses times sample weights.
   */
  classification(
    logProbabilities: torch.Tensor,
    target: torch.Tensor,
    options: { sampleWeights?: torch.Tensor | null } = {},
  ): torch.Tensor {
    const { sampleWeights = null } = options;
    const known = target.ge(0);
    const classes = target.clampMin(0).unsqueeze(-1);
    const exact = atLeastFloat32(logProbabilities);
    const losses = exact.gather(-1, classes).squeeze(-1).neg();
    const classWeights = this.#constant("classWeights", this.#options.classWeights ?? null, exact);
    const weights = classWeights?.indexSelect(0, classes.squeeze(-1)).mul(known) ?? known.to(losses.dtype);
    const weighted = losses.mul(weights);
    if (sampleWeights) return weighted.mul(sampleWeights).sum().div(known.sum().clampMin(1));
    const total = weights.sum();
    return weighted.sum().div(torch.where(total.gt(0), total, 1));
  }

  #errors(prediction: torch.Tensor, target: torch.Tensor, byColumn: boolean): torch.Tensor {
    const { overPenalty = 1, underPenalty = 1, huberDelta = 1, perColumn } = this.#options;
    if (this.type === "quantile") {
      const levels = this.#constant("quantiles", this.#options.quantiles ?? null, prediction)!;
      const error = target.unsqueeze(-1).sub(prediction);
      return error.mul(levels).maximum(error.mul(levels.sub(1)));
    }
    if (this.type === "asymmetric") {
      const error = prediction.sub(target);
      return error.clampMin(0).mul(overPenalty).add(error.neg().clampMin(0).mul(underPenalty));
    }
    if (!perColumn || !byColumn) return columnErrors(prediction, target, this.type, huberDelta);
    const columns = Array.from({ length: prediction.size(1) }, (_, i) =>
      columnErrors(prediction.select(1, i), target.select(1, i), this.#columnLoss(i), huberDelta),
    );
    return torch.stack(columns, 1);
  }

  #columnLoss(index: number): ColumnLoss {
    const { perColumn, columns } = this.#options;
    const name = columns?.[index];
    return (perColumn?.[index] ??
      (name === undefined ? undefined : perColumn?.[name]) ??
      this.type) as ColumnLoss;
  }

  #constant(name: string, values: readonly number[] | null, like: torch.Tensor): torch.Tensor | null {
    if (!values) return null;
    const key = `${name} ${like.device} ${like.dtype}`;
    let made = this.#constants.get(key);
    if (!made) {
      made = torch.tensor([...values], { dtype: like.dtype, device: like.device }).detachFromScope();
      this.#constants.set(key, made);
    }
    return made;
  }
}

function columnErrors(
  prediction: torch.Tensor,
  target: torch.Tensor,
  loss: ColumnLoss,
  delta: number,
): torch.Tensor {
  const { mseLoss, l1Loss, huberLoss } = torch.nn.functional;
  if (loss === "huber") return huberLoss(prediction, target, { reduction: "none", delta });
  return (loss === "mse" ? mseLoss : l1Loss)(prediction, target, { reduction: "none" });
}

/** The mean of each column's mean over its known values. */
function meanOfColumns(kept: torch.Tensor, known: torch.Tensor): torch.Tensor {
  const values = known.sum(0);
  return kept.sum(0).div(values.clampMin(1)).sum().div(values.gt(0).sum().clampMin(1));
}

function checkOptions(type: TargetLossType, options: TargetLossOptions): void {
  if (!targetLossTypes.includes(type)) {
    throw new UserError(
      `The target loss "${type}" does not exist; expected one of ${targetLossTypes.join(", ")}.`,
    );
  }
  const { quantiles, overPenalty = 1, underPenalty = 1, perColumn } = options;
  if (type === "quantile") {
    if (!quantiles || quantiles.length === 0) {
      throw new UserError("The quantile loss needs levels: give at least one quantile such as 0.5.");
    }
    const wrong = quantiles.find((level) => !(level > 0 && level < 1));
    if (wrong !== undefined) throw new UserError(`A quantile must lie between 0 and 1, got ${wrong}.`);
  }
  if (type === "asymmetric" && !(overPenalty > 0 && underPenalty > 0)) {
    throw new UserError(
      `The penalties of the asymmetric loss must be above 0, got ${overPenalty} over and ${underPenalty} under.`,
    );
  }
  if (!perColumn) return;
  for (const [column, loss] of Object.entries(perColumn)) {
    if (!columnLosses.includes(loss)) {
      throw new UserError(
        `The loss of column "${column}" is "${loss}"; expected ${columnLosses.join(", ")}.`,
      );
    }
  }
  if (!columnLosses.includes(type)) {
    throw new UserError(
      `Losses by column do not go with the ${type} loss of all others; choose mse, mae or huber.`,
    );
  }
}
