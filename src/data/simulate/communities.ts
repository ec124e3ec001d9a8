import type { ReportProgress } from "../../common/progress.ts";
import type { Random } from "../../common/random/random.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { simulateTrait } from "./phylogeny.ts";
import { poisson } from "./sequences.ts";

/** Samples between two reports of progress. */
const samplesPerReport = 100;

/** Where the simulated samples come from. */
export const sites = ["forest", "meadow", "shore"] as const;
const plotsPerSite = 4;
/** Samples whose place on the gradient falls into the same of so many steps draw from the same pool. */
const gradientSteps = 32;

/** How strongly each cause acts on the logarithm of an ASV's expected abundance. */
const effect = { site: 1.3, plot: 0.5, abundance: 1.2, chance: 0.8 };
/** Width of an ASV's niche on a gradient from 0 to 1. */
const nicheWidth = 0.16;
/** Share of an ASV's optimum that its relatives do not have. */
const ownOptimum = 0.2;

export interface SimulatedSample {
  readonly id: string;
  readonly ph: number;
  readonly site: string;
  readonly plot: string;
}

export interface Communities {
  /** ASVs by number of `tips`; all of them are listed, seen or not. Ids are the numbers. */
  readonly table: Table;
  readonly samples: readonly SimulatedSample[];
}

/**
 * Communities along a gradient of acidity, at three sites with four plots each. Every ASV has an optimum on
 * the gradient and a liking for each site and plot that evolved along the tree, so that relatives live alike
 * and the differences between samples are phylogenetic ones, which UniFrac sees. `depth`: mean reads of a
 * sample; `richness`: how many draws from the pool decide which ASVs a sample has.
 */
export function simulateCommunities(
  tree: Tree,
  tips: Int32Array,
  options: {
    readonly samples: number;
    readonly depth: number;
    readonly richness: number;
    readonly onProgress?: ReportProgress;
  },
  random: Random,
): Communities {
  const traits = simulateTraits(tree, tips, random.derive("traits"));
  const places = simulatePlaces(options.samples, random.derive("places"));
  const drawn = new Array<Drawn>(options.samples);
  const cells = Map.groupBy(places.keys(), (i) => `${places[i].plot}:${stepOf(places[i].gradient)}`);
  let done = 0;
  for (const members of cells.values()) {
    const { plot, gradient } = places[members[0]];
    const middle = (stepOf(gradient) + 0.5) / gradientSteps;
    const pool = new Float64Array(tips.length);
    let total = 0;
    for (let asv = 0; asv < pool.length; asv++) {
      total += Math.exp(logAbundance(traits, asv, plot, middle));
      pool[asv] = total;
    }
    for (const i of members) {
      drawn[i] = drawSample(traits, pool, places[i], options, random.derive("sample", i));
      done++;
      if (done % samplesPerReport === 0 || done === places.length)
        options.onProgress?.("Drawing samples", { done, total: places.length, unit: "samples" });
    }
  }
  return { table: toTable(drawn, tips.length), samples: places.map(describe) };
}

interface Traits {
  readonly optimum: Float64Array;
  readonly commonness: Float64Array;
  /** By plot: the logarithm of the liking for it and its site. */
  readonly liking: readonly Float64Array[];
}

interface Place {
  readonly gradient: number;
  readonly plot: number;
  readonly ph: number;
}

interface Drawn {
  readonly asvs: Int32Array;
  readonly counts: Float64Array;
}

function simulateTraits(tree: Tree, tips: Int32Array, random: Random): Traits {
  const inherited = simulateTrait(tree, tips, random);
  const own = inherited.map(
    (value) => Math.sqrt(1 - ownOptimum) * value + Math.sqrt(ownOptimum) * random.normal(),
  );
  const ranked = Array.from(own.keys()).sort((a, b) => own[a] - own[b]);
  const optimum = new Float64Array(tips.length);
  ranked.forEach((asv, rank) => {
    optimum[asv] = (rank + 0.5) / tips.length;
  });
  const commonness = optimum.map(() => effect.abundance * random.normal());
  const liking: Float64Array[] = [];
  for (let site = 0; site < sites.length; site++) {
    const ofSite = simulateTrait(tree, tips, random);
    for (let plot = 0; plot < plotsPerSite; plot++) {
      const ofPlot = simulateTrait(tree, tips, random);
      liking.push(ofSite.map((value, asv) => effect.site * value + effect.plot * ofPlot[asv]));
    }
  }
  return { optimum, commonness, liking };
}

function simulatePlaces(samples: number, random: Random): Place[] {
  return Array.from({ length: samples }, () => {
    const gradient = random.float();
    const plot = random.integer(sites.length * plotsPerSite);
    return { gradient, plot, ph: 4 + 5 * gradient + 0.1 * random.normal() };
  });
}

function stepOf(gradient: number): number {
  return Math.floor(gradient * gradientSteps);
}

function logAbundance(traits: Traits, asv: number, plot: number, gradient: number): number {
  const off = (gradient - traits.optimum[asv]) / nicheWidth;
  return traits.commonness[asv] + traits.liking[plot][asv] - off * off * 0.5;
}

function drawSample(
  traits: Traits,
  pool: Float64Array,
  place: Place,
  options: { readonly depth: number; readonly richness: number },
  random: Random,
): Drawn {
  const present = new Set<number>();
  const draws = Math.max(1, Math.round(options.richness * Math.exp(0.3 * random.normal())));
  for (let draw = 0; draw < draws; draw++)
    present.add(firstAbove(pool, random.float() * pool[pool.length - 1]));
  const asvs = Int32Array.from(present).sort();
  const shares = Float64Array.from(asvs, (asv) =>
    Math.exp(logAbundance(traits, asv, place.plot, place.gradient) + effect.chance * random.normal()),
  );
  const total = shares.reduce((sum, share) => sum + share, 0);
  const depth = options.depth * Math.exp(0.25 * random.normal());
  const counts = shares.map((share) => poisson((depth * share) / total, random));
  if (counts.every((count) => count === 0)) counts[shares.indexOf(Math.max(...shares))] = 1;
  return {
    asvs: asvs.filter((_, i) => counts[i] > 0),
    counts: counts.filter((count) => count > 0),
  };
}

/** The first place whose running sum is above `value`. */
function firstAbove(sums: Float64Array, value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sums[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function toTable(drawn: readonly Drawn[], asvs: number): Table {
  const indptr = new Int32Array(drawn.length + 1);
  drawn.forEach((sample, i) => {
    indptr[i + 1] = indptr[i] + sample.asvs.length;
  });
  const indices = new Int32Array(indptr[drawn.length]);
  const data = new Float64Array(indptr[drawn.length]);
  drawn.forEach((sample, i) => {
    indices.set(sample.asvs, indptr[i]);
    data.set(sample.counts, indptr[i]);
  });
  return {
    sampleIds: drawn.map((_, i) => sampleId(i)),
    asvIds: Array.from({ length: asvs }, (_, asv) => String(asv)),
    indptr,
    indices,
    data,
  };
}

function sampleId(index: number): string {
  return `S${String(index + 1).padStart(6, "0")}`;
}

function describe(place: Place, index: number): SimulatedSample {
  const site = sites[Math.floor(place.plot / plotsPerSite)];
  return {
    id: sampleId(index),
    ph: Math.round(place.ph * 100) / 100,
    site,
    plot: `${site}-${(place.plot % plotsPerSite) + 1}`,
  };
}
