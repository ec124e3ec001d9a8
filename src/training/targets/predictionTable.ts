import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { ColumnPrediction } from "./predictions.ts";
import type { Targets } from "./targets.ts";

/** A table of results: texts, or numbers of which NaN is missing. */
export interface ResultColumn {
  readonly name: string;
  readonly values: readonly string[] | Float64Array;
}

export interface PredictionTableInput {
  readonly dataset: Dataset;
  readonly samples: Int32Array;
  readonly predictions: readonly ColumnPrediction[];
  readonly targets: Targets;
  /** Add the true values. */
  readonly withActual?: boolean;
  /** Standard deviation over passes, by prediction; for numbers only. */
  readonly deviations?: readonly (Float64Array | null)[];
}

/**
 * Predictions as a table: `sample_id`, then `prediction` (or `prediction_<column>` with several), `actual`,
 * quantiles as `q0.1` and classes as `p_<class>`.
 */
export function predictionColumns(input: PredictionTableInput): ResultColumn[] {
  const { dataset, samples, predictions, targets, withActual = false, deviations } = input;
  const columns: ResultColumn[] = [
    { name: "sample_id", values: Array.from(samples, (sample) => dataset.sampleIds[sample]) },
  ];
  predictions.forEach((prediction, k) => {
    const suffix = predictions.length > 1 ? `_${prediction.column}` : "";
    if (prediction.kind === "classes") {
      const { classes, predicted, probabilities } = prediction;
      columns.push({ name: "prediction", values: Array.from(predicted, (number) => classes[number]) });
      if (withActual) {
        const numbers = targets.classNumbers(dataset);
        columns.push({
          name: "actual",
          values: Array.from(samples, (sample) => (numbers[sample] < 0 ? "" : classes[numbers[sample]])),
        });
      }
      classes.forEach((name, c) => {
        const own = Float64Array.from(samples, (_, i) => probabilities[i * classes.length + c]);
        columns.push({ name: `p_${name}`, values: own });
      });
      return;
    }
    columns.push({ name: `prediction${suffix}`, values: prediction.predicted });
    if (withActual) {
      const actual = targets.actual(dataset)[k];
      columns.push({
        name: `actual${suffix}`,
        values: Float64Array.from(samples, (sample) => actual[sample]),
      });
    }
    for (const { level, values } of prediction.quantiles ?? [])
      columns.push({ name: `q${level}${suffix}`, values });
    const deviation = deviations?.[k];
    if (deviation) columns.push({ name: `prediction_std${suffix}`, values: deviation });
  });
  return columns;
}

/** Columns as delimited text. Numbers have as many digits as float32 carries; a missing one is empty. */
export function delimitedText(columns: readonly ResultColumn[], delimiter: "\t" | ","): string {
  const quoted = (text: string) =>
    delimiter === "," && /[",\n\r]/.test(text)
      ? `"${text.replaceAll('"', '""')}"`
      : text.replace(/[\t\n\r]/g, " ");
  const cell = (value: string | number) =>
    typeof value === "string"
      ? quoted(value)
      : Number.isNaN(value)
        ? ""
        : String(Number(value.toPrecision(8)));
  const lines = [columns.map(({ name }) => quoted(name)).join(delimiter)];
  for (let row = 0; row < columns[0].values.length; row++)
    lines.push(columns.map(({ values }) => cell(values[row])).join(delimiter));
  return `${lines.join("\n")}\n`;
}

/** Writes predictions as TSV. */
export function writePredictions(path: string, input: PredictionTableInput): void {
  writeFileAtomic(path, delimitedText(predictionColumns(input), "\t"));
}
