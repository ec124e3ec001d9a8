import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import "../../../src/torch/testing/matchers.ts";

const { assertClose } = torch.testing;

test("PyTorch's tolerances for each dtype are the limit: just inside passes, just outside does not", () => {
  const limits = { float16: [1e-3, 1e-5], float32: [1.3e-6, 1e-5], float64: [1e-7, 1e-7] } as const;
  for (const [dtype, [rtol, atol]] of Object.entries(limits) as [
    keyof typeof limits,
    readonly [number, number],
  ][]) {
    const expected = torch.tensor([100], { dtype });
    const step = atol + rtol * 100;
    const moved = (by: number) => torch.tensor([100 + by], { dtype: "float64" });
    const options = { checkDtype: false };
    expect(() => assertClose(moved(step * 0.99), expected, options)).not.toThrow();
    expect(() => assertClose(moved(step * 1.01), expected, options)).toThrow("1 of 1 elements");
  }
  expect(() => assertClose(torch.tensor([1n]), torch.tensor([2n]))).toThrow();
});

test("the message tells how many, how far and where", () => {
  const fault = () =>
    assertClose(
      torch.tensor([
        [1, 2],
        [3, 8],
      ]),
      torch.tensor([
        [1, 2],
        [3, 4],
      ]),
    );
  expect(fault).toThrow(
    "The tensors are not close: 1 of 4 elements (25.0 %) are not close\n" +
      "  greatest absolute difference: 4 at index (1, 1) (up to 0.00001 allowed)\n" +
      "  greatest relative difference: 1 at index (1, 1) (up to 0.0000013 allowed)",
  );
  expect(fault).toThrow(torch.testing.NotCloseError);
});

test("shapes, dtypes and devices must be the same, the last two unless told otherwise", () => {
  expect(() => assertClose(torch.ones([2]), torch.ones([1, 2]))).toThrow(
    "shapes differ: [2] is not the expected [1, 2]",
  );
  const double = torch.ones([2], { dtype: "float64" });
  expect(() => assertClose(torch.ones([2]), double)).toThrow(
    "dtypes differ: float32 is not the expected float64",
  );
  expect(() => assertClose(torch.ones([2]), double, { checkDtype: false })).not.toThrow();
  const meta = torch.ones([2], { device: "meta" });
  expect(() => assertClose(torch.ones([2]), meta)).toThrow("devices differ");
});

test("NaN, infinities and whole numbers beyond 2^53", () => {
  const odd = () => torch.tensor([Number.NaN, Number.POSITIVE_INFINITY]);
  expect(() => assertClose(odd(), odd())).toThrow("1 of 2 elements");
  expect(() => assertClose(odd(), odd(), { equalNan: true })).not.toThrow();
  expect(() => assertClose(torch.tensor([1e30]), torch.tensor([Number.POSITIVE_INFINITY]))).toThrow();
  expect(() => assertClose(torch.tensor([2n ** 60n]), torch.tensor([2n ** 60n + 1n]))).toThrow(
    "1 of 1 elements differ",
  );
});

test("nested values are compared to the last, and the place of a fault is named", () => {
  const make = (value: number) => ({ a: [1, torch.ones([2])], b: new Map([["c", torch.full([1], value)]]) });
  expect(() => assertClose(make(1), make(1))).not.toThrow();
  expect(() => assertClose(make(1), make(2))).toThrow("at .b.c: 1 of 1 elements");
  expect(() => assertClose([1, 2], [1])).toThrow("[1] was not expected");
  expect(() => assertClose({ a: 1 }, { a: 1, b: 2 })).toThrow(".b is missing");
  expect(() => assertClose(1, torch.ones([1]))).toThrow("the other is not of its kind");
  expect(() => assertClose(1, 1 + 1e-9)).not.toThrow();
  expect(() => assertClose(1, 1.1)).toThrow("1 is not close to 1.1");
  const layer = new torch.nn.Linear(2, 2);
  expect(() => assertClose(layer.stateDict(), layer.stateDict())).not.toThrow();
});

test("one tolerance without the other is a mistake", () => {
  expect(() => assertClose(torch.ones([1]), torch.ones([1]), { rtol: 1 })).toThrow("give both rtol and atol");
});

test("the matcher holds where assertClose does, and tells as much", () => {
  expect(torch.ones([2])).toBeAllClose(torch.ones([2]).add(1e-7));
  expect(torch.ones([2])).not.toBeAllClose(torch.zeros([2]));
  expect(torch.ones([2])).toBeAllClose(torch.zeros([2]), { rtol: 0, atol: 1 });
  expect(() => expect(torch.ones([2])).toBeAllClose(torch.zeros([2]))).toThrow(
    "2 of 2 elements (100.0 %) are not close",
  );
  expect(() => expect(torch.ones([2])).not.toBeAllClose(torch.ones([2]))).toThrow("were expected not to be");
});
