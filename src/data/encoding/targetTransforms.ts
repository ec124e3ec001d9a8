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
] as const;
export type TargetTransformName = (typeof targetTransformNames)[number];

const stateSchema = z.object({
  name: z.enum(targetTransformNames),
  scaling: scalingSchema,
  /** Of each category key; what is not in it uses `scaling`. Only for `zscore-category`. */
  ofCategory: z.record(z.string(), scalingSchema).optional(),
});
/** Plain JSON, saved with the model. */
export type TargetTransformState = z.infer<typeof stateSchema>;

/** exp of more than this overflows float32. */
const largestLogarithm = 88;

/**
 * How a numeric target becomes what the model is trained on, and back: an optional `log(y + 1)`, then an
 * affine map to [0, 1] (minmax) or to mean 0 and standard deviation 1 (zscore), over all training samples or
 * within each category. Fit it on the training samples only. Missing values are NaN and stay NaN.
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
   * (see `categoryKeys`), null where it is unknown.
   * @throws UserError if there is no value, if a value is too small for a logarithm, or if
   * keys are needed and absent.
   */
  static fit(
    name: TargetTransformName,
    values: Float64Array,
    column: string,
    keys?: readonly (string | null)[],
  ): TargetTransform {
    const usesLog = name.startsWith("log-");
    const used = usesLog ? values.map((value) => logOf(value, column)) : values;
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

  /** Values as the model sees them. @throws UserError for values that have no logarithm. */
  apply(values: Float64Array, column: string, keys?: readonly (string | null)[]): Float64Array {
    return values.map((value, i) => {
      const { shift, scale } = this.#scalingOf(i, keys);
      return ((this.usesLog ? logOf(value, column) : value) - shift) / scale;
    });
  }

  /** Predictions in the target's own units. */
  invert(values: Float64Array, keys?: readonly (string | null)[]): Float64Array {
    return values.map((value, i) => {
      const { shift, scale } = this.#scalingOf(i, keys);
      const unscaled = value * scale + shift;
      return this.usesLog ? Math.expm1(Math.min(unscaled, largestLogarithm)) : unscaled;
    });
  }

  /** The same of a tensor [n], in float64 and with gradients. */
  invertTensor(values: torch.Tensor, keys?: readonly (string | null)[]): torch.Tensor {
    const scalings = Array.from({ length: values.numel }, (_, i) => this.#scalingOf(i, keys));
    const ofAll = (name: keyof Scaling) =>
      torch.tensor(Float64Array.from(scalings, (scaling) => scaling[name])).to(values.device);
    const unscaled = values.to("float64").mul(ofAll("scale")).add(ofAll("shift"));
    return this.usesLog ? unscaled.clampMax(largestLogarithm).expm1() : unscaled;
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

function logOf(value: number, column: string): number {
  if (value <= -1) {
    throw new UserError(
      `The logarithm of "${column}" + 1 does not exist for its value ${value}; choose a transform without log.`,
    );
  }
  return Math.log1p(value);
}
