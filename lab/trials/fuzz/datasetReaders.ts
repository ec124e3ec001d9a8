import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import {
  type Manifest,
  manifestName,
  manifestText,
  readManifest,
} from "../../../src/data/dataset/manifest.ts";
import { writeDataset } from "../../../src/data/dataset/write.ts";
import { checksumOf } from "../../../src/formats/arrow/file.ts";
import { exampleDistances, exampleTable, noProvenance } from "../../material/exampleTable.ts";
import type { FuzzedReader } from "./fuzzReader.ts";
import { mutate } from "./mutate.ts";
import { inputFolder } from "./pathReader.ts";

// An input is one file of a data set, with its name before it: the others are as they were written.
const files = [
  "manifest.json",
  "asvs.arrow",
  "samples.arrow",
  "distances.arrow",
  "vectors.arrow",
  "metadata.arrow",
];
const nameBytes = 16;

function pack(name: string, content: Uint8Array): Uint8Array {
  const packed = new Uint8Array(nameBytes + content.length);
  packed.set(new TextEncoder().encode(name));
  packed.set(content, nameBytes);
  return packed;
}

function unpack(packed: Uint8Array): { name: string; content: Uint8Array } {
  const name = new TextDecoder().decode(packed.subarray(0, nameBytes)).replace(/\0+$/, "");
  return { name, content: packed.subarray(nameBytes) };
}

/** Uses everything that an open data set offers. */
function touchAll(dataset: Dataset): void {
  const { manifest, sampleCount, asvCount, sampleIds } = dataset;
  if (sampleIds.length !== sampleCount) throw new Error("inconsistent samples");
  for (let i = 0; i < sampleCount; i++) {
    const { asvs, counts } = dataset.sample(i);
    if (asvs.length !== counts.length || asvs.some((asv) => !(asv >= 0 && asv < asvCount)))
      throw new Error("inconsistent sample");
  }
  for (let i = 0; i < asvCount; i++) {
    dataset.asvId(i);
    dataset.asvSequence(i);
    dataset.asvTokens(i);
  }
  for (const metric of manifest.distances) dataset.distance(metric).between(0, Math.max(1, sampleCount - 1));
  for (const vector of manifest.vectors)
    if (dataset.vector(vector).length !== sampleCount) throw new Error("inconsistent vector");
  for (const { name } of manifest.metadata) dataset.column(name);
}

/** Writes the input into the copy of the data set and reads all of it. */
function readWith(seed: string, work: string): FuzzedReader["read"] {
  return (bytes) => {
    const { name, content } = unpack(bytes);
    rmSync(work, { recursive: true, force: true });
    cpSync(seed, work, { recursive: true });
    writeFileSync(join(work, name), content);
    using dataset = openDataset(work);
    touchAll(dataset);
  };
}

/** Data sets with one damaged file, and forged ones, whose checksums fit. */
export function datasetReaders(): FuzzedReader[] {
  const [seed, work, forged] = ["seed-set", "input-set", "input-forged"].map((name) =>
    join(inputFolder(), name),
  );
  const table = exampleTable(6, 9);
  writeDataset(seed, {
    table,
    sequences: table.asvIds,
    distances: { unweighted: exampleDistances(6) },
    vectors: { faith_pd: new Float32Array(6).fill(2) },
    metadata: [
      { kind: "numeric", name: "age", values: new Float64Array(6).fill(3) },
      {
        kind: "text",
        name: "site",
        codes: Int32Array.from([0, 1, 0, 1, -1, 0]),
        categories: ["gut", "skin"],
      },
    ],
    provenance: noProvenance,
  });
  const seeds = files.map((name) => pack(name, new Uint8Array(readFileSync(join(seed, name)))));
  const manifest = readManifest(seed);

  /** A changed manifest with a right checksum, or a changed file with a manifest to which it fits. */
  const forge = (packed: Uint8Array, random: Random): Uint8Array => {
    const { name, content } = unpack(packed);
    const changed = mutate(content, random);
    if (name !== manifestName) return pack(name, changed);
    try {
      const parsed = JSON.parse(new TextDecoder().decode(changed)) as Manifest;
      const { manifestChecksum: _, ...rest } = parsed as Manifest & { manifestChecksum: string };
      return pack(name, new TextEncoder().encode(manifestText(rest)));
    } catch {
      return pack(name, changed);
    }
  };
  const mutateContent = (packed: Uint8Array, random: Random): Uint8Array => {
    const { name, content } = unpack(packed);
    return pack(name, mutate(content, random));
  };
  const readForged = readWith(seed, forged);
  return [
    {
      name: "data sets, damaged",
      // Checksums tell every damage.
      mayRefuseAll: true,
      files: seeds,
      mutate: mutateContent,
      source: work,
      read: readWith(seed, work),
      check: () => {},
    },
    {
      name: "data sets, forged",
      isForged: true,
      files: seeds,
      mutate: forge,
      source: forged,
      // The changed file's checksums are put into the manifest, so that its content is looked at.
      read: (bytes, source) => {
        const { name, content } = unpack(bytes);
        if (name === manifestName) return readForged(bytes, source);
        rmSync(forged, { recursive: true, force: true });
        cpSync(seed, forged, { recursive: true });
        writeFileSync(join(forged, name), content);
        let start = 0;
        const segments = manifest.files[name].segments.map((segment, i, all) => {
          const size = i === all.length - 1 ? Math.max(0, content.length - start) : segment.bytes;
          const checksum = checksumOf(content.subarray(start, start + size));
          start += size;
          return { ...segment, bytes: size, checksum };
        });
        const changed = { ...manifest.files, [name]: { bytes: content.length, segments } };
        const { manifestChecksum: _, ...rest } = manifest as Manifest & { manifestChecksum?: string };
        writeFileSync(join(forged, manifestName), manifestText({ ...rest, files: changed }));
        using dataset = openDataset(forged);
        touchAll(dataset);
      },
      check: () => {},
    },
  ] as FuzzedReader[];
}
