import * as torch from "../../torch/index.ts";

/**
 * An exponential moving average of a model's trainable parameters. The decay is smaller at first, min(decay,
 * (1 + n) / (10 + n)) after n steps, so that the start is soon forgotten.
 */
export class WeightAverage {
  /** Updates so far. */
  steps = 0;
  readonly #parameters: [string, torch.Tensor][];
  readonly #averages: torch.Tensor[];

  readonly #decay: number;

  constructor(model: torch.nn.Module, decay: number) {
    this.#decay = decay;
    this.#parameters = [...model.namedParameters()].filter(([, value]) => value.requiresGrad);
    this.#averages = torch.noGrad(() =>
      this.#parameters.map(([, value]) => value.detach().clone().detachFromScope()),
    );
  }

  /** Takes the present weights in. */
  update(): void {
    const decay = Math.min(this.#decay, (1 + this.steps) / (10 + this.steps));
    this.steps++;
    torch.noGrad(() => {
      const present = this.#parameters.map(([, value]) => value);
      torch.ops.aten._foreach_lerp_(this.#averages, present, 1 - decay);
    });
  }

  /** Exchanges the model's weights and the average. */
  swap(): void {
    torch.noGrad(() =>
      torch.tidy(() => {
        this.#parameters.forEach(([, value], i) => {
          const held = value.clone();
          value.copy_(this.#averages[i]);
          this.#averages[i].copy_(held);
        });
      }),
    );
  }

  tensors(): ReadonlyMap<string, torch.Tensor> {
    return new Map(this.#parameters.map(([name], i) => [name, this.#averages[i]]));
  }

  /** Takes over what `tensors` gave; parameters without a value keep theirs. */
  load(tensors: ReadonlyMap<string, torch.Tensor>): void {
    torch.noGrad(() => {
      this.#parameters.forEach(([name], i) => {
        const value = tensors.get(name);
        if (value) this.#averages[i].copy_(value);
      });
    });
  }

  dispose(): void {
    for (const average of this.#averages) average.dispose();
  }
}
