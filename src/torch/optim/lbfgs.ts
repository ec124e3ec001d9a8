import { enableGrad, noGrad } from "../autograd/modes.ts";
import { scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { cat } from "../dispatch/ops.gen.ts";
import { zeros } from "../functions/creation.ts";
import { type LinePoint, strongWolfe } from "./lineSearch.ts";
import { type Closure, Optimizer, type Params } from "./optimizer.ts";
import type { StateValue } from "./optimizerState.ts";
import { withDefaults } from "./settings.ts";

export interface LBFGSOptions {
  lr?: number;
  /** The most iterations of one `step`. */
  maxIter?: number;
  /** The most calls of the closure in one `step`; 1.25 `maxIter` unless given. */
  maxEval?: number | null;
  /** Stop where no element of the gradient is larger. */
  toleranceGrad?: number;
  /** Stop where parameters or loss change by less. */
  toleranceChange?: number;
  /** How many steps are remembered. */
  historySize?: number;
  lineSearchFn?: "strong_wolfe" | null;
}

export type LBFGSSettings = Required<LBFGSOptions>;

/** What is remembered from one iteration to the next; vectors [n] over all parameters. */
interface Memory {
  iterations: number;
  evaluations: number;
  direction: Tensor | null;
  step: number;
  /** Changes of the gradient, and of the parameters, and the inverses of their products. */
  readonly gradientChanges: Tensor[];
  readonly moves: Tensor[];
  readonly inverses: number[];
  /** The scale of the first approximation of the inverse Hessian. */
  scale: number;
  gradient: Tensor | null;
  loss: number;
}

/**
 * Limited-memory BFGS (Nocedal and Wright, algorithm 7.5), as PyTorch has it: `step(closure)` iterates, and
 * calls the closure, which computes the loss and its gradients anew, as often as it needs. What the closure
 * makes is freed after each call, except for what it keeps (`x.keep()`). One group of parameters only.
 * @throws TypeError for several groups, a step without closure or an unknown line search;
 * RangeError for a negative rate.
 * @example
 * const optimizer = new torch.optim.LBFGS(model.parameters(), { lineSearchFn: "strong_wolfe" });
 * optimizer.step(() => {
 *   optimizer.zeroGrad();
 *   const loss = torch.nn.functional.mseLoss(model.forward(x), y);
 *   loss.backward();
 *   return loss;
 * });
 */
export class LBFGS extends Optimizer<LBFGSSettings> {
  constructor(params: Params<LBFGSOptions>, options: LBFGSOptions = {}) {
    const defaults = withDefaults<LBFGSSettings>("LBFGS", options, {
      lr: 1,
      maxIter: 20,
      maxEval: null,
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
      lineSearchFn: null,
    });
    defaults.maxEval ??= Math.floor((defaults.maxIter * 5) / 4);
    super(params, defaults, { atLeastZero: ["lr", "maxIter", "maxEval", "historySize"] });
    if (this.paramGroups.length !== 1) throw new TypeError("LBFGS: takes one group of parameters only");
    if (defaults.lineSearchFn !== null && defaults.lineSearchFn !== "strong_wolfe")
      throw new TypeError(
        `LBFGS: lineSearchFn must be "strong_wolfe" or null, got ${JSON.stringify(defaults.lineSearchFn)}`,
      );
  }

  protected override stateShape(): null {
    return null;
  }

  protected stepGroup(): void {
    throw new TypeError("LBFGS: step needs a closure that computes the loss and its gradients anew");
  }

  get #params(): readonly Tensor[] {
    return this.paramGroups[0].params;
  }

  override step(closure?: Closure): Tensor | null {
    if (!closure) return super.step();
    const own = scope();
    try {
      return noGrad(() => this.#iterate(closure).keep());
    } finally {
      own[Symbol.dispose]();
    }
  }

  #iterate(closure: Closure): Tensor {
    const { lr, maxIter, maxEval, toleranceGrad, toleranceChange, lineSearchFn } = this.paramGroups[0];
    const most = maxEval ?? Math.floor((maxIter * 5) / 4);
    const memory = this.#recall();
    const first = enableGrad(closure);
    let loss = first.item();
    let gradient = this.#flatGradient();
    let evaluations = 1;
    memory.evaluations++;
    const isFlat = () => largest(gradient) <= toleranceGrad;
    if (isFlat()) {
      this.#remember(memory);
      return first;
    }
    for (let iteration = 1; iteration <= maxIter; iteration++) {
      memory.iterations++;
      const direction = this.#direction(memory, gradient);
      memory.direction = direction;
      memory.gradient = gradient;
      memory.loss = loss;
      const isFirst = memory.iterations === 1;
      memory.step = isFirst ? Math.min(1, 1 / gradient.abs().sum().item()) * lr : lr;
      const slope = dot(gradient, direction);
      if (slope > -toleranceChange) break;
      let calls = 0;
      if (lineSearchFn === "strong_wolfe") {
        const begin = this.#params.map((param) => param.clone());
        const { point, evaluations: needed } = strongWolfe({
          start: { step: 0, loss, gradient, slope },
          step: memory.step,
          evaluate: (step) => this.#evaluate(closure, begin, direction, step),
          reach: largest(direction),
          tolerance: toleranceChange,
          most: most - evaluations,
        });
        ({ loss, gradient, step: memory.step } = point);
        calls = needed;
        this.#move(direction, memory.step);
      } else {
        this.#move(direction, memory.step);
        if (iteration !== maxIter) {
          loss = lossOf(closure);
          gradient = this.#flatGradient();
          calls = 1;
        }
      }
      evaluations += calls;
      memory.evaluations += calls;
      const hasEnded =
        iteration === maxIter ||
        evaluations >= most ||
        isFlat() ||
        largest(direction) * Math.abs(memory.step) <= toleranceChange ||
        Math.abs(loss - memory.loss) < toleranceChange;
      if (hasEnded) break;
    }
    this.#remember(memory);
    return first;
  }

  /**
   * The direction of descent: the gradient times the approximation of the inverse
   * Hessian that the memory holds.
   */
  #direction(memory: Memory, gradient: Tensor): Tensor {
    const { gradientChanges, moves, inverses } = memory;
    if (!memory.direction || !memory.gradient) {
      memory.scale = 1;
      return gradient.neg();
    }
    const change = gradient.sub(memory.gradient);
    const move = memory.direction.mul(memory.step);
    const product = dot(change, move);
    if (product > 1e-10) {
      if (gradientChanges.length === this.paramGroups[0].historySize)
        for (const list of [gradientChanges, moves, inverses]) list.shift();
      gradientChanges.push(change);
      moves.push(move);
      inverses.push(1 / product);
      memory.scale = product / dot(change, change);
    }
    const shares = new Array<number>(moves.length);
    const turned = gradient.neg();
    for (let i = moves.length - 1; i >= 0; i--) {
      shares[i] = dot(moves[i], turned) * inverses[i];
      turned.add_(gradientChanges[i], { alpha: -shares[i] });
    }
    const direction = turned.mul(memory.scale);
    for (let i = 0; i < moves.length; i++) {
      const share = dot(gradientChanges[i], direction) * inverses[i];
      direction.add_(moves[i], { alpha: shares[i] - share });
    }
    return direction;
  }

  /** Loss, gradient and slope after a step along the direction; the parameters are put back. */
  #evaluate(closure: Closure, begin: readonly Tensor[], direction: Tensor, step: number): LinePoint {
    this.#move(direction, step);
    const loss = lossOf(closure);
    const gradient = this.#flatGradient();
    this.#params.forEach((param, i) => {
      param.copy_(begin[i]);
    });
    return { step, loss, gradient, slope: dot(gradient, direction) };
  }

  #move(direction: Tensor, step: number): void {
    let start = 0;
    for (const param of this.#params) {
      param.add_(direction.narrow(0, start, param.numel).viewAs(param), { alpha: step });
      start += param.numel;
    }
  }

  /** The gradients of all parameters as one vector, a copy; zeros where there are none. */
  #flatGradient(): Tensor {
    return cat(
      this.#params.map((param) => {
        const { device, dtype, grad } = param;
        return grad
          ? (grad.isSparse ? grad.toDense() : grad).reshape([-1])
          : zeros([param.numel], { device, dtype });
      }),
    );
  }

  /** The state under PyTorch's names. */
  #remember(memory: Memory): void {
    const before = this.state.get(this.#params[0]);
    const { direction, gradient } = memory;
    const values: [string, StateValue][] = [
      ["func_evals", memory.evaluations],
      ["n_iter", memory.iterations],
      ...(direction && gradient
        ? ([
            ["d", direction],
            ["t", memory.step],
            ["old_dirs", memory.gradientChanges],
            ["old_stps", memory.moves],
            ["ro", memory.inverses],
            ["H_diag", memory.scale],
            ["prev_flat_grad", gradient],
            ["prev_loss", memory.loss],
          ] as [string, StateValue][])
        : []),
    ];
    const after = new Map(values);
    this.state.set(this.#params[0], after);
    const kept = new Set(tensorsIn(after));
    for (const tensor of kept) tensor.detachFromScope();
    for (const tensor of before ? tensorsIn(before) : []) if (!kept.has(tensor)) tensor.dispose();
  }

  #recall(): Memory {
    const own = this.state.get(this.#params[0]) ?? new Map<string, StateValue>();
    const number = (value: StateValue | undefined, other: number): number => {
      if (value instanceof Tensor) return value.item();
      return typeof value === "number" ? value : other;
    };
    const tensor = (name: string) => {
      const value = own.get(name);
      return value instanceof Tensor ? value : null;
    };
    const list = (name: string): readonly (Tensor | number | null)[] => {
      const value = own.get(name);
      return Array.isArray(value) ? value : [];
    };
    return {
      iterations: number(own.get("n_iter"), 0),
      evaluations: number(own.get("func_evals"), 0),
      direction: tensor("d"),
      step: number(own.get("t"), 0),
      gradientChanges: list("old_dirs").filter((value) => value instanceof Tensor),
      moves: list("old_stps").filter((value) => value instanceof Tensor),
      inverses: list("ro").map((value) => number(value, 0)),
      scale: number(own.get("H_diag"), 1),
      gradient: tensor("prev_flat_grad"),
      loss: number(own.get("prev_loss"), 0),
    };
  }
}

const tensorsIn = (own: ReadonlyMap<string, StateValue>): Tensor[] =>
  [...own.values()]
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter((one) => one instanceof Tensor);

/** The loss of a closure; what that makes is freed. */
function lossOf(closure: Closure): number {
  const own = scope();
  try {
    return enableGrad(closure).item();
  } finally {
    own[Symbol.dispose]();
  }
}

const largest = (vector: Tensor): number => vector.abs().max().item();
const dot = (a: Tensor, b: Tensor): number => a.dot(b).item();
