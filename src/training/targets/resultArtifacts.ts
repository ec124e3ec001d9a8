import { refuseTornIds } from "../../data/checkIds.ts";
import { SparseBuilder } from "../../data/table/sparseBuilder.ts";
import { writeTableArtifact } from "../../data/table/writeBiom.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import type { ColumnPrediction } from "./predictions.ts";
import { delimitedText, type ResultColumn } from "./predictionTable.ts";

/**
 * Writes predictions of one column as `SampleData[RegressorPredictions]` or
 * `SampleData[ClassifierPredictions]`, of q2-sample-classifier.
 * @throws UserError if the file cannot be written
 */
export function writePredictionArtifact(
  path: string,
  ids: readonly string[],
  prediction: ColumnPrediction,
): void {
  refuseTornIds(path, ids);
  const [type, values] =
    prediction.kind === "classes"
      ? ([
          "SampleData[ClassifierPredictions]",
          Array.from(prediction.predicted, (number) => prediction.classes[number]),
        ] as const)
      : (["SampleData[RegressorPredictions]", prediction.predicted] as const);
  const columns = [
    { name: "SampleID", values: ids },
    { name: "prediction", values },
  ];
  writeArtifact(path, type, delimitedText(columns, "\t"));
}

/** The probability of each class, in columns of the classes' names behind `SampleID`; none of numbers. */
export function probabilityColumns(ids: readonly string[], prediction: ColumnPrediction): ResultColumn[] {
  if (prediction.kind !== "classes") return [];
  const { classes, probabilities } = prediction;
  return [
    { name: "SampleID", values: ids },
    ...classes.map((name, c) => ({
      name,
      values: Float64Array.from(ids, (_, i) => probabilities[i * classes.length + c]),
    })),
  ];
}

/** Writes them as `SampleData[Probabilities]`. @throws UserError if the file cannot be written */
export function writeProbabilityArtifact(path: string, columns: readonly ResultColumn[]): void {
  refuseTornIds(path, columns[0].values as readonly string[]);
  writeArtifact(path, "SampleData[Probabilities]", delimitedText(columns, "\t"));
}

/**
 * Weights of ASVs by sample (`sampleAttention`) as `FeatureTable[RelativeFrequency]`. @throws
 * UserError if the file cannot be written
 */
export function writeAttentionArtifact(path: string, columns: readonly ResultColumn[]): void {
  const texts = (name: string) => columns.find((column) => column.name === name)!.values as readonly string[];
  const [samples, asvs] = [texts("sample_id"), texts("asv_id")];
  const weights = columns.find(({ name }) => name === "weight")!.values;
  const [sampleIds, asvIds] = [[...new Set(samples)], [...new Set(asvs)]];
  const [sampleOf, asvOf] = [numbered(sampleIds), numbered(asvIds)];
  const builder = new SparseBuilder(asvIds, sampleIds, path);
  samples.forEach((id, i) => {
    builder.add(asvOf.get(asvs[i])!, sampleOf.get(id)!, weights[i]);
  });
  writeTableArtifact(path, builder.table(), "RelativeFrequency");
}

const numbered = (ids: readonly string[]) => new Map(ids.map((id, i) => [id, i]));
