/**
 * Writes src/torch/ops.gen.ts, the typed functions and methods of the operators in src/torch/opList.ts, from the schemas of
 * the loaded LibTorch. Run it after a change of that list: `bun scripts/generateOps.ts`.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../src/common/atomicFile.ts";
import { generateOps } from "../src/torch/generateOps.ts";
import { readText, shim } from "../src/torch/native/library.ts";
import { exposedOperators } from "../src/torch/opList.ts";

const library = readText((buffer, capacity) => shim.aamt_all_schemas(buffer, capacity));
const target = join(import.meta.dir, "../src/torch/ops.gen.ts");
const { text, count } = generateOps(exposedOperators, library);
writeFileAtomic(target, text);
console.log(`${target}: ${count} operators`);
