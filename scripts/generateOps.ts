/**
 * Writes src/torch/dispatch/ops.gen.ts, the typed functions and methods of the operators in src/torch/dispatch/opList.ts, from the schemas of
 * the loaded LibTorch. Run it after a change of that list: `bun scripts/generateOps.ts`.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../src/common/files/atomicFile.ts";
import { generateOps } from "../src/torch/dispatch/generateOps.ts";
import { exposedOperators } from "../src/torch/dispatch/opList.ts";
import { readText, shim } from "../src/torch/native/library.ts";

const library = readText((buffer, capacity) => shim.aamt_all_schemas(buffer, capacity));
const target = join(import.meta.dir, "../src/torch/dispatch/ops.gen.ts");
const { text, count } = generateOps(exposedOperators, library);
writeFileAtomic(target, text);
console.log(`${target}: ${count} operators`);
