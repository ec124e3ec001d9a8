/**
 * A matcher for `bun:test`; importing this module adds it:
 *
 *     import "aam-torch/matchers";
 *     expect(model.forward(x)).toBeAllClose(expected, { rtol: 1e-4, atol: 1e-6 });
 *
 * @module matchers
 */
import { expect } from "bun:test";
import { type CloseOptions, type Comparable, differenceOf } from "./assertClose.ts";

declare module "bun:test" {
  interface Matchers<T> {
    /** Holds where `torch.testing.assertClose` does not throw. */
    toBeAllClose(expected: Comparable, options?: CloseOptions): void;
  }
}

expect.extend({
  toBeAllClose(actual: unknown, expected: Comparable, options: CloseOptions = {}) {
    const fault = differenceOf(actual as Comparable, expected, options);
    return {
      pass: fault === null,
      message: () =>
        fault === null
          ? "The tensors are close, but were expected not to be"
          : `The tensors are not close: ${fault}`,
    };
  },
});
