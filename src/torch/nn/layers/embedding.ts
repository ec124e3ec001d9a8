import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { empty } from "../../functions/creation.ts";
import { normal_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { refuse, rowNumber, shown } from "../functional/checks.ts";
import {
  type BagMode,
  type EmbeddingBagLookup,
  type EmbeddingLookup,
  embedding,
  embeddingBag,
} from "../functional/embedding.ts";

interface TableOptions extends LayerOptions, EmbeddingLookup {
  /** @internal The table itself, instead of drawing one. */
  readonly _weight?: Tensor;
}

/** A table of vectors, and how its rows are looked up. */
abstract class Table extends Module {
  weight: Tensor;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  readonly sparse: boolean;

  protected constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: TableOptions,
    known = "",
  ) {
    super();
    const {
      paddingIdx,
      maxNorm = null,
      normType = 2,
      scaleGradByFreq = false,
      sparse = false,
      _weight,
      ...creation
    } = options;
    const { name } = new.target;
    refuseLayerOptions(name, creation, `${known}paddingIdx, maxNorm, normType, scaleGradByFreq, sparse`);
    this.paddingIdx = rowNumber(name, paddingIdx, numEmbeddings);
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.sparse = sparse;
    this.weight = _weight ?? parameter(empty([numEmbeddings, embeddingDim], creation));
    if (!_weight) this.resetParameters();
  }

  resetParameters(): void {
    normal_(this.weight);
    const row = this.paddingIdx;
    if (row !== null) noGrad(() => this.weight.select(0, row).zero_().dispose());
  }

  override extraRepr(): string {
    const { numEmbeddings, embeddingDim, paddingIdx } = this;
    return `${numEmbeddings}, ${embeddingDim}${paddingIdx === null ? "" : `, paddingIdx=${paddingIdx}`}`;
  }
}

/** A copy of given values [rows, width] as what a layer's table is made of. */
function given(name: string, embeddings: Tensor, freeze: boolean): { _weight: Tensor } {
  if (embeddings.ndim !== 2) refuse(name, `takes a table [rows, width], got ${shown(embeddings.shape)}`);
  return { _weight: parameter(noGrad(() => embeddings.clone())).requiresGrad_(!freeze) };
}

/**
 * A table of vectors looked up by integer: [...] -> [..., embeddingDim]. The row `paddingIdx` is zero and
 * gets no gradient.
 */
export class Embedding extends Table {
  constructor(numEmbeddings: number, embeddingDim: number, options: TableOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
  }

  /**
   * A layer with a copy of given vectors [rows, width], which are not learned further unless `freeze` is
   * false.
   */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...lookup }: EmbeddingLookup & { freeze?: boolean } = {},
  ): Embedding {
    const table = given("Embedding.fromPretrained", embeddings, freeze);
    return new Embedding(embeddings.size(0), embeddings.size(1), { ...lookup, ...table });
  }

  forward(indices: Tensor): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq, sparse } = this;
    return embedding(indices, this.weight, { paddingIdx, maxNorm, normType, scaleGradByFreq, sparse });
  }
}

export interface EmbeddingBagOptions extends TableOptions {
  /** What becomes of a bag's rows. Default "mean". */
  readonly mode?: BagMode;
  /** Offsets have one number more: the end of the last bag. */
  readonly includeLastOffset?: boolean;
}

/**
 * `functional.embeddingBag` with a table of its own: indices [n] and offsets [bags], or indices [bags, n] ->
 * [bags, embeddingDim]. The row `paddingIdx` is zero, gets no gradient and does not count.
 * @example
 * const bags = new torch.nn.EmbeddingBag(10, 3, { mode: "sum" });
 * bags.forward(torch.tensor([1n, 2n, 4n, 5n]), torch.tensor([0n, 3n])); // rows 1, 2 and 4; row 5
 */
export class EmbeddingBag extends Table {
  readonly mode: BagMode;
  readonly includeLastOffset: boolean;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    const { mode = "mean", includeLastOffset = false, ...table } = options;
    super(numEmbeddings, embeddingDim, table, "mode, includeLastOffset, ");
    this.mode = mode;
    this.includeLastOffset = includeLastOffset;
  }

  /**
   * A layer with a copy of given vectors [rows, width], which are not learned further unless `freeze` is
   * false.
   */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...options }: EmbeddingBagOptions & { freeze?: boolean } = {},
  ): EmbeddingBag {
    const table = given("EmbeddingBag.fromPretrained", embeddings, freeze);
    return new EmbeddingBag(embeddings.size(0), embeddings.size(1), { ...options, ...table });
  }

  /** `perSampleWeights` has the indices' shape. */
  forward(
    indices: Tensor,
    offsets: Tensor | null = null,
    options: Pick<EmbeddingBagLookup, "perSampleWeights"> = {},
  ): Tensor {
    const { perSampleWeights, ...others } = options;
    refuseOthers("EmbeddingBag", others, "perSampleWeights");
    const { mode, includeLastOffset, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse } = this;
    const table = { paddingIdx, maxNorm, normType, scaleGradByFreq, sparse };
    return embeddingBag(indices, this.weight, {
      ...table,
      mode,
      includeLastOffset,
      offsets,
      perSampleWeights,
    });
  }

  override extraRepr(): string {
    return `${super.extraRepr()}, mode=${this.mode}`;
  }
}
