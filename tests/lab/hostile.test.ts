import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allReaders } from "../../lab/trials/fuzz/allReaders.ts";
import { tryInput } from "../../lab/trials/fuzz/fuzzReader.ts";
import { hostileInputs } from "../../lab/trials/fuzz/hostileInputs.ts";
import { unpackedLimit } from "../../src/common/files/inputFile.ts";
import * as torch from "../../src/torch/index.ts";

// Within tidy: a scope that is opened while a test file is loaded hangs Bun's test runner.
const readers = torch.tidy(allReaders);
const readerOf = (name: string) => {
  const found = readers.find((reader) => reader.name === name);
  if (!found) throw new Error(`no reader ${name}`);
  return found;
};

describe("inputs made to do harm are refused with one sentence, in less than a second and little memory", () => {
  for (const { reader, what, bytes, says } of torch.tidy(hostileInputs)) {
    test(`${reader}: ${what}`, async () => {
      const outcome = await tryInput(readerOf(reader), bytes);
      expect(outcome.problem).toBeUndefined();
      expect(outcome.isRefused).toBe(true);
      if (says) expect(outcome.message).toMatch(says);
      expect(outcome.milliseconds).toBeLessThan(1000);
      expect(outcome.bytes).toBeLessThan(unpackedLimit(bytes.length) + 64 * bytes.length);
    });
  }

  test("nothing that they hold reaches other objects", () => {
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("what the fuzzer found once stays mended", () => {
  const folder = join(import.meta.dir, "../fixtures/fuzz");
  const slug = (name: string) => name.replace(/\W+/g, "-").toLowerCase();
  for (const file of readdirSync(folder)) {
    test(file, async () => {
      const reader = readers.find(({ name }) => slug(name) === file.split(".")[0]);
      const { problem } = await tryInput(reader!, new Uint8Array(readFileSync(join(folder, file))));
      expect(problem).toBeUndefined();
    });
  }
});
