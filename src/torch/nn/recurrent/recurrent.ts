import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { warn } from "../../core/warn.ts";
import { operator } from "../../dispatch/operators.ts";
import { empty, zeros } from "../../functions/creation.ts";
import { uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { needProbability, refuse, shown } from "../functional/checks.ts";
import { PackedSequence } from "../utils/rnn.ts";

/** Each has a form for padded and one for packed sequences. */
const kernel = (name: string) =>
  operator(`aten::${name}`, ["input", "data"], name) as unknown as (...args: readonly unknown[]) => Tensor[];
const kernels = {
  rnnTanh: kernel("rnn_tanh"),
  rnnRelu: kernel("rnn_relu"),
  gru: kernel("gru"),
  lstm: kernel("lstm"),
};

export interface RecurrentOptions extends LayerOptions {
  readonly numLayers?: number;
  readonly bias?: boolean;
  /** [batch, length, size] rather than [length, batch, size]. */
  readonly batchFirst?: boolean;
  /** Between layers, in training. */
  readonly dropout?: number;
  readonly bidirectional?: boolean;
}

/**
 * What all recurrent layers have in common: weights under PyTorch's names (`weight_ih_l0`,
 * `bias_hh_l1_reverse` ...), and checks.
 */
abstract class Recurrent extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** In the order in which the operators take them. Some may be computed: they are asked for by name. */
  private readonly weightNames: string[] = [];

  protected constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: RecurrentOptions,
    readonly projSize = 0,
  ) {
    super();
    const {
      numLayers = 1,
      bias = true,
      batchFirst = false,
      dropout = 0,
      bidirectional = false,
      ...creation
    } = options;
    const { name } = new.target;
    refuseLayerOptions(name, creation, "numLayers, bias, batchFirst, dropout, bidirectional");
    needProbability(name, dropout);
    if (!(Number.isInteger(hiddenSize) && hiddenSize > 0))
      throw new RangeError(`${name}: the hidden size must be a whole number above 0, got ${hiddenSize}`);
    if (!(Number.isInteger(numLayers) && numLayers > 0))
      throw new RangeError(`${name}: numLayers must be a whole number above 0, got ${numLayers}`);
    if (!(projSize >= 0 && projSize < hiddenSize))
      throw new RangeError(`${name}: projSize must be at least 0 and below the hidden size, got ${projSize}`);
    if (dropout > 0 && numLayers === 1)
      warn(`${name}: dropout stands between layers; with one layer, ${dropout} does nothing`);
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    const own = this as unknown as Record<string, Tensor>;
    const outSize = projSize || hiddenSize;
    for (let layer = 0; layer < numLayers; layer++) {
      for (const suffix of bidirectional ? ["", "_reverse"] : [""]) {
        const end = `_l${layer}${suffix}`;
        const inSize = layer === 0 ? inputSize : outSize * (bidirectional ? 2 : 1);
        const add = (name: string, shape: readonly number[]) => {
          own[name + end] = parameter(empty(shape, creation));
          this.weightNames.push(name + end);
        };
        add("weight_ih", [gates * hiddenSize, inSize]);
        add("weight_hh", [gates * hiddenSize, outSize]);
        if (bias) add("bias_ih", [gates * hiddenSize]);
        if (bias) add("bias_hh", [gates * hiddenSize]);
        if (projSize > 0) add("weight_hr", [projSize, hiddenSize]);
      }
    }
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const weight of this.parameters()) uniform_(weight, -bound, bound);
  }

  /**
   * Brings the input into the form that the operators take, calls one, and undoes it: unbatched inputs get a
   * batch of one, packed sequences go as they are, states are sorted as the sequences are. `sizes` are those
   * of each state's last dimension.
   */
  protected compute<Input extends Tensor | PackedSequence>(
    input: Input,
    given: readonly Tensor[] | null,
    sizes: readonly number[],
    call: (parts: {
      sequence: readonly Tensor[];
      states: Tensor[];
      weights: Tensor[];
      rest: unknown[];
    }) => Tensor[],
  ): [Input, ...Tensor[]] {
    const { name } = this.constructor;
    const packed = input instanceof PackedSequence ? input : null;
    const values = packed ? packed.data : (input as Tensor);
    const isSingle = !packed && values.ndim === 2;
    if (!packed && values.ndim !== 2 && values.ndim !== 3)
      refuse(name, `takes 2 dimensions, or 3 with a batch, got ${shown(values.shape)}`);
    if (values.size(-1) !== this.inputSize)
      refuse(name, `the input's last dimension must be ${this.inputSize}, got ${shown(values.shape)}`);
    const result = tidy(() => {
      const batchDim = this.batchFirst ? 0 : 1;
      const sequence = isSingle ? values.unsqueeze(batchDim) : values;
      const batch = packed ? Number(packed.batchSizes.data()[0]) : sequence.size(batchDim);
      const layers = this.numLayers * (this.bidirectional ? 2 : 1);
      const sorted = packed?.sortedIndices ?? null;
      const states = sizes.map((size, i) => {
        const state = given?.[i];
        if (!state) return zeros([layers, batch, size], { dtype: values.dtype, device: values.device });
        const full = isSingle && state.ndim === 2 ? state.unsqueeze(1) : state;
        const expected = [layers, batch, size];
        if (shown(full.shape) !== shown(expected))
          refuse(name, `expected a state of shape ${shown(expected)}, got ${shown(state.shape)}`);
        return sorted ? full.indexSelect(1, sorted) : full;
      });
      const settings = [this.bias, this.numLayers, this.dropout, this.training, this.bidirectional];
      const [output, ...after] = call({
        sequence: packed ? [values, packed.batchSizes] : [sequence],
        states,
        weights: this.weightNames.map((name) => (this as unknown as Record<string, Tensor>)[name]),
        rest: packed ? settings : [...settings, this.batchFirst],
      });
      const back = packed?.unsortedIndices ?? null;
      const last = after.map((state) => {
        if (isSingle) return state.squeeze(1);
        return back ? state.indexSelect(1, back) : state;
      });
      return [isSingle ? output.squeeze(batchDim) : output, ...last];
    });
    const [output, ...after] = result;
    return [(packed ? packed.withData(output) : output) as Input, ...after];
  }

  override extraRepr(): string {
    const { inputSize, hiddenSize, numLayers, bidirectional } = this;
    return `${inputSize}, ${hiddenSize}, numLayers=${numLayers}${bidirectional ? ", bidirectional=true" : ""}`;
  }
}

