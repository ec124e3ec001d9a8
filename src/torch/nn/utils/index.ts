/** `torch.nn.utils`. */
import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { cat } from "../../dispatch/ops.gen.ts";

export { clipGradNorm_, clipGradValue_ } from "./clipGrad.ts";
/** `torch.nn.utils.parametrizations`. */
export * as parametrizations from "./parametrizations.ts";
/** `torch.nn.utils.parametrize`. */
export * as parametrize from "./parametrize.ts";
/** `torch.nn.utils.rnn`. */
export * as rnn from "./rnn.ts";

/** All parameters as one vector. */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  return tidy(() => cat([...parameters].map((value) => value.reshape([-1]))));
}

/**
 * Copies what `parametersToVector` gave back into the parameters.
 * @throws RangeError if the number of elements differs.
 */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  const targets = [...parameters];
  const count = targets.reduce((sum, value) => sum + value.numel, 0);
  if (count !== vector.numel)
    throw new RangeError(
      `vectorToParameters: ${vector.numel} elements for parameters of ${count} elements in all`,
    );
  noGrad(() =>
    tidy(() => {
      let start = 0;
      for (const target of targets) {
        target.copy_(vector.narrow(0, start, target.numel).viewAs(target));
        start += target.numel;
      }
    }),
  );
}
