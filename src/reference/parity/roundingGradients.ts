import * as torch from "../../torch/index.ts";

/**
 * Where attention's scores and a distance do not depend on a parameter (the bias of keys; a shift of all
 * embeddings), its gradient is 0 but for rounding, 1e-9 of the gradients' norm. Adam divides by the
 * gradient's own size and makes steps of that.
 */
const roundingShare = 1e-6;

/** Watches the gradients of a training for elements that never have more than rounding. */
export class RoundingGradients {
  readonly #model: torch.nn.Module;
  /** By parameter, the largest share that each element's gradient has had of the gradients' norm. */
  readonly #largest = new Map<string, torch.Tensor>();

  constructor(model: torch.nn.Module) {
    this.#model = model;
  }

  /** Call after `backward`, before the gradients are clipped. */
  observe(): void {
    torch.noGrad(() => {
      const norm = torch.nn.clipGradNorm_(this.#model.parameters(), Number.POSITIVE_INFINITY);
      for (const [name, parameter] of this.#model.namedParameters()) {
        const gradient = parameter.grad;
        if (!gradient) continue;
        const share = gradient.abs().div(norm);
        const before = this.#largest.get(name);
        this.#largest.set(name, (before ? before.maximum(share) : share).detachFromScope());
        before?.dispose();
      }
    });
  }

  /**
   * By parameter, where an element had gradients of rounding alone (true); parameters
   * without such are absent.
   */
  elements(): Map<string, torch.Tensor> {
    const found = new Map<string, torch.Tensor>();
    for (const [name, share] of this.#largest) {
      // A gradient of exactly 0 moves nothing.
      const rounding = share.gt(0).logicalAnd(share.lt(roundingShare));
      if (rounding.any().itemBool()) found.set(name, rounding);
      share.dispose();
    }
    this.#largest.clear();
    return found;
  }
}
