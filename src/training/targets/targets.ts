import { z } from "zod";
import { isDate, oddNumber } from "../../common/numberNotation.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { quote, quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { categoryKeys, textValues } from "../../data/encoding/categories.ts";
import { encodeClasses, fitClasses } from "../../data/encoding/classLabels.ts";
import { TargetTransform } from "../../data/encoding/targetTransforms.ts";
import type * as torch from "../../torch/index.ts";
import type { TargetConfig } from "../config/config.ts";

const stateSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("numbers"),
    columns: z.array(z.object({ name: z.string(), transform: z.unknown() })),
    /** Levels, or null where the one value of each target is predicted. */
    quantiles: z.array(z.number()).nullable(),
    normalizeBy: z.array(z.string()),
  }),
  z.object({ kind: z.literal("classes"), column: z.string(), classes: z.array(z.string()) }),
]);
/** Plain JSON, saved with the model. */
export type TargetsState = z.infer<typeof stateSchema>;

const defaultQuantiles = [0.1, 0.5, 0.9];

/**
 * What a model predicts of samples: numbers with their transforms, or classes. Fitted
 * on training samples alone.
 */
export class Targets {
  readonly state: TargetsState;
  readonly warnings: readonly string[];
  readonly #transforms: readonly TargetTransform[];

  private constructor(
    state: TargetsState,
    transforms: readonly TargetTransform[],
    warnings: readonly string[],
  ) {
    this.state = state;
    this.#transforms = transforms;
    this.warnings = warnings;
  }

  /** @throws UserError for columns that cannot be predicted as configured. */
  static fit(dataset: Dataset, train: Int32Array, config: TargetConfig): Targets {
    const { metadataColumn: columns } = config;
    if (isClassifier(dataset, config)) {
      const column = columns[0];
      const { values } = textValues(dataset.column(column));
      return new Targets({ kind: "classes", column, classes: fitClasses(values, train, column) }, [], []);
    }
    const keys = config.normalizeBy.length > 0 ? categoryKeysOf(dataset, config.normalizeBy) : undefined;
    const trainKeys = keys && Array.from(train, (sample) => keys[sample]);
    // What is chosen later stands for nothing yet.
    const transform = config.transform === "auto" ? "zscore" : config.transform;
    const transforms = columns.map((name) => {
      const values = numbersOf(dataset, name);
      const own = Float64Array.from(train, (sample) => values[sample]);
      return TargetTransform.fit(transform, own, name, { keys: trainKeys, power: config.power });
    });
    const state: TargetsState = {
      kind: "numbers",
      columns: columns.map((name, i) => ({ name, transform: transforms[i].state })),
      quantiles:
        config.lossType === "quantile"
          ? [...(config.quantiles ?? defaultQuantiles)].sort((a, b) => a - b)
          : null,
      normalizeBy: config.normalizeBy,
    };
    return new Targets(
      state,
      transforms,
      transforms.flatMap((transform) => transform.warnings),
    );
  }

  /** @throws a `RangeError` for what is no saved state. */
  static fromState(state: unknown): Targets {
    const parsed = stateSchema.safeParse(state);
    if (!parsed.success) throw new RangeError(`Not saved targets: ${z.prettifyError(parsed.error)}`);
    const { data } = parsed;
    const transforms =
      data.kind === "numbers"
        ? data.columns.map(({ transform }) => TargetTransform.fromState(transform))
        : [];
    return new Targets(data, transforms, []);
  }

  /** Names of the predicted columns. */
  get columns(): string[] {
    return this.state.kind === "numbers" ? this.state.columns.map(({ name }) => name) : [this.state.column];
  }

  get classes(): readonly string[] | null {
    return this.state.kind === "classes" ? this.state.classes : null;
  }

  get quantiles(): readonly number[] | null {
    return this.state.kind === "numbers" ? this.state.quantiles : null;
  }

