import * as torch from "../torch/index.ts";

const growthInterval = 2000;

/**
 * Multiplies float16 losses so that small gradients do not vanish. A step whose gradients overflow is left out and the factor
 * halved; after 2000 good steps it is doubled (Micikevicius et al. 2018). Waits for the device once a step.
 */
export class GradScaler {
  #scale = 65536;
  #goodSteps = 0;

  scaled(loss: torch.Tensor): torch.Tensor {
    return loss.mul(this.#scale);
  }

  /** Divides the gradients again, and tells whether all are finite. */
  unscale(parameters: readonly torch.Tensor[]): boolean {
    const allFinite = torch.noGrad(() =>
      torch.tidy(() => {
        const grads = parameters.flatMap((value) => value.grad ?? []);
        if (grads.length === 0) return true;
        const device = grads[0].device;
        const found = torch.zeros([], { device });
        const inverse = torch.full([], 1 / this.#scale, { device });
        torch.ops.unsafe.aten._amp_foreach_non_finite_check_and_unscale_(grads, found, inverse);
        return found.item() === 0;
      }),
    );
    if (!allFinite) {
      this.#scale = Math.max(this.#scale / 2, 1);
      this.#goodSteps = 0;
    } else if (++this.#goodSteps >= growthInterval) {
      this.#scale *= 2;
      this.#goodSteps = 0;
    }
    return allFinite;
  }

  state(): [scale: number, goodSteps: number] {
    return [this.#scale, this.#goodSteps];
  }

  restore([scale, goodSteps]: [number, number]): void {
    this.#scale = scale;
    this.#goodSteps = goodSteps;
  }
}
