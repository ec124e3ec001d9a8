import { describe, expect, test } from "bun:test";
import { allReaders } from "../../lab/trials/fuzz/allReaders.ts";
import { type FuzzedReader, fuzzInput, fuzzReader } from "../../lab/trials/fuzz/fuzzReader.ts";
import { UserError } from "../../src/common/userError.ts";

// The long form is `bun lab/trials/fuzz/fuzz.ts`.
describe("mutated files are read consistently or refused with one sentence", () => {
  for (const reader of allReaders()) {
    test(reader.name, async () => {
      const report = await fuzzReader(reader, { count: 300, seed: 2024 });
      expect(report.failures).toEqual([]);
      // Both happen, or the mutations are of no use.
      if (!reader.mayRefuseAll) expect(report.read).toBeGreaterThan(0);
      expect(report.refused).toBeGreaterThan(0);
    });
  }
});

describe("fuzzReader", () => {
  const files = [new TextEncoder().encode("0123456789")];
  const reader = { name: "x", files, check: () => {} };
  const failing = async (read: FuzzedReader["read"]) =>
    (await fuzzReader({ ...reader, read }, { count: 1, seed: 1, maxMilliseconds: 5 })).failures[0];

  test("reports errors that are no UserError, that do not name the input, slow and large inputs", async () => {
    const throws = (error: Error) =>
      failing(() => {
        throw error;
      });
    expect(await throws(new TypeError("a bug"))).toContain("a bug");
    expect(await throws(new UserError("Something is wrong."))).toContain("does not name the input");
    expect(await throws(new UserError("fuzzed-input is\nwrong."))).toContain("more than one line");
    expect(
      await failing(() => {
        const start = process.cpuUsage();
        while (process.cpuUsage(start).user < 20_000);
      }),
    ).toContain(" ms");
    expect(
      (
        await fuzzReader(
          { ...reader, read: () => new Uint8Array(200 * 2 ** 20).fill(1) },
          { count: 1, seed: 1 },
        )
      ).failures[0],
    ).toContain("MiB for");
  });

  test("reports results that are not consistent, also of asynchronous readers", async () => {
    const check = () => {
      throw new Error("inconsistent");
    };
    const settings = { count: 1, seed: 1 };
    expect((await fuzzReader({ ...reader, read: () => 0, check }, settings)).failures[0]).toContain(
      "inconsistent",
    );
    expect((await fuzzReader({ ...reader, read: async () => 0, check }, settings)).failures[0]).toContain(
      "inconsistent",
    );
  });

  test("makes the same inputs from the same seed, and hardly ever the original", () => {
    const input = (number: number) => fuzzInput({ ...reader, read: () => 0 }, 3, number).join();
    const inputs = Array.from({ length: 50 }, (_, number) => input(number));
    expect(Array.from({ length: 50 }, (_, number) => input(number))).toEqual(inputs);
    expect(new Set(inputs).size).toBeGreaterThan(40);
    expect(inputs.filter((one) => one === files[0].join()).length).toBeLessThan(5);
  });
});
