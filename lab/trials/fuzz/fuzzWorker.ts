/** A process that fuzzes one reader for `fuzz.ts`: `run READER FROM COUNT SEED`, or `list`. */
import { allReaders } from "./allReaders.ts";
import { fuzzReader } from "./fuzzReader.ts";

const [command, name, from, count, seed] = process.argv.slice(2);
if (command === "list") {
  console.log(JSON.stringify(allReaders().map((reader) => reader.name)));
  process.exit(0);
}
const reader = allReaders().find((one) => one.name === name);
if (!reader) throw new Error(`no reader ${name}`);
const send = process.send!.bind(process);
const report = await fuzzReader(reader, {
  from: Number(from),
  count: Number(count),
  seed: Number(seed),
  onInput: (number) => send({ at: number }),
});
const peakBytes = process.resourceUsage().maxRSS * 1024;
send({ report: { ...report, peakBytes } });
process.exit(0);
