import { Pcg64 } from "../../common/random/pcg64.ts";
import { UserError } from "../../common/userError.ts";
import { withoutEmptyAsvs, withoutEmptySamples } from "./filter.ts";
import { selectAsvs, selectSamples } from "./select.ts";
import type { Table } from "./table.ts";

/**
 * Some samples, or some ASVs, of a table, drawn at random without replacement; what is left without counts
 * on the other side is dropped. For the same table and seed these are the ids that biom-format 2.1.18's
 * `Table.subsample(by_id=True)` draws.
 * @throws UserError if there are not so many
 */
export function subsampleIds(
  table: Table,
  options: {
    readonly kind: "samples" | "ASVs";
    readonly count: number;
    readonly seed: number;
    readonly source: string;
  },
): Table {
  const { kind, count, seed, source } = options;
  const size = kind === "samples" ? table.sampleIds.length : table.asvIds.length;
  if (count > size)
    throw new UserError(`${source} has ${size} ${kind}, from which ${count} cannot be drawn; ask for fewer.`);
  const random = new Pcg64(seed);
  const order = Int32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = masked(random, i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const chosen = order.slice(0, count).sort();
  return kind === "samples"
    ? withoutEmptyAsvs(selectSamples(table, chosen))
    : withoutEmptySamples(selectAsvs(table, chosen));
}

/**
 * A whole number from 0 to `largest`, as NumPy's `Generator.shuffle` draws it: bits of 32-bit draws,
 * until they are not too large.
 */
function masked(random: Pcg64, largest: number): number {
  const mask = 0xffffffff >>> Math.clz32(largest);
  let value: number;
  do value = (random.uint32() & mask) >>> 0;
  while (value > largest);
  return value;
}
