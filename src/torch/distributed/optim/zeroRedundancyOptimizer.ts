import { Tensor } from "../../core/tensor.ts";
import { empty } from "../../functions/creation.ts";
import type { PickleValue } from "../../io/pickle.ts";
import { LBFGS } from "../../optim/lbfgs.ts";
import { type Closure, Optimizer, type Params, stepOnly } from "../../optim/optimizer.ts";
import type { OptimizerState } from "../../optim/optimizerState.ts";
import { broadcastPieces, type Piece } from "../ranks/broadcastPieces.ts";
import { allGatherObject } from "../ranks/collectives.ts";
import { currentGroup } from "../ranks/group.ts";

/** A class of optimizers, e.g. `torch.optim.AdamW`. */
export type OptimizerClass<Settings extends { lr: number }> = new (
  params: Params<Partial<Settings>>,
  options?: Partial<Settings>,
) => Optimizer<Settings>;

/**
 * An optimizer whose state is divided among ranks (ZeRO, stage 1; Rajbhandari et al. 2020): each rank steps
 * its part of the parameters, with the state of these alone, and gives the new values to the others. All
 * ranks must have the same parameters and, as `DistributedDataParallel` leaves them, the same gradients; then
 * the result is that of `optimizerClass` itself, number by number.
 *
 * Parameters go, the largest first, to the rank that has least. One parameter is never
 * divided, so a rank holds at least the state of the largest.
 * @throws TorchError without a process group, TypeError for `LBFGS`, which steps all
 * parameters as one, and what `optimizerClass` throws.
 * @example
 * const optimizer = new torch.distributed.optim.ZeroRedundancyOptimizer(
 *   model.parameters(), torch.optim.AdamW, { lr: 1e-3 },
 * );
 * optimizer.step();
 * optimizer.consolidateStateDict(); // on all ranks
 * if (torch.distributed.getRank() === 0) torch.save(optimizer.stateDict(), "optimizer.pt");
 */
export class ZeroRedundancyOptimizer<Settings extends { lr: number }> extends Optimizer<Settings> {
  /** This rank's optimizer: its groups are those of all ranks, its states this rank's own. */
  readonly optim: Optimizer<Settings>;
  readonly #rankOf = new Map<Tensor, number>();
  readonly #elements: number[];
  #consolidated: OptimizerState["state"] | null = null;

  constructor(
    params: Params<Partial<Settings>>,
    optimizerClass: OptimizerClass<Settings>,
    options: Partial<Settings> = {},
  ) {
    const { rank, worldSize } = currentGroup();
    const optim = new optimizerClass(params, options);
    if (optim instanceof LBFGS)
      throw new TypeError(
        "ZeroRedundancyOptimizer: LBFGS steps all parameters as one, which cannot be divided; take another optimizer",
      );
    super(optim.paramGroups as Params<Settings>, optim.defaults);
    this.optim = optim;
    this.#elements = Array.from({ length: worldSize }, () => 0);
    this.#adopt();
    stepOnly(optim, (param) => this.#rankOf.get(param) === rank);
  }

  override addParamGroup(group: { params: Iterable<Tensor>; name?: string } & Partial<Settings>): void {
    // The constructor of the base brings the groups that `optim` has checked.
    if (!this.optim) super.addParamGroup(group);
    else {
      this.optim.addParamGroup(group);
      this.#adopt();
    }
  }

  /** The groups of `optim` are this optimizer's, the same objects; gives new parameters to ranks. */
  #adopt(): void {
    this.#consolidated = null;
    this.paramGroups.splice(0, this.paramGroups.length, ...this.optim.paramGroups);
    const params = this.paramGroups.flatMap((group) => group.params);
    const added = params.filter((param) => !this.#rankOf.has(param));
    for (const param of added.sort((a, b) => b.numel - a.numel)) {
      const rank = this.#elements.indexOf(Math.min(...this.#elements));
      this.#elements[rank] += param.numel;
      this.#rankOf.set(param, rank);
    }
  }

  /** As of every optimizer, to be called on all ranks. @throws RankFailure if one has failed. */
  override step(closure?: Closure): Tensor | null {
    const loss = this.optim.step(closure);
    this.#consolidated = null;
    broadcastPieces(
      [...this.#rankOf].map(([tensor, src]): Piece => {
        const { shape, dtype, device } = tensor;
        return { src, shape, dtype, device, tensor };
      }),
    );
    return loss;
  }

  /** `step` leaves it to `optim`. */
  protected stepGroup(): void {}

  /**
   * Gathers the states of all ranks on rank `to`, in the memory of its CPU, for `stateDict`, until the next
   * step. To be called on all ranks.
   * @throws RangeError if there is no such rank.
   */
  consolidateStateDict(to = 0): void {
    const { rank, worldSize } = currentGroup();
    if (!Number.isInteger(to) || to < 0 || to >= worldSize)
      throw new RangeError(`ZeroRedundancyOptimizer: there is no rank ${to} among ${worldSize}`);
    const params = this.paramGroups.flatMap((group) => group.params);
    const own = [...this.optim.stateDict().state].flatMap(([number, values]) =>
      [...values].flatMap(([name, value]) => (value instanceof Tensor ? [{ number, name, value }] : [])),
    );
    const all = allGatherObject(
      own.map(({ number, name, value: { shape, dtype } }) => ({ number, name, shape, dtype })),
    );
    const found: OptimizerState["state"] = new Map();
    const pieces: Piece[] = [];
    all.forEach((described, src) => {
      described.forEach(({ number, name, shape, dtype }, i) => {
        let tensor = src === rank ? own[i].value : null;
        if (rank === to) {
          const copy = empty(shape, { dtype }).detachFromScope();
          if (tensor) copy.copy_(tensor);
          tensor = copy;
          const values = found.get(number) ?? new Map();
          found.set(number, values.set(name, copy));
        }
        if (src !== to) pieces.push({ src, shape, dtype, device: params[number].device, tensor });
      });
    });
    broadcastPieces(pieces);
    const sorted = [...found].sort(([a], [b]) => a - b);
    this.#consolidated = rank === to ? new Map(sorted) : null;
  }

  /**
   * Settings and the states of all ranks, as `optimizerClass` itself gives them, so that it can load them:
   * only on the rank where `consolidateStateDict` has gathered them.
   * @throws TypeError elsewhere, and after a step.
   */
  override stateDict(): OptimizerState {
    if (!this.#consolidated)
      throw new TypeError(
        "ZeroRedundancyOptimizer: the state is not on this rank; call consolidateStateDict(rank) on all ranks, after the last step",
      );
    return { ...this.optim.stateDict(), state: this.#consolidated };
  }

  /**
   * Takes over a whole state, of this class with any number of ranks or of `optimizerClass`; this rank
   * keeps its part. To be called on all ranks.
   */
  override loadStateDict(given: OptimizerState | PickleValue): void {
    this.optim.loadStateDict(given);
    this.#consolidated = null;
  }

  override dispose(): void {
    this.optim.dispose();
    super.dispose();
  }
}
