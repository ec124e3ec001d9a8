import * as torch from "../../torch/index.ts";

/** Copies of a model's gradients as they are now. */
export class GradientCopy implements Disposable {
  readonly #copies: readonly (readonly [torch.Tensor, torch.Tensor | null])[];

  constructor(model: torch.nn.Module) {
    this.#copies = model
      .parameters()
      .map((value) => [value, value.grad?.clone().detachFromScope() ?? null] as const);
  }

  /** Sets the gradients back. */
  restore(): void {
    torch.tidy(() => {
      for (const [value, copy] of this.#copies) value.grad = copy?.clone() ?? null;
    });
  }

  [Symbol.dispose](): void {
    for (const [, copy] of this.#copies) copy?.dispose();
  }
}
