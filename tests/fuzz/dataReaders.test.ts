import { describe, expect, test } from "bun:test";
import { UserError } from "../../src/common/userError.ts";
import { dataReaders } from "./dataReaders.ts";
import { fuzzInput, fuzzReader } from "./fuzzReader.ts";

// The long form is `bun tests/fuzz/dataReaders.fuzz.ts`.
describe("mutated files are read consistently or refused with one sentence", () => {
  for (const reader of dataReaders()) {
    test(reader.name, () => {
      const report = fuzzReader({ ...reader, count: 400, seed: 2024 });
      expect(report.failures).toEqual([]);
      // Both happen, or the mutations are of no use.
      expect(report.read).toBeGreaterThan(0);
      expect(report.refused).toBeGreaterThan(0);
    });
  }
});

describe("fuzzReader", () => {
  const files = [new TextEncoder().encode("0123456789")];
  const settings = { files, count: 50, seed: 1, check: () => {} };

  test("reports errors that are no UserError, that do not name the input, and slow inputs", () => {
    const failing = (read: (bytes: Uint8Array, source: string) => unknown) =>
      fuzzReader({ ...settings, count: 1, read, maxMilliseconds: 5 }).failures[0];
    expect(
      failing(() => {
        throw new TypeError("a bug");
      }),
    ).toContain("a bug");
    expect(
      failing(() => {
        throw new UserError("Something is wrong.");
      }),
    ).toContain("does not name the input");
    expect(
      failing(() => {
        const start = process.cpuUsage();
        while (process.cpuUsage(start).user < 20_000);
      }),
    ).toContain(" ms");
  });

  test("reports results that are not consistent", () => {
    const check = () => {
      throw new Error("inconsistent");
    };
    expect(fuzzReader({ ...settings, read: () => 0, check }).failures[0]).toContain("inconsistent");
  });

  test("makes the same inputs from the same seed, and hardly ever the original", () => {
    const inputs = Array.from({ length: 50 }, (_, number) => fuzzInput(files, 3, number).join());
    expect(Array.from({ length: 50 }, (_, number) => fuzzInput(files, 3, number).join())).toEqual(inputs);
    expect(new Set(inputs).size).toBeGreaterThan(40);
    expect(inputs.filter((input) => input === files[0]!.join()).length).toBeLessThan(5);
  });
});