  /** Numbers, or classes, that the model gives. */
  get outputs(): number {
    return this.state.kind === "numbers" ? this.state.columns.length : this.state.classes.length;
  }

  /** Class number of every sample of a data set, -1 where unknown. */
  classNumbers(dataset: Dataset): Int32Array {
    if (this.state.kind !== "classes") throw new RangeError("These targets are no classes.");
    const { column, classes } = this.state;
    return encodeClasses(textValues(dataset.column(column)).values, classes);
  }

  /** Values of every sample in the column's own units, by column; NaN where unknown. */
  actual(dataset: Dataset): Float64Array[] {
    return this.columns.map((name) => numbersOf(dataset, name));
  }

  /** [N, K] as the model learns them; NaN where unknown. */
  transformed(dataset: Dataset): Float32Array {
    const keys = this.keys(dataset);
    const columns = this.actual(dataset).map((values, i) =>
      this.#transforms[i].apply(values, this.columns[i], keys),
    );
    const all = new Float32Array(dataset.sampleCount * columns.length);
    columns.forEach((values, k) => {
      for (let i = 0; i < values.length; i++) all[i * columns.length + k] = values[i];
    });
    return all;
  }

  /** What a transform by category needs to know of every sample; undefined where there is none. */
  keys(dataset: Dataset): readonly (string | null)[] | undefined {
    const by = this.state.kind === "numbers" ? this.state.normalizeBy : [];
    return by.length > 0 ? categoryKeysOf(dataset, by) : undefined;
  }

  /** Outputs of one column (and quantile) for `samples`, in the column's own units. */
  inverted(
    column: number,
    values: Float64Array,
    samples: Int32Array,
    keys: readonly (string | null)[] | undefined,
  ): Float64Array {
    return this.#transforms[column].invert(values, keys && Array.from(samples, (sample) => keys[sample]));
  }

  /** The same of a tensor, see `TargetTransform.invertTensor`. */
  invertedTensor(
    column: number,
    values: torch.Tensor,
    samples: ArrayLike<number>,
    keys: readonly (string | null)[] | undefined,
  ): torch.Tensor {
    const own = keys && Array.from(samples, (sample) => keys[sample]);
    return this.#transforms[column].invertTensor(values, own);
  }

  /** Samples of the data set with at least one known target. */
  labelled(dataset: Dataset): Int32Array {
    const columns = this.columns.map((name) => dataset.column(name));
    return samplesWith(dataset.sampleCount, columns);
  }
}

/** Samples that have a value in at least one of some columns. @throws UserError if there are none. */
export function labelledSamples(dataset: Dataset, columns: readonly string[]): Int32Array {
  const samples = samplesWith(
    dataset.sampleCount,
    columns.map((name) => dataset.column(name)),
  );
  if (samples.length > 0) return samples;
  throw new UserError(
    `None of the ${dataset.sampleCount} samples has a value of ${columns.map(quote).join(" or ")}; fill them in, or choose another column.`,
  );
}

/**
 * A warning of samples that are not used; empty if all are.
 * @param columns of which at least one is needed.
 * @example
 * leftOut(28, 14, ["age"]); // ['14 of 28 samples have no value of "age" and are left out.']
 */
export function leftOut(all: number, used: number, columns: readonly string[]): string[] {
  if (used === all) return [];
  const names = columns.map(quote).join(" or ");
  return [`${all - used} of ${all} samples have no value of ${names} and are left out.`];
}

function samplesWith(count: number, columns: readonly ReturnType<Dataset["column"]>[]): Int32Array {
  const known = (sample: number) =>
    columns.some((column) =>
      column.kind === "numeric" ? !Number.isNaN(column.values[sample]) : column.codes[sample] >= 0,
    );
  return Int32Array.from(Array.from({ length: count }, (_, i) => i).filter(known));
}

/**
 * Whether classes are predicted: as configured, else where the column holds text.
 * @throws UserError for contradictions.
 */
