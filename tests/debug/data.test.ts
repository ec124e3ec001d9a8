import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { batching } from "../../debug/batching.ts";
import type { Subject } from "../../debug/lib/subject.ts";
import { tokenLimitNan } from "../../debug/token-limit-nan.ts";
import { zeroDistanceSamples } from "../../debug/zero-distance-samples.ts";
import { Random } from "../../src/common/random/random.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { StoredDistances } from "../../src/data/dataset/pairDistances.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import type { Table } from "../../src/data/table/table.ts";
import * as torch from "../../src/torch/index.ts";
import { context, faultsOf, investigate, smallSubject, withOverrides } from "./faults.ts";

let subject: Subject;
beforeAll(async () => {
  subject = await smallSubject(false, { samples: 80 });
});

/** Every sample `times` times, under other ids. */
function repeated(table: Table, times: number): Table {
  const n = table.sampleIds.length;
  const from = Array.from({ length: n * times }, (_, i) => i % n);
  const parts = from.map((i) => [table.indptr[i], table.indptr[i + 1]] as const);
  const indptr = new Int32Array(from.length + 1);
  parts.forEach(([start, end], i) => {
    indptr[i + 1] = indptr[i] + end - start;
  });
  return {
    ...table,
    sampleIds: from.map((i, place) => `${table.sampleIds[i]}.${Math.floor(place / n)}`),
    indptr,
    indices: Int32Array.from(parts.flatMap(([start, end]) => [...table.indices.subarray(start, end)])),
    data: Float64Array.from(parts.flatMap(([start, end]) => [...table.data.subarray(start, end)])),
  };
}

test("zero-distance-samples: a simulated study passes, samples that are there several times are found", async () => {
  expect(faultsOf(await investigate(zeroDistanceSamples, subject))).toEqual([]);
  const study = simulate({ samples: 12, asvs: 60, length: 40, depth: 1000, richness: 40, seed: 3 });
  const files = writeSimulation(join(context.scratch, "twice"), {
    ...study,
    table: repeated(study.table, 3),
  });
  const folder = join(context.scratch, "twice-dataset");
  await prepareDataset({ table: files.table, tree: files.tree, rarefyDepth: "none" }, folder);
  const finding = await investigate(zeroDistanceSamples, { ...subject, dataset: openDataset(folder) });
  expect(faultsOf(finding)).toContain("share of pairs at distance 0");
  const reasons = finding.numbers["reasons"] as Record<string, number>;
  // 12 samples, each with three pairs of copies.
  expect(reasons["the same counts: one sample twice?"]).toBe(36);
});

/** The distances of a data set in another order of samples, as a matrix whose rows were mixed up. */
function shuffledMatrix(dataset: Dataset, metric: string): Dataset {
  const truth = dataset.distance(metric);
  const order = new Random(5).permutation(dataset.sampleCount);
  const n = dataset.sampleCount;
  const values = new Float32Array(truth.pairs);
  let place = 0;
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++) values[place++] = truth.between(order[a], order[b]);
  const distances = new StoredDistances(metric, n, { partLength: values.length, part: () => values });
  return withOverrides(dataset, { distance: () => distances });
}

test("batching: sound batches pass, worker included; a shuffled matrix is found", async () => {
  const settings = { samples: 40, worker: true };
  expect(faultsOf(await investigate(batching, subject, settings))).toEqual([]);
  const dataset = shuffledMatrix(subject.dataset, subject.metric);
  const finding = await investigate(batching, { ...subject, dataset }, { ...settings, worker: false });
  expect(faultsOf(finding)).toEqual([
    "correlation of distances with the share of ASVs not in common",
    "largest difference to distances computed anew",
  ]);
});

test("batching: distances in the table's order instead of the batch's are found", async () => {
  const truth = subject.dataset.distance(subject.metric);
  class Sorted extends StoredDistances {
    override block(samples: ArrayLike<number>): Float32Array {
      return super.block(Int32Array.from(samples).sort());
    }
  }
  const values = [...truth.condensed()].flatMap((part) => [...part]);
  const part = Float32Array.from(values);
  const sorted = new Sorted(subject.metric, subject.dataset.sampleCount, {
    partLength: part.length,
    part: () => part,
  });
  const dataset = withOverrides(subject.dataset, { distance: () => sorted });
  const finding = await investigate(batching, { ...subject, dataset }, { samples: 20, worker: false });
  expect(faultsOf(finding)).toEqual(["wrong distances, masks, slots and samples in batches"]);
  expect(finding.verdicts[0].value).toBeGreaterThan(1000);
});

test("token-limit-nan: a sound model passes; a NaN in a position that only long samples reach is found", async () => {
  const settings = { limits: "2,12", steps: 1 };
  expect(faultsOf(await investigate(tokenLimitNan, subject, settings))).toEqual([]);
  const { weight } = subject.model.sampleEncoder.samplePositionEmbedding.table;
  const kept = weight.detach().clone();
  torch.noGrad(() => weight.narrow(0, 8, 1).fill_(Number.NaN));
  const finding = await investigate(tokenLimitNan, subject, settings);
  torch.noGrad(() => weight.copy_(kept));
  expect(faultsOf(finding)).toEqual(["trials with a value that is not finite"]);
  expect(finding.verdicts[0].fails).toContain("position_embedding");
});
