import type { Random } from "../../common/random/random.ts";
import { bases as letters } from "../../common/tokens.ts";
import type { Tree } from "../tree/tree.ts";

/** Shares of A, C, G and T, about those of bacterial 16S genes. */
const frequencies = [0.25, 0.22, 0.32, 0.21];
/** A and G, C and T: a base's class, within which changes (transitions) are more frequent. */
const partner = [2, 3, 0, 1];
/**
 * Share of events that stay within the class; the ratio of transitions to transversions comes out at about 2.
 */
const withinClass = 0.55;
/** Relative rates of sites: a discrete gamma distribution of shape 0.5 (Yang 1994), mean 1. */
const siteRates = [0.0334, 0.2519, 0.8203, 2.8944];
/** Chance that a site has the rate class of the site before it: a gene has conserved and variable regions. */
const sameRegion = 0.8;
/** Insertions and deletions for each substitution, where lengths vary at all. */
const indelShare = 0.02;
const longestIndel = 3;

/** A sequence on its way: bases 0 to 3 and the rate class of each site. */
interface Sites {
  readonly bases: Uint8Array;
  readonly rates: Uint8Array;
}

export interface SequenceOptions {
  /** Bases at the root, and everywhere unless lengths vary. */
  readonly length: number;
  /** Whether insertions and deletions happen. */
  readonly varyLength: boolean;
}

/**
 * Sequences that evolved along a tree, one for each of `tips`, all different. Substitutions follow
 * the F84 model (Felsenstein and Churchill 1996) with rates that differ between sites, simulated
 * event by event, so that branch lengths are expected substitutions per site. Tips that came out
 * equal get further substitutions.
 */
export function simulateSequences(
  tree: Tree,
  tips: Int32Array,
  options: SequenceOptions,
  random: Random,
): string[] {
  const sites = new Array<Sites>(tree.parent.length);
  sites[0] = rootSites(options.length, random);
  for (let node = 1; node < sites.length; node++) {
    const above = sites[tree.parent[node]];
    sites[node] = evolve(above, tree.length[node], options.varyLength, random);
  }
  const known = new Set<string>();
  return Array.from(tips, (tip) => {
    let { bases, rates } = sites[tip];
    let text = textOf(bases);
    while (known.has(text)) {
      bases = bases.slice();
      substitute(bases, rates, random);
      text = textOf(bases);
    }
    known.add(text);
    return text;
  });
}

function rootSites(length: number, random: Random): Sites {
  const bases = new Uint8Array(length).map(() => drawBase(random));
  const rates = new Uint8Array(length);
  for (let site = 0; site < length; site++) {
    const same = site > 0 && random.float() < sameRegion;
    rates[site] = same ? rates[site - 1] : random.integer(siteRates.length);
  }
  return { bases, rates };
}

function evolve(above: Sites, length: number, varyLength: boolean, random: Random): Sites {
  let { rates } = above;
  let bases: Uint8Array = above.bases.slice();
  const events = poisson((length * bases.length) / changeShare, random);
  for (let event = 0; event < events; event++) substitute(bases, rates, random);
  if (varyLength) {
    const indels = poisson(length * bases.length * indelShare, random);
    for (let indel = 0; indel < indels; indel++)
      ({ bases, rates } = insertOrDelete({ bases, rates }, random));
  }
  return { bases, rates };
}

/** One event of the F84 process at a site that is drawn by its rate; the base may stay the same. */
function substitute(bases: Uint8Array, rates: Uint8Array, random: Random): void {
  const highest = siteRates[siteRates.length - 1];
  let site: number;
  do site = random.integer(bases.length);
  while (random.float() * highest > siteRates[rates[site]]);
  const base = bases[site];
  if (random.float() < withinClass) {
    const other = partner[base];
    const stay = frequencies[base] / (frequencies[base] + frequencies[other]);
    if (random.float() >= stay) bases[site] = other;
  } else {
    bases[site] = drawBase(random);
  }
}

/** The share of events that change the base, when bases have their frequencies. */
const changeShare = frequencies.reduce((sum, frequency, base) => {
  const within = frequencies[partner[base]] / (frequency + frequencies[partner[base]]);
  return sum + frequency * (withinClass * within + (1 - withinClass) * (1 - frequency));
}, 0);

function insertOrDelete({ bases, rates }: Sites, random: Random): Sites {
  const size = 1 + random.integer(longestIndel);
  const site = random.integer(bases.length);
  if (random.float() < 0.5 && bases.length > 2 * size) {
    const keep = (_: number, i: number) => i < site || i >= site + size;
    return { bases: bases.filter(keep), rates: rates.filter(keep) };
  }
  const inserted = Array.from({ length: size }, () => drawBase(random));
  const insert = (array: Uint8Array, part: number[]) =>
    Uint8Array.from([...array.subarray(0, site), ...part, ...array.subarray(site)]);
  return {
    bases: insert(bases, inserted),
    rates: insert(
      rates,
      inserted.map(() => rates[site]),
    ),
  };
}

function drawBase(random: Random): number {
  let draw = random.float();
  let base = 0;
  while (base < 3 && draw >= frequencies[base]) draw -= frequencies[base++];
  return base;
}

function textOf(bases: Uint8Array): string {
  let text = "";
  for (const base of bases) text += letters[base];
  return text;
}

/** A Poisson number: by multiplication (Knuth 1969) for small means, else a rounded normal number. */
export function poisson(mean: number, random: Random): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.float(); product > limit; product *= random.float()) count++;
  return count;
}
