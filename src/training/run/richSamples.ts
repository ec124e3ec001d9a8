import type { Dataset } from "../../data/dataset/dataset.ts";
import type { ModelConfig } from "../config/config.ts";

const whichAreRead = {
  first: "the first in the table's order",
  abundance: "the most abundant",
  random: "random ones, others each time,",
} as const;

/**
 * A warning where samples have more ASVs than are read of one, which their true distances know nothing of;
 * none otherwise. `cure` begins after a semicolon, and may need the number of ASVs of the richest sample.
 */
export function richWarning(
  { tokenLimit, asvSampling }: Pick<ModelConfig, "tokenLimit" | "asvSampling">,
  dataset: Dataset,
  samples: Int32Array,
  cure: (most: number) => string,
): string[] {
  const rich = samples.filter((sample) => dataset.richness(sample) > tokenLimit);
  if (rich.length === 0) return [];
  const most = rich.reduce((so, sample) => Math.max(so, dataset.richness(sample)), 0);
  return [
    `${rich.length} of ${samples.length} samples have more than the ${tokenLimit} ASVs that are read of a sample (up to ${most}): ` +
      `only ${whichAreRead[asvSampling]} count, while true distances are those of all; ${cure(most)}.`,
  ];
}
