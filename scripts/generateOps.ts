/**
 * Writes src/torch/dispatch/atenOps.gen.ts, the types of `torch.ops.aten`, and ops.gen.ts, the typed
 * functions and methods of the operators in src/torch/dispatch/opList.ts, from the schemas of the loaded
 * LibTorch. Run it after a change of that list: `bun scripts/generateOps.ts`.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../src/common/files/atomicFile.ts";
import { generateLibraryTypes, generateOps } from "../src/torch/dispatch/generateOps.ts";
import { exposedOperators } from "../src/torch/dispatch/opList.ts";
import { readText, shim } from "../src/torch/native/library.ts";

const library = readText((buffer, capacity) => shim.aamt_all_schemas(buffer, capacity));
for (const [name, { text, count }] of [
  ["ops.gen.ts", generateOps(exposedOperators, library)],
  ["atenOps.gen.ts", generateLibraryTypes(library)],
] as const) {
  const target = join(import.meta.dir, "../src/torch/dispatch", name);
  writeFileAtomic(target, text);
  console.log(`${target}: ${count} operators`);
}
