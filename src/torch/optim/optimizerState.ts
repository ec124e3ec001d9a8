import { Tensor } from "../core/tensor.ts";
import { camelCase, snakeCase } from "../dispatch/schema.ts";
import { tensor } from "../functions/creation.ts";
import type { PickleValue } from "../io/pickle.ts";
import type { PickleInput } from "../io/savePickle.ts";

/**
 * What an optimizer keeps of a parameter under one name: mostly a tensor; LBFGS keeps numbers and lists too.
 */
export type StateValue = Tensor | number | null | readonly (Tensor | number | null)[];

/**
 * What an optimizer keeps, as PyTorch's `state_dict()` has it: written with `torch.save` it is loaded by
 * Python's `load_state_dict`. Settings have PyTorch's names (`weight_decay`).
 */
export type OptimizerState = {
  /** By parameter number, then by name, e.g. `exp_avg`. */
  state: Map<number, Map<string, StateValue>>;
  /** The settings of each group; `params` are the numbers of its parameters. */
  param_groups: Record<string, PickleInput>[];
};

/** The settings of a group under PyTorch's names. */
export function groupToState(settings: object, params: readonly number[]): Record<string, PickleInput> {
  const named = Object.entries(settings).map(([key, value]) => [snakeCase(key), value as PickleInput]);
  return { ...Object.fromEntries(named), params };
}

/** A saved group: its settings under our names, and the numbers of its parameters. */
export interface SavedGroup {
  readonly settings: Record<string, unknown>;
  readonly params: readonly number[];
}

/** A saved state, checked as far as its form goes. */
export interface SavedState {
  readonly groups: SavedGroup[];
  readonly state: ReadonlyMap<number, ReadonlyMap<string, StateValue>>;
}

const entriesOf = (value: unknown): [unknown, unknown][] =>
  value instanceof Map
    ? [...value]
    : typeof value === "object" && value !== null
      ? Object.entries(value)
      : [];

/** What `stateDict` gave, or what `torch.load` read of a file. @throws TypeError if it is something else. */
export function readOptimizerState(name: string, given: OptimizerState | PickleValue): SavedState {
  const fail = (): never => {
    throw new TypeError(
      `${name}: expected the state of an optimizer, with param_groups and a state by parameter number`,
    );
  };
  const top = new Map(entriesOf(given));
  const saved = top.get("param_groups");
  if (!Array.isArray(saved) || !top.has("state")) return fail();
  let count = 0;
  const groups = saved.map((group): SavedGroup => {
    const { params, ...settings } = Object.fromEntries(
      entriesOf(group).map(([key, value]) => [
        camelCase(String(key)),
        value instanceof Tensor ? value.item() : value,
      ]),
    );
    // Checkpoints of version 0.1 have the number of parameters alone.
    const numbers = Number.isInteger(params) ? Array.from({ length: Number(params) }, () => count++) : params;
    return Array.isArray(numbers) && numbers.every(Number.isInteger) ? { settings, params: numbers } : fail();
  });
  const state = entriesOf(top.get("state")).map(
    ([number, own]): [number, ReadonlyMap<string, StateValue>] => {
      const values = entriesOf(own);
      const isState = Number.isInteger(Number(number)) && (values.length > 0 || own instanceof Map);
      return isState ? [Number(number), readValues(values, fail)] : fail();
    },
  );
  return { groups, state: new Map(state) };
}

function readValues(values: [unknown, unknown][], fail: () => never): ReadonlyMap<string, StateValue> {
  const isOne = (value: unknown) => value === null || typeof value === "number" || value instanceof Tensor;
  return new Map(
    values.map(([key, value]): [string, StateValue] => {
      if (!isOne(value) && !(Array.isArray(value) && value.every(isOne))) return fail();
      // Before 1.12 PyTorch counted steps in numbers.
      return [
        String(key),
        key === "step" && typeof value === "number" ? tensor(value) : (value as StateValue),
      ];
    }),
  );
}
