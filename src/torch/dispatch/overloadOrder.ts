import type { Schema } from "./schema.ts";

/**
 * Whether an overload returns its results (rather than writing them into `out` arguments) and
 * can be called from here.
 */
export function isCallable(schema: Schema): boolean {
  if (schema.arguments.some((formal) => formal.isOutput)) return false;
  return schema.arguments.every((formal) => formal.kind !== "unsupported" || formal.hasDefault);
}

/** Overloads in the order in which they are tried: fewer arguments first, then tensors before numbers. */
export function sortOverloads(schemas: Schema[]): Schema[] {
  const rank = (schema: Schema) => schema.arguments.filter((formal) => formal.kind === "Scalar").length;
  const required = (schema: Schema) => schema.arguments.filter((formal) => !formal.hasDefault).length;
  return schemas.sort(
    (a, b) =>
      a.arguments.length - b.arguments.length ||
      required(a) - required(b) ||
      rank(a) - rank(b) ||
      (a.overload < b.overload ? -1 : 1),
  );
}
