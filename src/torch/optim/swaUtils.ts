/** `torch.optim.swa_utils`: models whose weights are averages of another one's. */
import { noGrad } from "../autograd/modes.ts";
import { isFloatingDtype } from "../core/dtype.ts";
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { refuseOthers, refuseUnknownSettings } from "../dispatch/optionNames.ts";
import { tensor } from "../functions/creation.ts";
import { buffer, Module } from "../nn/base/module.ts";
import { annealCosine, annealLinear } from "./schedules/annealing.ts";
import { perGroup } from "./schedules/momentum.ts";
import { type Scheduled, Scheduler, wholeSteps } from "./schedules/scheduler.ts";

/** Moves averages towards new values, in place; `count` models are in the averages so far. */
export type AveragingFunction = (
  averages: readonly Tensor[],
  values: readonly Tensor[],
  count: number,
) => void;

/** The plain mean of all models (Izmailov et al. 2018). */
export function getSwaMultiAvgFn(): AveragingFunction {
  return (averages, values, count) => {
    averages.forEach((average, i) => {
      if (isFloatingDtype(average.dtype)) average.lerp_(values[i], 1 / (count + 1));
      else average.copy_(average.add(values[i].sub(average).div(count + 1)));
    });
  };
}

/**
 * An exponential moving average that keeps the share `decay` of the past.
 * @throws RangeError for a share outside [0, 1].
 */
export function getEmaMultiAvgFn(decay = 0.999): AveragingFunction {
  if (!(decay >= 0 && decay <= 1))
    throw new RangeError(`getEmaMultiAvgFn: decay must lie in [0, 1], got ${decay}`);
  return (averages, values) => {
    averages.forEach((average, i) => {
      if (isFloatingDtype(average.dtype)) average.lerp_(values[i], 1 - decay);
      else average.copy_(average.mul(decay).add(values[i].mul(1 - decay)));
    });
  };
}

export interface AveragedModelOptions<M extends Module> {
  /** How averages move: `getSwaMultiAvgFn()` unless given. */
  readonly multiAvgFn?: AveragingFunction;
  /** Average buffers too; without it they are copied. */
  readonly useBuffers?: boolean;
  /** Makes the copy to average in, for models that `clone()` can't copy. */
  readonly make?: () => M;
}

type Forward<M> = M extends { forward(...args: infer Args): infer Result }
  ? (...args: Args) => Result
  : never;

/**
 * A copy of a model whose weights are averages of those that the model had at each `updateParameters(model)`:
 * the first one is copied. Its state dict is PyTorch's: `n_averaged`, and the weights under `module.`.
 * @throws TypeError for a model that can't be copied (see `Module.clone`), RangeError
 * for one of another shape.
 * @example
 * const multiAvgFn = torch.optim.swaUtils.getEmaMultiAvgFn(0.99);
 * const averaged = new torch.optim.swaUtils.AveragedModel(model, { multiAvgFn });
 * optimizer.step();
 * averaged.updateParameters(model);
 */
export class AveragedModel<M extends Module> extends Module {
  static override readonly names = { averagedModels: "n_averaged" };
  /** int64: how many models are in the average. */
  readonly averagedModels: Tensor;
  readonly module: M;
  readonly useBuffers: boolean;
  readonly multiAvgFn: AveragingFunction;

  constructor(model: M, options: AveragedModelOptions<M> = {}) {
    super();
    const { multiAvgFn = getSwaMultiAvgFn(), useBuffers = false, make, ...others } = options;
    refuseOthers("AveragedModel", others, "multiAvgFn, useBuffers, make");
    this.averagedModels = buffer(tensor(0n));
    this.module = make ? make() : model.clone();
    this.useBuffers = useBuffers;
    this.multiAvgFn = multiAvgFn;
    if (make) noGrad(() => copyAll(everything(this.module), everything(model)));
  }

  override forward(...args: Parameters<Forward<M>>): ReturnType<Forward<M>> {
    return (this.module.forward as unknown as Forward<M>).apply(this.module, args) as ReturnType<Forward<M>>;
  }