/**
 * h' = tanh(W x + b + U h + c), or with `nonlinearity: "relu"` max(0, ...), along a sequence (Elman 1990).
 */
export class RNN extends Recurrent {
  readonly nonlinearity: "tanh" | "relu";

  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = "tanh", ...options }: RecurrentOptions & { nonlinearity?: "tanh" | "relu" } = {},
  ) {
    super(1, inputSize, hiddenSize, options);
    if (nonlinearity !== "tanh" && nonlinearity !== "relu")
      throw new TypeError(`RNN: nonlinearity must be "tanh" or "relu", got ${JSON.stringify(nonlinearity)}`);
    this.nonlinearity = nonlinearity;
  }

  /**
   * [length, batch, inputSize] -> [length, batch, hiddenSize], and the last states [layers, batch,
   * hiddenSize]; `state` is zero unless given.
   */
  forward<Input extends Tensor | PackedSequence>(input: Input, state: Tensor | null = null): [Input, Tensor] {
    const run = this.nonlinearity === "tanh" ? kernels.rnnTanh : kernels.rnnRelu;
    const [output, last] = this.compute(
      input,
      state ? [state] : null,
      [this.hiddenSize],
      ({ sequence, states, weights, rest }) => run(...sequence, states[0], weights, ...rest),
    );
    return [output, last];
  }
}

/** Gated recurrent units along a sequence (Cho et al. 2014). */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(3, inputSize, hiddenSize, options);
  }

  /** As `RNN.forward`. */
  forward<Input extends Tensor | PackedSequence>(input: Input, state: Tensor | null = null): [Input, Tensor] {
    const [output, last] = this.compute(
      input,
      state ? [state] : null,
      [this.hiddenSize],
      ({ sequence, states, weights, rest }) => kernels.gru(...sequence, states[0], weights, ...rest),
    );
    return [output, last];
  }
}

/**
 * Long short-term memory along a sequence (Hochreiter and Schmidhuber 1997); with `projSize` outputs
 * are projected to that size.
 * @throws TorchError for inputs and states of other shapes.
 * @example
 * const lstm = new nn.LSTM(8, 16, { numLayers: 2, batchFirst: true });
 * const [output, [h, c]] = lstm.forward(torch.randn([4, 10, 8]));
 */
export class LSTM extends Recurrent {
  constructor(
    inputSize: number,
    hiddenSize: number,
    { projSize = 0, ...options }: RecurrentOptions & { projSize?: number } = {},
  ) {
    super(4, inputSize, hiddenSize, options, projSize);
  }

  /** As `RNN.forward`; the state is hidden and cell. */
  forward<Input extends Tensor | PackedSequence>(
    input: Input,
    state: readonly [Tensor, Tensor] | null = null,
  ): [Input, [Tensor, Tensor]] {
    const [output, hidden, cell] = this.compute(
      input,
      state,
      [this.projSize || this.hiddenSize, this.hiddenSize],
      ({ sequence, states, weights, rest }) => kernels.lstm(...sequence, states, weights, ...rest),
    );
    return [output, [hidden, cell]];
  }
}
