import { existsSync } from "node:fs";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { readIdFile } from "../../data/split/files.ts";
import { hashedIds } from "../../data/split/idHashes.ts";
import { RunFolder } from "./folder.ts";
import { builtinName, checkpointOf, readRunFacts } from "./open.ts";

/**
 * How many of some samples a model was trained on, as far as their ids tell: those that its run's folder
 * lists, or that its checkpoint has hashes of. Figures of such samples say nothing of new ones.
 * @param model a run's folder, a checkpoint or `builtin`.
 */
export function trainedOn(model: string, dataset: Dataset, samples: Int32Array): number {
  const isKnown = idsOf(model);
  return samples.filter((sample) => isKnown(dataset.sampleIds[sample])).length;
}

/**
 * A warning if a pretrained encoder knows samples that it is judged by; empty if it knows none of them.
 * @param model a pretraining run's folder, its checkpoint or `builtin`.
 * @param what the samples are, in plural.
 * @example
 * encoderKnows("builtin", dataset, validation, "validation samples"); // ["The encoder was trained on ..."]
 */
export function encoderKnows(model: string, dataset: Dataset, samples: Int32Array, what: string): string[] {
  const seen = trainedOn(model, dataset, samples);
  if (seen === 0) return [];
  return [
    `The encoder was trained on the sequences and distances, not the values, of ${seen} of the ${samples.length} ${what}: its figures hold for samples that an encoder is trained on before they are predicted, not for those that come later.`,
  ];
}

function idsOf(model: string): (id: string) => boolean {
  const { trainIds } = new RunFolder(model);
  if (model === builtinName || !existsSync(trainIds))
    return hashedIds(readRunFacts(checkpointOf(model)).data.trainedIds ?? "");
  const ids = new Set(readIdFile(trainIds));
  return (id) => ids.has(id);
}
