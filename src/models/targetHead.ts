import * as torch from "../torch/index.ts";
import { glorot } from "./fusion.ts";

const { nn } = torch;

/** A head of one linear layer, of several, or of both added up. */
export type TargetHead = torch.nn.Linear | torch.nn.Sequential | ResidualHead;

export interface TargetHeadOptions {
  readonly dim: number;
  readonly outputs: number;
  /** Sizes of hidden layers; none make a single linear layer. */
  readonly hidden?: readonly number[] | null;
  /** Between hidden layers; default 0. */
  readonly dropout?: number;
  /** Add a linear layer beside the hidden ones; needs `hidden`. */
  readonly residual?: boolean;
}

/** skip(x) + mlp(x). */
export class ResidualHead extends nn.Module {
  readonly skip: torch.nn.Linear;
  readonly mlp: torch.nn.Sequential;

  constructor(options: TargetHeadOptions) {
    super();
    this.skip = new nn.Linear(options.dim, options.outputs);
    this.mlp = multilayer(options);
  }

  forward(input: torch.Tensor): torch.Tensor {
    return this.skip.forward(input).add(this.mlp.forward(input));
  }
}

/**
 * ReLU between the layers; dropout layers are there only where there is dropout, which
 * decides the layers' numbers.
 */
function multilayer({ dim, outputs, hidden, dropout = 0 }: TargetHeadOptions): torch.nn.Sequential {
  const layers: (torch.nn.Module & { forward(input: torch.Tensor): torch.Tensor })[] = [];
  let width = dim;
  for (const size of hidden ?? []) {
    layers.push(new nn.Linear(width, size), new nn.ReLU());
    if (dropout > 0) layers.push(new nn.Dropout(dropout));
    width = size;
  }
  layers.push(new nn.Linear(width, outputs));
  return new nn.Sequential(...layers);
}

/**
 * @throws RangeError for sizes that are no whole numbers above 0, or a residual head without hidden layers.
 */
export function makeTargetHead(options: TargetHeadOptions): TargetHead {
  const hidden = options.hidden ?? [];
  const wrong = hidden.find((size) => !(Number.isInteger(size) && size > 0));
  if (wrong !== undefined) {
    throw new RangeError(`The hidden layers of the target head need whole numbers above 0, got ${wrong}.`);
  }
  if (hidden.length > 0) return options.residual ? new ResidualHead(options) : multilayer(options);
  if (options.residual) throw new RangeError("A residual target head needs hidden layers: give their sizes.");
  return new nn.Linear(options.dim, options.outputs);
}

/** Starts every layer of a head with Glorot weights and no bias. */
export function initializeHead(head: TargetHead): void {
  for (const layer of head.modules()) if (layer instanceof nn.Linear) glorot(layer);
}
