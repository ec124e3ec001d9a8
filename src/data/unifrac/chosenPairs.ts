import type { UniFracOptions } from "./pairData.ts";
import { preparePairs } from "./pairData.ts";
import { PairRows } from "./pairRows.ts";
import type { ShearedTree } from "./shearTree.ts";

/** What a sample has: ASVs of the tree, and how often each was counted. */
export interface SampleCounts {
  readonly asvs: Int32Array;
  readonly counts: ArrayLike<number>;
}

/** Rows that are computed at once. */
const rowsPerBlock = 128;

/**
 * Distances between any samples, computed from the tree when they are asked for. The numbers depend on the
 * two samples of a pair alone, bit by bit: all branches are summed in the tree's order, and of a pair the
 * sample of lower number comes first. So they equal those of all pairs computed without dense branches
 * (`denseShare: 2`), which is what data sets store. Without LibTorch.
 */
export class ChosenPairs {
  readonly #tree: ShearedTree;
  readonly #sampleOf: (sample: number) => SampleCounts;
  readonly #options: UniFracOptions;
  /** 1 + the number of each node in the tree at hand, and of each ASV; all 0 between calls. */
  readonly #nodeNumber: Int32Array;
  readonly #asvNumber: Int32Array;

  constructor(tree: ShearedTree, sampleOf: (sample: number) => SampleCounts, options: UniFracOptions) {
    this.#tree = tree;
    this.#sampleOf = sampleOf;
    this.#options = options;
    this.#nodeNumber = new Int32Array(tree.parent.length);
    this.#asvNumber = new Int32Array(tree.tipOfAsv.length);
  }

  /** The distances between all of some samples: row-major `[n, n]` float32, symmetric, 0 on the diagonal. */
  block(samples: ArrayLike<number>): Float32Array {
    const n = samples.length;
    const distinct = Int32Array.from(new Set(Array.from(samples))).sort();
    const placeOf = new Map(Array.from(distinct, (sample, place) => [sample, place]));
    const places = Array.from(samples, (sample) => placeOf.get(sample)!);
    const rowsOf = Array.from(distinct, (): number[] => []);
    places.forEach((place, row) => {
      rowsOf[place].push(row);
    });
    const block = new Float32Array(n * n);
    for (const { place, distances } of this.rows(distinct)) {
      for (const row of rowsOf[place]) {
        for (let column = 0; column < n; column++) {
          if (places[column] <= place) continue;
          const distance = distances[places[column] - place - 1];
          block[row * n + column] = distance;
          block[column * n + row] = distance;
        }
      }
    }
    return block;
  }

  /** For each of some samples in ascending order its distances to all later ones of them. */
  *rows(samples: Int32Array): Generator<{ place: number; distances: Float32Array | Float64Array }> {
    const n = samples.length;
    const { table, tree } = this.#partOf(samples);
    const rows = new PairRows(preparePairs(table, tree, this.#options));
    for (let from = 0; from < n; from += rowsPerBlock) {
      const to = Math.min(n, from + rowsPerBlock);
      const width = n - from;
      const { values } = rows.compute(from, to);
      for (let place = from; place < to; place++) {
        const start = (place - from) * width;
        yield { place, distances: values.subarray(start + place - from + 1, start + width) };
      }
    }
  }

  /**
   * The samples as a table of the ASVs that they have, and the part of the tree above
   * these, in the same order.
   */
  #partOf(samples: Int32Array) {
    const { parent, length, tipOfAsv } = this.#tree;
    const asvs: number[] = [];
    const nodes: number[] = [];
    const indptr = new Int32Array(samples.length + 1);
    const indices: number[] = [];
    const data: number[] = [];
    for (let i = 0; i < samples.length; i++) {
      const sample = this.#sampleOf(samples[i]);
      for (let k = 0; k < sample.asvs.length; k++) {
        const asv = sample.asvs[k];
        if (this.#asvNumber[asv] === 0) {
          this.#asvNumber[asv] = asvs.push(asv);
          for (let node = tipOfAsv[asv]; node > 0 && this.#nodeNumber[node] === 0; node = parent[node]) {
            this.#nodeNumber[node] = 1;
            nodes.push(node);
          }
        }
        indices.push(this.#asvNumber[asv] - 1);
        data.push(sample.counts[k]);
      }
      indptr[i + 1] = indices.length;
    }
    // The root is number 0, and parents stay before their children.
    const kept = Int32Array.from([0, ...nodes]).sort();
    for (let i = 1; i < kept.length; i++) this.#nodeNumber[kept[i]] = i;
    const tree: ShearedTree = {
      parent: kept.map((node) => (node === 0 ? -1 : this.#nodeNumber[parent[node]])),
      length: Float64Array.from(kept, (node) => length[node]),
      tipOfAsv: Int32Array.from(asvs, (asv) => this.#nodeNumber[tipOfAsv[asv]]),
    };
    for (const node of kept) this.#nodeNumber[node] = 0;
    for (const asv of asvs) this.#asvNumber[asv] = 0;
    const table = {
      sampleIds: Array.from(samples, String),
      asvIds: Array.from(asvs, String),
      indptr,
      indices: Int32Array.from(indices),
      data: Float64Array.from(data),
    };
    return { table, tree };
  }
}
