/**
 * Runs a script as several ranks on this machine: what `torchrun --standalone` does for programs in Python.
 *
 *     bun scripts/ranks.ts 2 examples/dataParallel.ts
 */
import { launchRanks } from "../src/torch/distributed/ranks/launchRanks.ts";

const [count, ...args] = process.argv.slice(2);
const ranks = Number(count);
if (!Number.isInteger(ranks) || ranks < 1 || args.length === 0) {
  console.error("Error: expected a number of ranks and a script, such as: bun scripts/ranks.ts 2 program.ts");
  process.exit(2);
}
process.exitCode = await launchRanks({ ranks, args, onFailure: (sentence) => console.error(sentence) });
