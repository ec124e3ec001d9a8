import { expect, test } from "bun:test";
import { exposedOperators } from "../../../src/torch/dispatch/opList.ts";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { type OperatorCase, publicFunction, runCase, type Way } from "./operatorCases.ts";
import { drawCases, type PythonCases, whyNoPython } from "./pythonCases.ts";

torch.setNumThreads(1);

const obstacle = whyNoPython();
if (obstacle) console.log(`operators against Python's torch: skipped, ${obstacle}`);

/**
 * Drawn in the first test that asks: what opens scopes outside of tests keeps Bun from starting the next one.
 */
let drawn: PythonCases<OperatorCase> | null = null;
const python = () => {
  drawn ??= drawCases<OperatorCase>("operators");
  return drawn;
};
const covered = new Set(
  python()
    .cases.filter(({ raises }) => raises === undefined)
    .map(({ op }) => op),
);
const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));

function failures(way: Way, chosen: readonly OperatorCase[]): string[] {
  return chosen.flatMap((one) => {
    const wrong = runCase(one, python().tensors, way);
    return wrong.length > 0 ? [`${one.name} (${way}): ${wrong.join("; ")}`] : [];
  });
}

test.skipIf(Boolean(obstacle))("operators give Python's numbers and gradients", () => {
  expect(failures("function", python().cases)).toEqual([]);
  const withGradients = new Set(
    python()
      .cases.filter(({ grads }) => grads && Object.keys(grads).length > 0)
      .map(({ op }) => op),
  );
  console.log(
    `${covered.size} operators in ${python().cases.length} cases against Python's torch, ${withGradients.size} of them with gradients`,
  );
  expect(covered.size).toBeGreaterThan(380);
  expect(withGradients.size).toBeGreaterThan(250);
});

test.skipIf(Boolean(obstacle))("the typed short way and the general way give the same numbers", () => {
  expect(failures("short", python().cases)).toEqual([]);
  expect(failures("general", python().cases)).toEqual([]);
});

test.skipIf(Boolean(obstacle))("methods give the same numbers as functions", () => {
  const methods = torch.Tensor.prototype as unknown as Record<string, unknown>;
  const callable = python().cases.filter(
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
  ...Object.fromEntries(
    exposedOperators["sparse"].split(" ").map((name) => [name, "sparse: tests/torch/core/kinds.test.ts"]),
  ),
};

test.skipIf(Boolean(obstacle))("a number or gradient that is off is found", () => {
  const matmul = python().cases.find(({ op, grads }) => op === "matmul" && Object.keys(grads).length > 0)!;
  const keys = [
    ...matmul.outputs.map((one) => (one as { tensor: string }).tensor),
    ...Object.values(matmul.grads),
  ];
  for (const key of keys) {
    using _s = torch.scope();
    const off = new Map(python().tensors).set(key, python().tensors.get(key)!.add(0.001));
    expect(runCase(matmul, off, "function").length).toBe(1);
  }
});

test.skipIf(Boolean(obstacle))("the operators that have no case are known", () => {
  const missing = exposed.filter((name) => !covered.has(name));
  console.log(`Typed operators without a case: ${missing.join(", ") || "none"}`);
  expect(missing.sort()).toEqual(Object.keys(uncovered).sort());
  // A case must go through the public function where there is one, never silently through torch.ops.
  const indirect = [...covered].filter((op) => publicFunction(op) === undefined && !op.startsWith("__"));
  expect(indirect.filter((op) => exposed.includes(op))).toEqual([]);
});
