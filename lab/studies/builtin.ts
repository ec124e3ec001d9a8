/**
 * Makes the encoder that the package brings along: trains on several data sets together, each with its own
 * tree, and writes the best weights into one file. docs/builtin-encoder.md names the data.
 *
 *     bun lab/studies/builtin.ts --output models/builtin.safetensors --minutes 3 oral ecam crc-udca2
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { checkpointOf } from "../../src/training/run/open.ts";
import { trainTogether } from "./zeroShot.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string" },
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: "0" },
  },
});
const { output, minutes, seed } = values;
if (output === undefined || positionals.length < 2)
  throw new Error("Give --output and at least two data sets.");
const studies = positionals.map((folder) => ({
  name: basename(resolve(folder)),
  dataset: openDataset(folder),
}));
const scratch = mkdtempSync(join(tmpdir(), "aam-builtin-"));
try {
  const options = { metric: "unweighted", minutes: Number(minutes), seed: Number(seed) } as const;
  copyFileSync(checkpointOf(await trainTogether(studies, scratch, options)), output);
  console.log(`The encoder of ${studies.map(({ name }) => name).join(", ")} is in ${output}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