export function isClassifier(dataset: Dataset, config: TargetConfig): boolean {
  const { metadataColumn: columns, classifier } = config;
  if (columns.length === 0) throw new UserError("Nothing to predict is named; give --metadata-column.");
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  if (twice !== undefined) throw new UserError(`--metadata-column names "${twice}" twice; name it once.`);
  const texts = columns.filter((name) => dataset.column(name).kind === "text");
  if (classifier === null && texts.length > 0) refuseMixed(dataset, texts[0]);
  const classes = classifier ?? texts.length > 0;
  if (!classes) {
    if (texts.length === 0) return false;
    throw new UserError(
      `The column "${texts[0]}" holds text, which cannot be predicted as numbers; leave --no-classifier out.`,
    );
  }
  if (columns.length > 1) {
    throw new UserError(
      `Classes of one column are predicted at a time, but ${columns.length} are named (${columns.join(", ")}); name one, or only numeric ones.`,
    );
  }
  if (config.lossType === "quantile" || config.lossType === "asymmetric" || config.quantiles) {
    throw new UserError(
      `Classes have no ${config.quantiles ? "quantiles" : `${config.lossType} loss`}: leave --loss-type and --quantiles out, or predict a numeric column.`,
    );
  }
  for (const [name, wrong] of [
    ["--bounded-targets", config.boundedTargets],
    ["--output-activation", config.outputActivation !== "none"],
    ["--loss-config", config.lossConfig !== null],
    ["--normalize-by", config.normalizeBy.length > 0],
  ] as const) {
    if (wrong)
      throw new UserError(`${name} is for numbers, but "${columns[0]}" gives classes; leave it out.`);
  }
  return true;
}

/**
 * @throws UserError for a column of text that is numbers but for a few values: a word among them is
 * likelier a slip than a class.
 */
function refuseMixed(dataset: Dataset, name: string): void {
  const column = dataset.column(name);
  if (column.kind === "numeric") return;
  const odd = oddNumber(Array.from(column.codes, (code) => (code < 0 ? null : column.categories[code])));
  if (odd !== undefined) {
    throw new UserError(
      `The column "${name}" holds numbers with ${odd.what}, such as ${quote(odd.value)}, which are not read as numbers: write ${odd.cure} ` +
        "in all its cells, or give --classifier to predict a class for each text.",
    );
  }
  const firstDate = column.categories.find(isDate);
  if (
    firstDate !== undefined &&
    column.categories.every((text) => isDate(text) || parseNumber(text) !== undefined)
  )
    throw new UserError(
      `The column "${name}" holds dates or times, such as ${quote(firstDate)}, each of which would be a class of its own: write numbers ` +
        "instead, such as days since the first date (spreadsheets also make dates of ranges like 1-3), or give --classifier to predict a class for each text.",
    );
  const isNumber = column.categories.map((category) => parseNumber(category) !== undefined);
  const known = column.codes.filter((code) => code >= 0);
  const numbers = known.filter((code) => isNumber[code]).length;
  const words = known.length - numbers;
  if (words === 0 || words * 2 >= known.length) return;
  const some = quoteSome(column.categories.filter((_, code) => !isNumber[code]));
  throw new UserError(
    `The column "${name}" has numbers for ${numbers} samples and other text for ${words} (${some}); leave these cells empty to predict numbers, or give --classifier to predict classes.`,
  );
}

function numbersOf(dataset: Dataset, name: string): Float64Array {
  const column = dataset.column(name);
  if (column.kind === "numeric") return column.values;
  throw new UserError(
    `The column "${name}" of ${dataset.path} holds text such as "${column.categories[0]}", but numbers are needed.`,
  );
}

function categoryKeysOf(dataset: Dataset, columns: readonly string[]): (string | null)[] {
  return categoryKeys(columns.map((name) => textValues(dataset.column(name))));
}
