/**
 * Prepares the study in FOLDER into the data set that belongs to it:
 * `bun prepareChild.ts FOLDER CACHE` prints its folder.
 */
import { join } from "node:path";
import { prepareCached } from "../../src/data/prepare/cached.ts";

const [source, cache] = process.argv.slice(2);
const { folder } = await prepareCached(
  { table: join(source, "table.biom"), tree: join(source, "tree.nwk"), rarefyDepth: "none" },
  cache,
);
console.log(folder);
process.exit(0);