  /** Takes the model's present weights into the average. */
  updateParameters(model: M): void {
    noGrad(() =>
      tidy(() => {
        const chosen = (of: Module) => (this.useBuffers ? everything(of) : of.parameters());
        const [averages, values] = [chosen(this.module), chosen(model)];
        const count = this.averagedModels.item();
        if (count === 0) copyAll(averages, values);
        else {
          const here = values.map((value, i) => value.to(averages[i].device));
          needSameShapes(averages, here);
          this.multiAvgFn(averages, here, count);
        }
        if (!this.useBuffers) copyAll(this.module.buffers(), model.buffers());
        this.averagedModels.add_(1);
      }),
    );
  }
}

const everything = (module: Module): Tensor[] => [...module.parameters(), ...module.buffers()];

function needSameShapes(targets: readonly Tensor[], sources: readonly Tensor[]): void {
  const fits =
    targets.length === sources.length &&
    targets.every((one, i) => one.shape.join() === sources[i].shape.join());
  if (!fits)
    throw new RangeError("AveragedModel: the model has other parameters than the one that was averaged");
}

function copyAll(targets: readonly Tensor[], sources: readonly Tensor[]): void {
  needSameShapes(targets, sources);
  targets.forEach((target, i) => {
    target.copy_(sources[i]);
  });
}

/** A layer with running figures that `updateBn` renews: the batch norms. */
interface Running extends Module {
  momentum: number | null;
  resetRunningStats(): void;
}

const isRunning = (module: Module): module is Running =>
  "resetRunningStats" in module && "runningMean" in module && module.runningMean !== null;

/**
 * Computes the running means and variances of a model's batch norms anew, as plain averages over the
 * batches of a loader: averaged weights have none of their own. A batch is a tensor, or a list whose first
 * element goes into the model.
 */
export function updateBn(
  loader: Iterable<Tensor | readonly Tensor[]>,
  model: Module & { forward(input: Tensor): unknown },
): void {
  const norms = model.modules().filter(isRunning);
  if (norms.length === 0) return;
  const momenta = norms.map((norm) => norm.momentum);
  const wasTraining = model.training;
  try {
    for (const norm of norms) {
      norm.resetRunningStats();
      norm.momentum = null;
    }
    model.train();
    noGrad(() => {
      for (const batch of loader)
        tidy(() => {
          model.forward(batch instanceof Tensor ? batch : batch[0]);
        });
    });
  } finally {
    norms.forEach((norm, i) => {
      norm.momentum = momenta[i];
    });
    model.train(wasTraining);
  }
}

export interface SwaOptions {
  /** The rate at the end; a list gives each group its own. */
  readonly swaLr: number | readonly number[];
  readonly annealStrategy?: "cos" | "linear";
  readonly annealEpochs?: number;
}

/**
 * From the present rate to a constant one in `annealEpochs` steps (10).
 * @throws TypeError for an unknown strategy.
 */
export class SWALR extends Scheduler {
  readonly #rates: readonly number[];
  readonly #anneal: (from: number, to: number, share: number) => number;
  readonly annealEpochs: number;

  constructor(optimizer: Scheduled, options: SwaOptions) {
    super(optimizer);
    refuseUnknownSettings("SWALR", options, { swaLr: 0, annealStrategy: "", annealEpochs: 0 });
    const { swaLr, annealStrategy = "cos", annealEpochs = 10 } = options;
    if (annealStrategy !== "cos" && annealStrategy !== "linear")
      throw new TypeError(
        `SWALR: annealStrategy must be "cos" or "linear", got ${JSON.stringify(annealStrategy)}`,
      );
    this.#rates = perGroup("SWALR", "swaLr", swaLr, optimizer);
    this.#anneal = annealStrategy === "cos" ? annealCosine : annealLinear;
    this.annealEpochs = wholeSteps("SWALR: annealEpochs", annealEpochs, 0);
    // It begins with the rate in force, not with the first one of all schedules.
    optimizer.paramGroups.forEach((group, i) => {
      this.baseLrs[i] = group.lr;
    });
    this.apply();
  }

  rate(step: number, base: number, group: number): number {
    const share = this.annealEpochs === 0 ? 1 : Math.min(step / this.annealEpochs, 1);
    return this.#anneal(base, this.#rates[group], share);
  }
}
