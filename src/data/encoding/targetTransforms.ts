import { z } from "zod";
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import { fitMinMax, fitZScore, isConstant, noScaling, type Scaling, scalingSchema } from "./scaling.ts";

export const targetTransformNames = [
  "none",
  "minmax",
  "zscore",
  "zscore-category",
  "log-minmax",
  "log-zscore",
  "power-zscore",
] as const;
export type TargetTransformName = (typeof targetTransformNames)[number];

const stateSchema = z.object({
  name: z.enum(targetTransformNames),
  scaling: scalingSchema,
  /** Of each category key; what is not in it uses `scaling`. Only for `zscore-category`. */
  ofCategory: z.record(z.string(), scalingSchema).optional(),
  /** Only for `power-zscore`. */
  power: z.number().gt(0).max(1).optional(),
});
/** Plain JSON, saved with the model. */
export type TargetTransformState = z.infer<typeof stateSchema>;

/** exp of more than this overflows float32. */
const largestLogarithm = 88;

/**
 * How a numeric target becomes what the model is trained on, and back: an optional `log(y + 1)` or power of
 * y, then an affine map to [0, 1] (minmax) or to mean 0 and standard deviation 1 (zscore), over all training
 * samples or within each category. Fit it on the training samples only. Missing values are NaN and stay NaN.
 */
export class TargetTransform {
  readonly state: TargetTransformState;
  /** What is odd about the values it was fitted on, each a sentence. */
  readonly warnings: readonly string[];

  private constructor(state: TargetTransformState, warnings: readonly string[]) {
    this.state = state;
    this.warnings = warnings;
  }

  /**
   * `column` names the target in errors. `keys`, for `zscore-category`, has the category key of each value
   * (see `categoryKeys`), null where it is unknown; `power`, for `power-zscore`, is above 0 and at most 1.
   * @throws UserError if there is no value, if a value is too small for a logarithm or a power,
   * or if keys are needed and absent.
   */
  static fit(
    name: TargetTransformName,
    values: Float64Array,
    column: string,
    { keys, power = 1 }: { readonly keys?: readonly (string | null)[]; readonly power?: number } = {},
  ): TargetTransform {
    const used = values.map((value) => curved(name, value, column, power));
    if (used.every(Number.isNaN)) {
      throw new UserError(
        `No training sample has a value of "${column}"; check the metadata and the sample ids.`,
      );
    }
    const fitted =
      name === "none" ? noScaling : name.endsWith("minmax") ? fitMinMax(used)! : fitZScore(used)!;
    const warnings = isConstant(used)
      ? [`All training samples have the same value of "${column}"; there is nothing to learn from it.`]
      : [];
    if (name === "power-zscore") return new TargetTransform({ name, scaling: fitted, power }, warnings);
    if (name !== "zscore-category") return new TargetTransform({ name, scaling: fitted }, warnings);
    if (keys === undefined) {
      throw new UserError('The transform "zscore-category" needs the columns of its categories; name them.');
    }
    return new TargetTransform(
      { name, scaling: fitted, ofCategory: fitCategories(used, keys, fitted) },
      warnings,
    );
  }

  /** @throws a `RangeError` for what is no saved state. */
  static fromState(state: unknown): TargetTransform {
    const parsed = stateSchema.safeParse(state);
    if (!parsed.success) {
      throw new RangeError(`Not a saved target transform: ${z.prettifyError(parsed.error)}`);
    }
    return new TargetTransform(parsed.data, []);
  }

  /** Whether the transformed training values lie between 0 and 1. */
  get isBounded(): boolean {
    return this.state.name.endsWith("minmax");
  }

  get usesLog(): boolean {
    return this.state.name.startsWith("log-");
  }

  /** Values as the model sees them. @throws UserError for values that have no logarithm or power. */
  apply(values: Float64Array, column: string, keys?: readonly (string | null)[]): Float64Array {
    return values.map((value, i) => {
      const { shift, scale } = this.#scalingOf(i, keys);
      return (curved(this.state.name, value, column, this.#power) - shift) / scale;
    });
  }

  /** Predictions in the target's own units. */
  invert(values: Float64Array, keys?: readonly (string | null)[]): Float64Array {
    return values.map((value, i) => {
      const { shift, scale } = this.#scalingOf(i, keys);
      const unscaled = value * scale + shift;
      if (this.usesLog) return Math.expm1(Math.min(unscaled, largestLogarithm));
      // No power is below 0, so the nearest number is 0.
      return this.#power === 1 ? unscaled : Math.max(0, unscaled) ** (1 / this.#power);
    });
  }

  /** The same of a tensor [n], in float64 and with gradients. */
  invertTensor(values: torch.Tensor, keys?: readonly (string | null)[]): torch.Tensor {
    const scalings = Array.from({ length: values.numel }, (_, i) => this.#scalingOf(i, keys));
    const ofAll = (name: keyof Scaling) =>
      torch.tensor(Float64Array.from(scalings, (scaling) => scaling[name])).to(values.device);
    const unscaled = values.to("float64").mul(ofAll("scale")).add(ofAll("shift"));
    if (this.usesLog) return unscaled.clampMax(largestLogarithm).expm1();
    return this.#power === 1 ? unscaled : unscaled.clampMin(0).pow(1 / this.#power);
  }

  get #power(): number {
    return this.state.power ?? 1;
  }

  /** The keys that were not among the training samples, whose values use the scaling of all. */
  unseenKeys(keys: readonly (string | null)[]): string[] {
    const known = this.state.ofCategory;
    if (known === undefined) return [];
    return [...new Set(keys)].filter((key) => key !== null && !Object.hasOwn(known, key)) as string[];
  }

  #scalingOf(position: number, keys: readonly (string | null)[] | undefined): Scaling {
    const { ofCategory, scaling } = this.state;
    if (ofCategory === undefined) return scaling;
    if (keys === undefined) throw new RangeError("This transform needs the category key of each value.");
    const key = keys[position];
    return key !== null && Object.hasOwn(ofCategory, key) ? ofCategory[key] : scaling;
  }
}

/**
 * Mean and deviation within each category. A category whose values are all equal (one sample, for instance)
 * has no deviation of its own and takes that of all samples.
 */
function fitCategories(
  values: Float64Array,
  keys: readonly (string | null)[],
  all: Scaling,
): Record<string, Scaling> {
  const members = new Map<string, number[]>();
  for (const [i, key] of keys.entries()) {
    if (key === null || Number.isNaN(values[i])) continue;
    const list = members.get(key);
    if (list === undefined) members.set(key, [values[i]]);
    else list.push(values[i]);
  }
  return Object.fromEntries(
    [...members].map(([key, list]) => {
      const own = fitZScore(list)!;
      return [key, isConstant(list) ? { shift: own.shift, scale: all.scale } : own];
    }),
  );
}

/** What is scaled: the value, its `log(y + 1)`, or its power. NaN stays NaN. */
function curved(name: TargetTransformName, value: number, column: string, power: number): number {
  if (name.startsWith("log-")) return logOf(value, column);
  if (name !== "power-zscore" || power === 1) return value;
  if (value < 0) {
    throw new UserError(
      `"${column}" has the value ${value}, and --target-transform power-zscore is for numbers from 0 on; choose zscore.`,
    );
  }
  return value ** power;
}

function logOf(value: number, column: string): number {
  if (value <= -1) {
    throw new UserError(
      `The logarithm of "${column}" + 1 does not exist for its value ${value}; choose a transform without log.`,
    );
  }
  return Math.log1p(value);
}
