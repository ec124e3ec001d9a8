import { camelCase } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { type Inputs, makeInputs } from "./operatorArguments.ts";

const complexOf = (t: Inputs) => torch.complex(t.x, t.y);
const sparseOf = (t: Inputs) => t.square.toSparse();
const csrOf = (t: Inputs) => t.square.toSparseCsr();

/** Calls that fit most operators, the commonest first. */
const candidates: readonly ((t: Inputs) => unknown[])[] = [
  (t) => [t.x],
  (t) => [t.square],
  (t) => [t.x, t.y],
  (t) => [t.square, t.square],
  (t) => [t.x, 2],
  (t) => [t.x, 5],
  (t) => [2, t.x],
  (t) => [t.v, t.v],
  (t) => [t.w, t.w],
  (t) => [t.v],
  (t) => [t.order, t.order],
  (t) => [t.order],
  (t) => [t.image],
  (t) => [[t.square, t.square]],
  (t) => [t.square, t.square, { upper: true }],
  (t) => [complexOf(t)],
  (t) => [t.batch.transpose(1, 2).narrow(2, 0, 2).contiguous()],
  (t) => [sparseOf(t)],
  (t) => [csrOf(t)],
  (t) => [t.square.view([4, 2, 2]), 1],
  () => [torch.eye(4).view([2, 2, 2, 2]), 2],
  () => [torch.eye(4).view([2, 2, 2, 2]), torch.ones([2, 2])],
  () => [5],
  () => [5, 0.1],
  (t) => [t.v, 3],
];

/** The first of the usual calls that an operator takes; null where it takes none. */
export function fittingArguments(name: string): ((t: Inputs) => unknown[]) | null {
  const operator = (torch as unknown as Record<string, (...args: unknown[]) => unknown>)[camelCase(name)];
  const fits = (make: (t: Inputs) => unknown[]) =>
    torch.tidy(() => {
      try {
        operator(...make(makeInputs()));
        return true;
      } catch {
        return false;
      }
    });
  return candidates.find(fits) ?? null;
}
