import { readTaxonomyOf, taxonName } from "../taxonomy/read.ts";

/** The taxa that ASVs belong to, by the names that they are shown by. */
export interface TaxaSummary {
  /** Different names. */
  readonly names: number;
  /** Those with the most counts. */
  readonly largest: readonly {
    readonly name: string;
    /** Of all counts. */
    readonly share: number;
    /** How many samples have one of its ASVs. */
    readonly samples: number;
    readonly asvs: number;
  }[];
  readonly warnings: readonly string[];
}

const shownTaxa = 8;

/** Samples by their ASVs: numbers of these, and their counts. */
interface SampleCounts {
  readonly asvIds: readonly string[];
  readonly samples: Iterable<{ readonly asvs: ArrayLike<number>; readonly counts: ArrayLike<number> }>;
}

/**
 * Sums counts by the names of their ASVs. `source` names what they are from.
 * @throws UserError for a taxonomy that cannot be read or has none of the ASVs
 */
export function summarizeTaxa({ asvIds, samples }: SampleCounts, path: string, source: string): TaxaSummary {
  const warnings: string[] = [];
  const taxonomy = readTaxonomyOf(asvIds, path, source, (text) => warnings.push(text));
  const found = new Map<string, { counts: number; asvs: number; samples: Set<number> }>();
  const taxa = asvIds.map((id) => {
    const name = taxonName(taxonomy, id) ?? "not in the taxonomy";
    const taxon = found.get(name) ?? { counts: 0, asvs: 0, samples: new Set<number>() };
    found.set(name, taxon);
    taxon.asvs++;
    return taxon;
  });
  let [total, number] = [0, 0];
  for (const { asvs, counts } of samples) {
    for (let i = 0; i < asvs.length; i++) {
      const taxon = taxa[asvs[i]];
      taxon.counts += counts[i];
      taxon.samples.add(number);
      total += counts[i];
    }
    number++;
  }
  const largest = [...found]
    .sort(([, a], [, b]) => b.counts - a.counts)
    .slice(0, shownTaxa)
    .map(([name, { counts, asvs, samples: present }]) => {
      return { name, share: total === 0 ? 0 : counts / total, samples: present.size, asvs };
    });
  return { names: found.size, largest, warnings };
}
