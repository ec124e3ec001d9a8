import { quote } from "../../common/quote.ts";
import type { Table } from "../../data/table/table.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";

/**
 * Warns of samples without counts, whose distances follow from a convention alone, and of fractions under
 * the logarithms of `aitchison`.
 */
export function warnOfTable(
  { sampleIds, asvIds, indptr, indices, data }: Table,
  metric: string,
  display: ProgressDisplay,
): void {
  const isAitchison = metric === "aitchison";
  const empty = sampleIds.filter((_, i) =>
    data.subarray(indptr[i], indptr[i + 1]).every((count) => count === 0),
  );
  if (empty.length > 0) {
    const number = empty.length === 1 ? "One sample has" : `${empty.length} samples have`;
    const so = isAitchison
      ? "the ratios there are those of the added 1 alone"
      : metric === "faith_pd"
        ? "Faith's PD is 0 there"
        : "at distance 0 from each other and as far as can be from all others";
    display.warn(`${number} no counts (the first is ${quote(empty[0])}): ${so}.`);
  }
  const fraction = isAitchison ? data.findIndex((count) => !Number.isInteger(count)) : -1;
  if (fraction >= 0)
    display.warn(
      `The table has counts that are no whole numbers (the first is ${data[fraction]}, of ASV ${quote(asvIds[indices[fraction]])}), and aitchison adds 1 to each: ` +
        "with shares or other small numbers that hides the differences; give the table of raw counts.",
    );
}
