/**
 * The long form of the readers' fuzzing: `bun tests/fuzz/dataReaders.fuzz.ts [mutations] [seed]`, 20,000 per reader
 * by default. Prints what each reader did and exits with 1 if one of them failed.
 */
import { dataReaders } from "./dataReaders.ts";
import { fuzzReader } from "./fuzzReader.ts";

const count = Number(process.argv[2] ?? 20_000);
const seed = Number(process.argv[3] ?? 1);
let failed = false;
for (const reader of dataReaders()) {
  const start = performance.now();
  const report = fuzzReader({ ...reader, count, seed });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const memory = Math.round(process.memoryUsage.rss() / 1e6);
  console.log(`${reader.name}: read ${report.read}, refused ${report.refused}, ${seconds} s, ${memory} MB`);
  for (const failure of report.failures) console.log(`  ${failure}`);
  failed ||= report.failures.length > 0;
}
process.exit(failed ? 1 : 0);
