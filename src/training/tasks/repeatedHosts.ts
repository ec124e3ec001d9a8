import { quote } from "../../common/quote.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";

/**
 * A warning if a random division of `samples` has several of one host, by a column that looks like hosts'
 * names: a model then recognizes hosts. Empty where there is no such column; a predicted one is none.
 * @param divided what is random: `folds are`, `the split is`.
 * @example
 * repeatedHosts(dataset, samples, ["age"], "folds are"); // ['Samples share values of "host", but ...']
 */
export function repeatedHosts(
  dataset: Dataset,
  samples: Int32Array,
  predicted: readonly string[],
  divided: string,
): string[] {
  const suspects = dataset.manifest.metadata.filter(
    ({ name }) => isNameOfHosts(name) && !predicted.includes(name),
  );
  const repeated = suspects.find(({ name }) => isRepeated(dataset, name, samples));
  if (!repeated) return [];
  return [
    `Samples share values of ${quote(repeated.name)}, but ${divided} random: samples of one of them are on both sides, so the figures do not hold for new ones. Give --split-by ${repeated.name}.`,
  ];
}

/** `host_subject_id`, `patient`; not `host_age` or `host_body_site`, which are facts of hosts. */
function isNameOfHosts(column: string): boolean {
  return /(host|subject|patient|participant)s?([ ._-]?(id|name|number|no|code))?$/i.test(column);
}

/** Whether a column looks like names of those that were sampled several times. */
function isRepeated(dataset: Dataset, name: string, samples: Int32Array): boolean {
  const { values } = textValues(dataset.column(name));
  const known = Array.from(samples, (i) => values[i]).filter((value) => value !== null);
  const different = new Set(known).size;
  return different >= 5 && different < known.length && known.length > samples.length / 2;
}
