import { z } from "zod";
import { UserError } from "../../common/userError.ts";
import type { Column } from "../dataset/column.ts";

/** Texts of one column, one for each sample; null where the value is missing. */
export interface TextValues {
  readonly name: string;
  readonly values: readonly (string | null)[];
}

/** A data set's column as texts; numbers become their shortest decimal form. */
export function textValues(column: Column): TextValues {
  const { name } = column;
  if (column.kind === "text") {
    const { categories } = column;
    return { name, values: Array.from(column.codes, (code) => (code < 0 ? null : categories[code])) };
  }
  return { name, values: Array.from(column.values, (value) => (Number.isNaN(value) ? null : String(value))) };
}

const stateSchema = z.array(z.object({ name: z.string(), categories: z.array(z.string()) }));
/** Plain JSON, saved with the model. */
export type CategoricalEncoderState = z.infer<typeof stateSchema>;

/**
 * Numbers for categorical columns: the categories of the training samples, sorted as text, are 1, 2 ...; 0 is
 * a missing value or a category that was not among them.
 */
export class CategoricalEncoder {
  readonly state: CategoricalEncoderState;
  readonly #indexOf: ReadonlyMap<string, ReadonlyMap<string, number>>;

  private constructor(state: CategoricalEncoderState) {
    this.state = state;
    this.#indexOf = new Map(
      state.map(({ name, categories }) => [name, new Map(categories.map((text, i) => [text, i + 1]))]),
    );
  }

  /** Takes the categories of each column from `rows`, the training samples. */
  static fit(columns: readonly TextValues[], rows: ArrayLike<number>): CategoricalEncoder {
    return new CategoricalEncoder(
      columns.map(({ name, values }) => ({ name, categories: presentCategories(values, rows) })),
    );
  }

  /** @throws a `RangeError` for what is no saved state. */
  static fromState(state: unknown): CategoricalEncoder {
    const parsed = stateSchema.safeParse(state);
    if (!parsed.success) {
      throw new RangeError(`Not a saved categorical encoder: ${z.prettifyError(parsed.error)}`);
    }
    return new CategoricalEncoder(parsed.data);
  }

  get columnNames(): string[] {
    return this.state.map(({ name }) => name);
  }

  /** Number of different indices of a column: its categories and the unknown. */
  cardinality(name: string): number {
    return this.#column(name).size + 1;
  }

  /** Index of each value. @throws UserError for a column it was not fitted on. */
  encode({ name, values }: TextValues): Int32Array {
    const indexOf = this.#column(name);
    return Int32Array.from(values, (value) => (value === null ? 0 : (indexOf.get(value) ?? 0)));
  }

  /** Text of an index; undefined for 0. */
  decode(name: string, index: number): string | undefined {
    this.#column(name);
    return this.state.find((column) => column.name === name)?.categories[index - 1];
  }

  #column(name: string): ReadonlyMap<string, number> {
    const column = this.#indexOf.get(name);
    if (column !== undefined) return column;
    const names = this.columnNames.map((one) => `"${one}"`).join(", ");
    throw new UserError(
      `The model knows no categorical column "${name}"; it knows ${names === "" ? "none" : names}.`,
    );
  }
}

/** The different values among `rows`, sorted as text. */
export function presentCategories(values: readonly (string | null)[], rows: ArrayLike<number>): string[] {
  const categories = new Set<string>();
  for (let i = 0; i < rows.length; i++) {
    const value = values[rows[i]];
    if (value !== null) categories.add(value);
  }
  return [...categories].sort();
}

/**
 * One key for each sample out of one or several columns: `site=gut,sex=female`; null
 * where one of them is missing.
 */
export function categoryKeys(columns: readonly TextValues[]): (string | null)[] {
  if (columns.length === 0) throw new RangeError("Category keys need at least one column.");
  return columns[0].values.map((_, sample) => {
    const parts = columns.map(({ name, values }) =>
      values[sample] === null ? null : `${name}=${values[sample]}`,
    );
    return parts.includes(null) ? null : parts.join(",");
  });
}
