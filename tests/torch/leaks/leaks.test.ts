import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exposedOperators } from "../../../src/torch/dispatch/opList.ts";
import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { fittingArguments } from "./fittingArguments.ts";
import * as calls from "./functionCalls.ts";
import { type Inputs, makeInputs, operatorArguments as ownArguments } from "./operatorArguments.ts";

torch.setNumThreads(1);

const folder = mkdtempSync(join(tmpdir(), "aam-leaks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));
/** Of operators that have no row in the table, the first of the usual calls that they take. */
const operatorArguments = new Map(ownArguments);
for (const name of exposed.filter((one) => !ownArguments.has(one))) {
  const found = fittingArguments(name);
  if (found) operatorArguments.set(name, found);
}
const isOperator = new Set(exposed.map(camelCase));
const live = () => torch.memory().liveTensors;
const words = (text: string) => text.split(" ");

/** Disposes every tensor of a result but those that were given. */
function disposeAll(result: unknown, given: ReadonlySet<unknown>): void {
  if (result instanceof torch.Tensor) {
    if (!given.has(result)) result.dispose();
  } else if (Array.isArray(result)) for (const item of result) disposeAll(item, given);
}

/**
 * How many handles are there more than before, after a call outside any scope whose results were disposed.
 */
function growth(call: (t: Inputs) => unknown): number {
  // No garbage may be collected between the two counts: everything that is made here is disposed, and
  // nothing else is running.
  const inputs = makeInputs();
  const given = new Set<unknown>(Object.values(inputs));
  const before = live();
  disposeAll(call(inputs), given);
  const after = live();
  for (const tensor of given) (tensor as torch.Tensor).dispose();
  return after - before;
}

/**
 * The calls after which the number of handles is not what it was: outside scopes with results disposed,
 * inside a scope, after errors.
 */
function leaking(table: Iterable<readonly [string, (t: Inputs) => unknown]>): string[] {
  const found: string[] = [];
  Bun.gc(true);
  for (const [name, call] of table) {
    for (let round = 0; round < 2; round++) {
      const more = growth(call);
      if (more !== 0) found.push(`${name}: ${more} handles more`);
    }
    const before = live();
    {
      using _s = torch.scope();
      // What is taken out of all scopes must be freed by its owner.
      disposeAll(call(makeInputs()), new Set());
    }
    if (live() !== before) found.push(`${name} in a scope: ${live() - before} handles more`);
  }
  return found;
}

const ofTable = (table: Record<string, calls.Call>) =>
  Object.entries(table).map(([name, call]) => [name, (t: Inputs) => call(t, folder)] as const);

/** Operators that need an accelerator. */
const unavailable = torch.accelerator() ? [] : ["pin_memory"];

test("operators give back every handle, as functions and as methods", () => {
  const functions = torch as unknown as Record<string, (...args: unknown[]) => unknown>;
  const callable = exposed.filter((name) => operatorArguments.has(name) && !unavailable.includes(name));
  const prepared = (name: string, t: Inputs) => torch.tidy(() => operatorArguments.get(name)!(t));
  // The arguments that are made of the inputs are freed with the results.
  const run = (name: string, t: Inputs, operate: (args: unknown[]) => unknown) => {
    const args = prepared(name, t);
    const inputs = new Set<unknown>(Object.values(t));
    disposeAll(operate(args), new Set([...inputs, ...args.flat()]));
    disposeAll(args, inputs);
  };
  expect(
    leaking(
      callable.map((name) => [name, (t) => run(name, t, (args) => functions[camelCase(name)](...args))]),
    ),
  ).toEqual([]);
  const methods = callable.filter((name) => {
    const isMethod = camelCase(name) in torch.Tensor.prototype;
    return isMethod && torch.tidy(() => prepared(name, makeInputs())[0] instanceof torch.Tensor);
  });
  expect(methods.length).toBeGreaterThan(300);
  expect(
    leaking(
      methods.map((name) => [
        name,
        (t) =>
          run(name, t, ([self, ...rest]) => {
            const method = (self as Record<string, (...args: unknown[]) => unknown>)[camelCase(name)];
            return method.apply(self, rest);
          }),
      ]),
    ),
  ).toEqual([]);
}, 60_000);

test("operators that fail keep no handles", () => {
  const functions = torch as unknown as Record<string, (...args: unknown[]) => unknown>;
  let failed = 0;
  const attempts = exposed
    .filter((name) => operatorArguments.has(name))
    .map((name) => {
      const call = (t: Inputs): unknown => {
        // A gone tensor is refused in any place; two sizes that do not fit, by most.
        const gone = t.x.clone();
        gone.dispose();
        for (const other of [gone, t.signal]) {
          const args = torch.tidy(() => operatorArguments.get(name)!(t));
          const inputs = new Set<unknown>(Object.values(t));
          const changed = args.map((value) => (value === t.x || value === t.v ? other : value));
          try {
            disposeAll(functions[camelCase(name)](...changed), new Set([...inputs, ...args.flat()]));
          } catch {
            failed++;
          }
          disposeAll(args, inputs);
        }
        return null;
      };
      return [name, call] as const;
    });
  expect(leaking(attempts)).toEqual([]);
  expect(failed).toBeGreaterThan(exposed.length);
}, 60_000);

for (const [what, table] of Object.entries({
  functions: calls.functions,
  "methods of tensors": calls.tensorMethods,
  layers: calls.layers,
  "functions of nn.functional": calls.functionals,
  initializers: calls.initializers,
  optimizers: calls.optimizers,
  objects: calls.objects,
})) {
  test(`${what} give back every handle`, () => expect(leaking(ofTable(table))).toEqual([]));
}

test("a leak is found", () => {
  const kept: torch.Tensor[] = [];
  const leak = (t: Inputs) => void kept.push(t.x.exp().detachFromScope());
  expect(leaking([["leak", leak]]).length).toBe(3);
  for (const tensor of kept) tensor.dispose();
});

test("everything public is in the tables", () => {
  const missing = (names: string[], table: object, apart = "") =>
    names.filter((name) => !Object.hasOwn(table, name) && !words(apart).includes(name));
  const callable = (namespace: object) =>
    Object.entries(namespace)
      .filter(([, value]) => typeof value === "function")
      .map(([name]) => name);
  expect(exposed.filter((name) => !operatorArguments.has(name))).toEqual([]);
  const functions = callable(torch).filter((name) => !isOperator.has(name));
  expect(missing(functions, calls.functions, calls.functionsWithoutTensors)).toEqual([]);
  const methods = Object.getOwnPropertyNames(torch.Tensor.prototype).filter((name) => !isOperator.has(name));
  expect(missing(methods, calls.tensorMethods, calls.tensorLooks)).toEqual([]);
  expect(missing(callable(torch.nn), calls.layers, calls.layersWithoutTensors)).toEqual([]);
  const operators = torch as unknown as Record<string, unknown>;
  const functionals = Object.entries(torch.nn.functional)
    .filter(([name, value]) => operators[name] !== value)
    .map(([name]) => name);
  expect(missing(functionals, calls.functionals)).toEqual([]);
  expect(missing(callable(torch.nn.init), calls.initializers, calls.initializersWithoutTensors)).toEqual([]);
  expect(missing(callable(torch.optim), calls.optimizers, calls.optimizersWithoutTensors)).toEqual([]);
});
