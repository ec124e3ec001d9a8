/**
 * Can h5wasm (libhdf5 as WebAssembly) read what users bring, or is a reader of our own needed? The
 * finding is in hdf5Library.md.
 *
 *   bun debug/hdf5Library.ts time TABLE.biom           start-up and reading, h5wasm and ours
 *   bun debug/hdf5Library.ts fuzz [FIXTURE] [COUNT]    mutations of a fixture through h5wasm, in-process
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fuzzInput } from "../lab/trials/fuzz/fuzzReader.ts";
import { openHdf5Bytes } from "../src/formats/hdf5/read.ts";

const axes = ["sample", "observation"];
const paths = axes.flatMap((axis) =>
  ["ids", "matrix/data", "matrix/indices", "matrix/indptr"].map((name) => `${axis}/${name}`),
);

async function loadH5wasm(): Promise<(bytes: Uint8Array) => void> {
  const h5wasm = await import("h5wasm");
  const { FS } = await h5wasm.ready;
  return (bytes) => {
    FS.writeFile("/file.h5", bytes);
    const file = new h5wasm.File("/file.h5", "r");
    try {
      for (const path of paths) {
        const entity = file.get(path);
        if (!(entity instanceof h5wasm.Dataset)) throw new Error(`no dataset ${path}`);
        void entity.value;
      }
    } finally {
      file.close();
    }
  };
}

function readOurs(bytes: Uint8Array): void {
  const file = openHdf5Bytes(bytes, "file.h5");
  for (const path of paths) {
    if (path.endsWith("ids")) file.dataset(path).texts();
    else file.dataset(path).numbers();
  }
}

function milliseconds(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

async function time(path: string): Promise<void> {
  const start = performance.now();
  const readH5wasm = await loadH5wasm();
  console.log(`h5wasm start-up: ${(performance.now() - start).toFixed(0)} ms`);
  const bytes = new Uint8Array(readFileSync(path));
  for (const [name, read] of [
    ["h5wasm", readH5wasm],
    ["ours", readOurs],
  ] as const) {
    const times = Array.from({ length: 20 }, () => milliseconds(() => read(bytes)));
    console.log(`${name}: first ${times[0].toFixed(1)} ms, best ${Math.min(...times).toFixed(1)} ms`);
  }
}

async function fuzz(fixture: string, count: number): Promise<void> {
  const path = join(import.meta.dir, "..", "tests", "fixtures", "tables", `${fixture}.biom.gz`);
  const files = [new Uint8Array(gunzipSync(readFileSync(path)))];
  const read = await loadH5wasm();
  const reader = { name: "h5wasm", files, read, check: () => {} };
  const outcomes = new Map<string, number>();
  for (let number = 0; number < count; number++) {
    const input = fuzzInput(reader, 1, number);
    let outcome = "read";
    const took = milliseconds(() => {
      try {
        read(input);
      } catch (cause) {
        outcome = String(cause).replace(/\d+/g, "N").slice(0, 60);
      }
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (took > 1000) console.log(`mutation ${number}: ${Math.round(took)} ms`);
  }
  console.log(Object.fromEntries(outcomes), `${Math.round(process.memoryUsage.rss() / 1e6)} MB`);
}

const [mode, argument, count] = process.argv.slice(2);
if (mode === "time" && argument) await time(argument);
else if (mode === "fuzz") await fuzz(argument ?? "gzip", Number(count ?? 3000));
else console.log("Give: time TABLE.biom, or: fuzz [FIXTURE] [COUNT]");
