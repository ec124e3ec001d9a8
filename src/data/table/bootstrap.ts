import { multinomial } from "../../common/random/numpyBinomial.ts";
import { Pcg64 } from "../../common/random/pcg64.ts";
import { dropEmpty } from "./dropEmpty.ts";
import { refuseOddCounts } from "./rarefy.ts";
import { sampleTotals } from "./select.ts";
import type { Table } from "./table.ts";

/**
 * Draws of every sample as many counts as it has, with replacement (Efron 1979): how else the same
 * sequencing could have come out. Samples without counts and ASVs that were not drawn are left out.
 * @param source names the table in errors
 * @throws UserError for counts that are no whole numbers.
 */
export function bootstrap(table: Table, seed: number, source: string): Table {
  const totals = sampleTotals(table);
  refuseOddCounts(table, totals, source);
  const random = new Pcg64(seed);
  const data = new Float64Array(table.data.length);
  for (let sample = 0; sample < totals.length; sample++) {
    const [start, end, total] = [table.indptr[sample], table.indptr[sample + 1], totals[sample]];
    if (total === 0) continue;
    const shares = table.data.subarray(start, end).map((count) => count / total);
    multinomial(random, total, shares, data.subarray(start, end));
  }
  return dropEmpty({ ...table, data });
}
