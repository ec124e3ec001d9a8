import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { empty } from "../../functions/creation.ts";
import { normal_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { rowNumber } from "../functional/checks.ts";

/**
 * A table of vectors looked up by integer: [...] -> [..., embeddingDim]. The row `paddingIdx` is
 * zero and gets no gradient.
 */
export class Embedding extends Module {
  readonly weight: Tensor;
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: LayerOptions & { paddingIdx?: number } = {},
  ) {
    super();
    const { paddingIdx, ...creation } = options;
    refuseLayerOptions("Embedding", creation, "paddingIdx");
    this.paddingIdx = rowNumber("Embedding", paddingIdx, numEmbeddings);
    this.weight = parameter(empty([numEmbeddings, embeddingDim], creation));
    this.resetParameters();
  }

  resetParameters(): void {
    normal_(this.weight);
    const row = this.paddingIdx;
    if (row !== null) noGrad(() => this.weight.select(0, row).zero_().dispose());
  }

  forward(indices: Tensor): Tensor {
    return ops.embedding(this.weight, indices, this.paddingIdx ?? -1);
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? "" : `, paddingIdx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}
