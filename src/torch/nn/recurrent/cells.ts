import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { operator } from "../../dispatch/operators.ts";
import { empty, zeros } from "../../functions/creation.ts";
import { uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";

const kernel = (name: string) =>
  operator(`aten::${name}`, [""], name) as unknown as (...args: readonly unknown[]) => unknown;
const kernels = {
  rnnTanh: kernel("rnn_tanh_cell"),
  rnnRelu: kernel("rnn_relu_cell"),
  gru: kernel("gru_cell"),
  lstm: kernel("lstm_cell"),
};

export interface CellOptions extends LayerOptions {
  readonly bias?: boolean;
}

/** One step of a recurrent layer: what its cells have in common. */
abstract class Cell extends Module {
  static override readonly names = {
    weightIh: "weight_ih",
    weightHh: "weight_hh",
    biasIh: "bias_ih",
    biasHh: "bias_hh",
  };
  weightIh: Tensor;
  weightHh: Tensor;
  biasIh: Tensor | null;
  biasHh: Tensor | null;

  protected constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    { bias = true, ...creation }: CellOptions,
  ) {
    super();
    refuseLayerOptions(new.target.name, creation, "bias");
    this.weightIh = parameter(empty([gates * hiddenSize, inputSize], creation));
    this.weightHh = parameter(empty([gates * hiddenSize, hiddenSize], creation));
    this.biasIh = bias ? parameter(empty([gates * hiddenSize], creation)) : null;
    this.biasHh = bias ? parameter(empty([gates * hiddenSize], creation)) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const weight of this.parameters()) uniform_(weight, -bound, bound);
  }

  /** Calls an operator with a batch, with states of zeros where none are given. */
  protected compute(
    input: Tensor,
    given: readonly Tensor[] | null,
    count: number,
    call: (input: Tensor, states: Tensor[], weights: readonly (Tensor | null)[]) => Tensor[],
  ): Tensor[] {
    if ((input.ndim !== 1 && input.ndim !== 2) || input.size(-1) !== this.inputSize)
      refuse(
        this.constructor.name,
        `takes [batch, ${this.inputSize}] or [${this.inputSize}], got ${shown(input.shape)}`,
      );
    return tidy(() => {
      const isSingle = input.ndim === 1;
      const batch = isSingle ? input.unsqueeze(0) : input;
      const expected = [...input.shape.slice(0, -1), this.hiddenSize];
      const states = Array.from({ length: count }, (_, i) => {
        const state = given?.[i] ?? zeros(expected, { dtype: input.dtype, device: input.device });
        if (shown(state.shape) !== shown(expected))
          refuse(
            this.constructor.name,
            `expected a state of shape ${shown(expected)}, got ${shown(state.shape)}`,
          );
        return isSingle ? state.unsqueeze(0) : state;
      });
      const after = call(batch, states, [this.weightIh, this.weightHh, this.biasIh, this.biasHh]);
      return isSingle ? after.map((state) => state.squeeze(0)) : after;
    });
  }

  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}`;
  }
}

/** One step of `RNN`. */
export class RNNCell extends Cell {
  readonly nonlinearity: "tanh" | "relu";

  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = "tanh", ...options }: CellOptions & { nonlinearity?: "tanh" | "relu" } = {},
  ) {
    super(1, inputSize, hiddenSize, options);
    if (nonlinearity !== "tanh" && nonlinearity !== "relu")
      throw new TypeError(
        `RNNCell: nonlinearity must be "tanh" or "relu", got ${JSON.stringify(nonlinearity)}`,
      );
    this.nonlinearity = nonlinearity;
  }

  /** [batch, inputSize] and the state before [batch, hiddenSize] -> the state. */
  forward(input: Tensor, state: Tensor | null = null): Tensor {
    const run = this.nonlinearity === "tanh" ? kernels.rnnTanh : kernels.rnnRelu;
    return this.compute(input, state ? [state] : null, 1, (x, [h], w) => [run(x, h, ...w) as Tensor])[0];
  }
}

/** One step of `GRU`. */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(3, inputSize, hiddenSize, options);
  }

  /** [batch, inputSize] and the state before [batch, hiddenSize] -> the state. */
  forward(input: Tensor, state: Tensor | null = null): Tensor {
    const step = (x: Tensor, [h]: Tensor[], w: readonly (Tensor | null)[]) => [
      kernels.gru(x, h, ...w) as Tensor,
    ];
    return this.compute(input, state ? [state] : null, 1, step)[0];
  }
}

/** One step of `LSTM`. */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(4, inputSize, hiddenSize, options);
  }

  /** [batch, inputSize], hidden and cell state before -> hidden and cell state. */
  forward(input: Tensor, state: readonly [Tensor, Tensor] | null = null): [Tensor, Tensor] {
    const step = (x: Tensor, states: Tensor[], w: readonly (Tensor | null)[]) =>
      kernels.lstm(x, states, ...w) as Tensor[];
    return this.compute(input, state, 2, step) as [Tensor, Tensor];
  }
}
