import { z } from "zod";
import { UserError } from "../../common/userError.ts";

/** How samples are weighted: by how rare their category is, or as the user says, by category. */
export type WeightRule = "auto" | ReadonlyMap<string, number>;

const stateSchema = z.record(z.string(), z.number().positive());
/** Weight of each category key; plain JSON. */
export type CategoryWeightsState = z.infer<typeof stateSchema>;

/**
 * Reads a weight rule: `auto`, a JSON object (`{"gut": 2, "palm": 1}`) or pairs (`gut=2,palm=1`).
 * `option` names where it was given in errors.
 */
export function parseWeightRule(text: string, option: string): WeightRule {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === "auto") return "auto";
  const pairs = trimmed.startsWith("{") ? pairsOfJson(trimmed, option) : pairsOfText(trimmed, option);
  for (const [name, weight] of pairs) {
    if (!(typeof weight === "number" && Number.isFinite(weight) && weight > 0)) {
      throw new UserError(
        `${option}: the weight of "${name}" must be a number above 0, not ${JSON.stringify(weight)}.`,
      );
    }
  }
  if (pairs.length === 0)
    throw new UserError(`${option} names no weights; give "auto" or a weight per category.`);
  return new Map(pairs as [string, number][]);
}

function pairsOfJson(text: string, option: string): [string, unknown][] {
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>);
  } catch (cause) {
    throw new UserError(
      `${option} is not valid JSON (${(cause as Error).message}); write {"category": weight, ...}, pairs such as gut=2,palm=1, or auto.`,
    );
  }
}

function pairsOfText(text: string, option: string): [string, number][] {
  return text.split(",").map((pair) => {
    const separator = pair.lastIndexOf("=");
    const weight = pair.slice(separator + 1).trim();
    if (separator < 1 || weight === "") {
      throw new UserError(`${option}: "${pair.trim()}" is not a weight; write category=weight, or auto.`);
    }
    return [pair.slice(0, separator).trim(), Number(weight)];
  });
}

/**
 * Weights of samples by their category key (see `categoryKeys`), such that with the rule `auto` the
 * weights of N training samples add up to N and every category to the same sum: N / (K n), with K
 * categories of n samples.
 */
export class CategoryWeights {
  readonly state: CategoryWeightsState;
  /** Each a sentence. */
  readonly warnings: readonly string[];

  private constructor(state: CategoryWeightsState, warnings: readonly string[]) {
    this.state = state;
    this.warnings = warnings;
  }

  /**
   * `keys`: those of the training samples. In a rule by category a key may be written whole (`site=gut`) or,
   * where there is one column, as the bare value (`gut`).
   * @throws UserError if none of the rule's categories occurs, or if no sample has a category.
   */
  static fit(
    rule: WeightRule,
    keys: readonly (string | null)[],
    columns: readonly string[],
  ): CategoryWeights {
    const counts = new Map<string, number>();
    for (const key of keys) if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const named = columns.map((name) => `"${name}"`).join(", ");
    if (total === 0) throw new UserError(`No training sample has a value of ${named}; choose other columns.`);
    if (rule === "auto") {
      const weights = [...counts].map(([key, count]) => [key, total / (counts.size * count)]);
      return new CategoryWeights(Object.fromEntries(weights), []);
    }
    const weights = [...rule].map(([name, weight]) => [wholeKey(name, columns, counts), weight] as const);
    const unknown = weights.filter(([key]) => !counts.has(key)).map(([key]) => `"${key}"`);
    if (unknown.length === weights.length) {
      const some = [...counts.keys()].slice(0, 10).map((key) => `"${key}"`);
      throw new UserError(
        `None of the weighted categories ${unknown.join(", ")} occurs among the training samples; they have ${some.join(", ")}.`,
      );
    }
    const warnings = unknown.map(
      (key) => `The weighted category ${key} does not occur among the training samples.`,
    );
    for (const key of counts.keys()) {
      if (!weights.some(([weighted]) => weighted === key)) {
        warnings.push(`The category "${key}" has no weight and counts as 1.`);
      }
    }
    return new CategoryWeights(Object.fromEntries(weights), warnings);
  }

  /** @throws a `RangeError` for what is no saved state. */
  static fromState(state: unknown): CategoryWeights {
    const parsed = stateSchema.safeParse(state);
    if (!parsed.success) throw new RangeError(`Not saved category weights: ${z.prettifyError(parsed.error)}`);
    return new CategoryWeights(parsed.data, []);
  }

  /** Weight of each sample; 1 where its category has none or is missing. */
  weights(keys: readonly (string | null)[]): Float32Array {
    const { state } = this;
    return Float32Array.from(keys, (key) => (key !== null && Object.hasOwn(state, key) ? state[key] : 1));
  }
}

function wholeKey(name: string, columns: readonly string[], counts: ReadonlyMap<string, number>): string {
  if (columns.length !== 1 || counts.has(name)) return name;
  return name.startsWith(`${columns[0]}=`) ? name : `${columns[0]}=${name}`;
}
