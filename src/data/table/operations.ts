import type { Table } from "./table.ts";

/** In how many samples each ASV occurs. */
export function asvPrevalence(table: Table): Int32Array {
  const prevalence = new Int32Array(table.asvIds.length);
  for (const asv of table.indices) prevalence[asv]++;
  return prevalence;
}
