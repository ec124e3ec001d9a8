import { expect, test } from "bun:test";
import { exposedOperators } from "../../../src/torch/dispatch/opList.ts";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { type OperatorCase, publicFunction, runCase, type Way } from "./operatorCases.ts";
import { drawCases, whyNoPython } from "./pythonCases.ts";

torch.setNumThreads(1);

const obstacle = whyNoPython();
if (obstacle) console.log(`operators against Python's torch: skipped, ${obstacle}`);

const drawn = obstacle ? null : drawCases<OperatorCase>("operators");
const cases = drawn?.cases ?? [];
const covered = new Set(cases.filter(({ raises }) => raises === undefined).map(({ op }) => op));
const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));

function failures(way: Way, chosen: readonly OperatorCase[]): string[] {
  return chosen.flatMap((one) => {
    const wrong = runCase(one, drawn!.tensors, way);
    return wrong.length > 0 ? [`${one.name} (${way}): ${wrong.join("; ")}`] : [];
  });
}

test.skipIf(!drawn)("operators give Python's numbers and gradients", () => {
  expect(failures("function", cases)).toEqual([]);
  const withGradients = new Set(
    cases.filter(({ grads }) => grads && Object.keys(grads).length > 0).map(({ op }) => op),
  );
  console.log(
    `${covered.size} operators in ${cases.length} cases against Python's torch, ${withGradients.size} of them with gradients`,
  );
  expect(covered.size).toBeGreaterThan(380);
  expect(withGradients.size).toBeGreaterThan(250);
});

test.skipIf(!drawn)("the typed short way and the general way give the same numbers", () => {
  expect(failures("short", cases)).toEqual([]);
  expect(failures("general", cases)).toEqual([]);
});

test.skipIf(!drawn)("methods give the same numbers as functions", () => {
  const methods = torch.Tensor.prototype as unknown as Record<string, unknown>;
  const callable = cases.filter(
    ({ op, args }) =>
      typeof methods[camelCase(op)] === "function" &&
      typeof args[0] === "object" &&
      args[0] !== null &&
      "tensor" in args[0],
  );
  expect(new Set(callable.map(({ op }) => op)).size).toBeGreaterThan(300);
  expect(failures("method", callable)).toEqual([]);
});

/** Typed operators without a case, each with the reason. */
const uncovered: Record<string, string> = {
  resize_: "what it adds is left uninitialized",
  set_: "has no result to compare but the tensor that it was given",
  pin_memory: "needs an accelerator",
  is_pinned: "needs an accelerator",
};

test.skipIf(!drawn)("a number or gradient that is off is found", () => {
  const matmul = cases.find(({ op, grads }) => op === "matmul" && Object.keys(grads).length > 0)!;
  const keys = [
    ...matmul.outputs.map((one) => (one as { tensor: string }).tensor),
    ...Object.values(matmul.grads),
  ];
  for (const key of keys) {
    using _s = torch.scope();
    const off = new Map(drawn!.tensors).set(key, drawn!.tensors.get(key)!.add(0.001));
    expect(runCase(matmul, off, "function").length).toBe(1);
  }
});

test.skipIf(!drawn)("the operators that have no case are known", () => {
  const missing = exposed.filter((name) => !covered.has(name));
  console.log(`Typed operators without a case: ${missing.join(", ") || "none"}`);
  expect(missing.sort()).toEqual(Object.keys(uncovered).sort());
  // A case must go through the public function where there is one, never silently through torch.ops.
  const indirect = [...covered].filter((op) => publicFunction(op) === undefined && !op.startsWith("__"));
  expect(indirect.filter((op) => exposed.includes(op))).toEqual([]);
});
