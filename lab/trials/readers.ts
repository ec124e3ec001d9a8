import { allReaders } from "./fuzz/allReaders.ts";
import { fuzzInProcess } from "./fuzz/fuzz.ts";
import { fuzzReader, tryInput } from "./fuzz/fuzzReader.ts";
import { hostileInputs } from "./fuzz/hostileInputs.ts";
import { byEffort, type Trial } from "./trial.ts";

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);

/** Mutated files for every reader, then the ones made to do harm. */
export function readerTrials(): Trial[] {
  const mutations = allReaders().map((reader) => ({
    area: "readers",
    what: `mutations for ${reader.name}`,
    run: async (effort) => {
      const count = byEffort(effort, { short: 50, usual: 1000, full: 20_000 });
      const seed = 1;
      // A crash of Bun is found only from outside.
      const report =
        effort === "short"
          ? await fuzzReader(reader, { count, seed })
          : await fuzzInProcess(reader.name, count, seed);
      const { read, refused, slowest, largest, failures } = report;
      const note = `${read.toLocaleString("en-US")} read, ${refused.toLocaleString("en-US")} refused; at most ${Math.round(slowest)} ms, ${megabytes(largest)} MiB`;
      return { tried: read + refused + failures.length, lost: failures, leaked: [], note };
    },
  })) satisfies Trial[];
  const hostile: Trial = {
    area: "readers",
    what: "bombs, impossible sizes, deep nesting, code to run",
    run: async () => {
      const readers = new Map(allReaders().map((reader) => [reader.name, reader]));
      const inputs = hostileInputs();
      const lost: string[] = [];
      let slowest = 0;
      let largest = 0;
      for (const { reader, what, bytes } of inputs) {
        const outcome = await tryInput(readers.get(reader)!, bytes);
        slowest = Math.max(slowest, outcome.milliseconds);
        largest = Math.max(largest, outcome.bytes);
        if (outcome.problem !== undefined) lost.push(`${reader}, ${what}: ${outcome.problem}`);
        else if (!outcome.isRefused) lost.push(`${reader}, ${what}: it was read`);
      }
      const note = `at most ${Math.round(slowest)} ms, ${megabytes(largest)} MiB`;
      return { tried: inputs.length, lost, leaked: [], note };
    },
  };
  return [...mutations, hostile];
}
