/** Tensors under the comparisons of Bun and Node, in snapshots and in copies. */
import { describe, expect, test } from "bun:test";
import assert from "node:assert";
import { isDeepStrictEqual } from "node:util";
import * as torch from "../../../src/torch/index.ts";

const fails = (run: () => unknown): boolean => {
  try {
    run();
    return false;
  } catch {
    return true;
  }
};

/** Each pair is judged by every comparison, both ways, also nested. */
function expectAll(a: unknown, b: unknown, equal: boolean): void {
  for (const [x, y] of [
    [a, b],
    [b, a],
    [{ x: [a] }, { x: [b] }],
    [new Map([["x", a]]), new Map([["x", b]])],
  ]) {
    expect([
      Bun.deepEquals(x, y),
      Bun.deepEquals(x, y, true),
      isDeepStrictEqual(x, y),
      !fails(() => assert.deepStrictEqual(x, y)),
      !fails(() => expect(x).toEqual(y)),
      !fails(() => expect(x).toStrictEqual(y)),
    ]).toEqual(new Array(6).fill(equal));
  }
}

describe("tensors are equal under every comparison if dtype, shape, device and values are", () => {
  const equal: [string, () => [torch.Tensor, torch.Tensor]][] = [
    [
      "float32",
      () => [
        torch.tensor([
          [1, 2],
          [3, 4],
        ]),
        torch.tensor([
          [1, 2],
          [3, 4],
        ]),
      ],
    ],
    [
      "a view and a copy",
      () => [
        torch
          .tensor([
            [1, 3],
            [2, 4],
          ])
          .t(),
        torch.tensor([
          [1, 2],
          [3, 4],
        ]),
      ],
    ],
    ["NaN", () => [torch.tensor([Number.NaN, 1]), torch.tensor([Number.NaN, 1])]],
    ["NaN of either sign", () => [torch.tensor([0]).div(0), torch.tensor([0]).div(-0)]],
    ["zeros of either sign", () => [torch.tensor([0, -0]), torch.tensor([-0, 0])]],
    ["int64", () => [torch.tensor([2n ** 60n]), torch.tensor([2n ** 60n])]],
    ["bfloat16", () => [torch.ones([3]).to("bfloat16"), torch.ones([3]).to("bfloat16")]],
    ["bool", () => [torch.tensor([true, false]), torch.tensor([true, false])]],
    ["without elements", () => [torch.zeros([0, 3]), torch.zeros([0, 3])]],
    ["a parameter and a plain one", () => [torch.ones([2]).requiresGrad_(), torch.ones([2])]],
    ["meta", () => [torch.empty([2], { device: "meta" }), torch.empty([2], { device: "meta" })]],
  ];
  for (const [name, make] of equal) test(name, () => expectAll(...make(), true));

  const unequal: [string, () => [unknown, unknown]][] = [
    ["values", () => [torch.tensor([1, 2]), torch.tensor([1, 3])]],
    ["one bit of one value", () => [torch.tensor([1]), torch.tensor([1 + 2 ** -23])]],
    ["shapes of other sizes", () => [torch.ones([2]), torch.zeros([3])]],
    ["shapes of the same elements", () => [torch.ones([2, 3]), torch.ones([3, 2])]],
    ["dtypes", () => [torch.ones([2]), torch.ones([2], { dtype: "float64" })]],
    ["devices", () => [torch.ones([2]), torch.ones([2], { device: "meta" })]],
    ["large int64", () => [torch.tensor([2n ** 60n]), torch.tensor([2n ** 60n + 1n])]],
    ["a tensor and its values", () => [torch.tensor([1, 2]), [1, 2]]],
    ["a tensor and an object", () => [torch.tensor([1, 2]), {}]],
  ];
  for (const [name, make] of unequal) test(`not with other ${name}`, () => expectAll(...make(), false));

  test("in scopes of different depth", () => {
    using _outer = torch.scope();
    const a = torch.ones([2]);
    using _inner = torch.scope();
    expectAll(a, torch.ones([2]), true);
    expectAll(a, torch.zeros([2]), false);
  });
});

test("modules are compared by their parameters", () => {
  torch.manualSeed(1);
  const a = new torch.nn.Linear(2, 3);
  const b = new torch.nn.Linear(2, 3);
  expect(a).not.toEqual(b);
  b.loadStateDict(a.stateDict());
  expect(a).toEqual(b);
});

test("a disposed tensor cannot be compared, and says so", () => {
  const gone = torch.ones([2]);
  gone.dispose();
  expect(() => Bun.deepEquals(gone, torch.ones([2]))).toThrow("used after it had been disposed");
});

test("a snapshot holds dtype, shape and values, row by row", () => {
  expect(
    torch.tensor([
      [1, 2.1, -0],
      [3, 4, Number.NaN],
    ]),
  ).toMatchInlineSnapshot(`
Tensor {
  [Symbol(contents)]: {
 "tensor": "float32 [2, 3]",
 "rows": [
  "1 2.1 -0",
  "3 4 NaN"
 ]
},
}
`);
});

test("the difference of two tensors shows dtype, shape and values, and nothing else", () => {
  const message = (run: () => void) => {
    try {
      run();
    } catch (cause) {
      return Bun.stripANSI((cause as Error).message);
    }
    return "no difference";
  };
  expect(message(() => expect(torch.ones([2])).toEqual(torch.zeros([1, 2])))).toBe(
    `expect(received).toEqual(expected)

  Tensor {
    [Symbol(contents)]: {
-  "tensor": "float32 [1, 2]",
+  "tensor": "float32 [2]",
   "rows": [
-   "0 0"
+   "1 1"
   ]
  },
  }

- Expected  - 2
+ Received  + 2
`,
  );
});

test("a tensor's constructor has the name and the functions of its class", () => {
  const { constructor: standIn } = torch.ones([2]);
  expect([standIn.name, standIn.prototype]).toEqual(["Tensor", torch.Tensor.prototype]);
});

test("in the snapshot of a large tensor every value counts, though not every one is shown", () => {
  const text = (tensor: torch.Tensor) => {
    const [symbol] = Object.getOwnPropertySymbols(tensor);
    return JSON.stringify((tensor as unknown as Record<symbol, unknown>)[symbol]);
  };
  const large = torch.zeros([200, 50]);
  const other = large.clone();
  other.setAt([150, 45], 1e-30);
  expect(text(large).length).toBeLessThan(6000);
  expect(text(large)).toBe(text(torch.zeros([200, 50])));
  expect(text(other)).not.toBe(text(large));
});

test("structuredClone and postMessage refuse, and tell the cure", () => {
  const { port1, port2 } = new MessageChannel();
  for (const value of [torch.ones([2]), { deep: [torch.ones([2])] }, new torch.nn.Linear(1, 1)]) {
    for (const copy of [() => structuredClone(value), () => port1.postMessage(value)]) {
      expect(copy).toThrow(
        /cannot be cloned or posted .* tensor\.clone\(\).*tensor\.transfer\(\).*Tensor\.receive/,
      );
    }
  }
  port1.close();
  port2.close();
});

test("comparing leaves no tensors behind", () => {
  const a = torch.ones([4]);
  const b = torch.ones([4]);
  Bun.gc(true);
  const before = torch.memory().liveTensors;
  for (let i = 0; i < 100; i++) expect(a).toEqual(b);
  // What other tests left may be collected meanwhile.
  expect(torch.memory().liveTensors).toBeLessThanOrEqual(before);
});
