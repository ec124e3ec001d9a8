import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import type { Provenance } from "../../src/data/dataset/manifest.ts";
import type { Table } from "../../src/data/table/table.ts";

/** A random table whose ids are sequences of 8 to 20 bases; every sample has at least one ASV. */
export function exampleTable(samples: number, asvs: number, seed = 1): Table {
  const random = new Random(seed);
  const asvIds = new Set<string>();
  while (asvIds.size < asvs) {
    const length = 8 + random.integer(13);
    asvIds.add(Array.from({ length }, () => "ACGT"[random.integer(4)]).join(""));
  }
  const indptr = new Int32Array(samples + 1);
  const indices: number[] = [];
  const data: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const richness = 1 + random.integer(Math.min(asvs, 12));
    for (const asv of random.sample(asvs, richness).sort()) {
      indices.push(asv);
      data.push(1 + random.integer(50));
    }
    indptr[sample + 1] = indices.length;
  }
  return {
    sampleIds: Array.from({ length: samples }, (_, i) => `sample ${i}`),
    asvIds: [...asvIds],
    indptr,
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
}

/** Random condensed distances. */
export function exampleDistances(samples: number, seed = 2): Float32Array {
  const random = new Random(seed);
  return new Float32Array((samples * (samples - 1)) / 2).map(() => random.float());
}

export const noProvenance: Provenance = { sources: [], parameters: {}, dropped: [], warnings: [] };

/** A folder that is removed after the test file has run. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "aam-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
