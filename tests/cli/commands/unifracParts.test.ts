/** Distances in parts: rows that are merged, new samples against old ones, some pairs. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { selectSamples } from "../../../src/data/table/select.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";
import { readNpy } from "../../../src/formats/npy/npy.ts";
import { refusal, succeed } from "../../helpers/commandLine.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const scratch = scratchFolder();
const study = simulate({ samples: 150, asvs: 60, depth: 300, richness: 20, length: 30 });
const files = writeSimulation(join(scratch, "study"), study);
const path = (name: string) => join(scratch, name);
const tree = ["--quiet", "--device", "cpu", "--tree", files.tree];
const inputs = [...tree, "--table", files.table];
const { sampleIds } = study.table;
const metric = ["--metric", "generalized", "--alpha", "0.5"];

const whole = async (...options: string[]) => {
  await succeed("unifrac", ...inputs, "--output", path("whole.npy"), ...options);
  return readNpy(path("whole.npy")).values as Float32Array;
};

describe("unifrac in parts", () => {
  showsOptions("unifrac", "--merge");
  test.each([["float32"], ["float64"]])(
    "rows come to the whole matrix when merged, in %s",
    async (precision) => {
      const options = [...metric, "--precision", precision];
      const expected = await whole(...options);
      const parts = ["0:7", "7:140", "140:150"].map((rows, i) => ({ rows, part: path(`part${i}.h5`) }));
      for (const { rows, part } of parts)
        await succeed("unifrac", ...inputs, ...options, "--rows", rows, "--output", part);
      const given = [parts[2], parts[0], parts[1]].flatMap(({ part }) => ["--merge", part]);
      await succeed("unifrac", "--quiet", ...given, "--output", path("merged.npy"));
      const { values, shape } = readNpy(path("merged.npy"));
      expect(shape).toEqual([150, 150]);
      expect(values as Float32Array).toEqual(expected);
    },
  );

  test("parts that do not belong together, or leave rows out, are refused", async () => {
    const part = async (name: string, rows: string, ...options: string[]) => {
      await succeed("unifrac", ...inputs, "--rows", rows, "--output", path(name), ...options);
      return ["--merge", path(name)];
    };
    const first = await part("a.h5", "0:100");
    const rest = await part("b.h5", "100:150");
    const merged = (...parts: string[]) =>
      refusal("unifrac", "--quiet", ...parts, "--output", path("refused.npy"));
    expect(await merged(...first)).toContain("No part has the rows 100:150");
    expect(await merged(...rest)).toContain("No part has the rows 0:100");
    expect(await merged(...first, ...rest, ...(await part("c.h5", "120:150")))).toContain(
      "both have row 120",
    );
    const weighted = await part("d.h5", "100:150", "--metric", "weighted_normalized");
    expect(await merged(...first, ...weighted)).toContain("has weighted_normalized distances");
    expect(await merged("--merge", path("whole.npy"))).toContain("whole.npy");
    expect(await refusal("unifrac", ...inputs, "--rows", "9:3", "--output", path("x.h5"))).toContain(
      "no range",
    );
    expect(await refusal("unifrac", ...inputs, "--rows", "0:151", "--output", path("x.h5"))).toContain("150");
    expect(await merged(...first, "--table", files.table)).toContain("needs neither");
    expect(await merged(...first, "--pairs", "3")).toContain("exclude each other");
    expect(await merged()).toContain("give --table too");
    expect(await refusal("unifrac", ...inputs, "--rows", "0:3", "--output", path("x.npy"))).toContain(".h5");
  });

  showsOptions("unifrac", "--against");
  test("--against compares new samples with old ones alone", async () => {
    const expected = await whole(...metric);
    const half = (name: string, from: number, to: number) => {
      const samples = Array.from({ length: to - from }, (_, i) => from + i);
      writeBiom(path(name), selectSamples(study.table, samples));
      return path(name);
    };
    const [fresh, old] = [half("new.biom", 140, 150), half("old.biom", 0, 140)];
    const options = [...tree, ...metric, "--table", fresh, "--against", old];
    await succeed("unifrac", ...options, "--output", path("against.npy"));
    const { values, shape } = readNpy(path("against.npy"));
    expect(shape).toEqual([10, 140]);
    for (let i = 0; i < 10; i++)
      for (let j = 0; j < 140; j++)
        expect((values as Float32Array)[i * 140 + j]).toBeCloseTo(expected[(140 + i) * 150 + j], 6);
    await succeed("unifrac", ...options, "--output", path("against.tsv"));
    const lines = readFileSync(path("against.tsv"), "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe(`\t${sampleIds.slice(0, 140).join("\t")}`);
    expect(lines[3].split("\t")[0]).toBe(sampleIds[142]);
    expect(Math.fround(Number(lines[3].split("\t")[5]))).toBe((values as Float32Array)[2 * 140 + 4]);
    const both = ["--table", fresh, "--against", files.table, "--output", path("x.npy")];
    expect(await refusal("unifrac", ...tree, ...both)).toContain(`The sample "${sampleIds[140]}" is in`);
  });

  test("--pairs draws pairs by --seed, with the distances of the whole matrix", async () => {
    const expected = await whole(...metric);
    const drawn = async (count: number, ...options: string[]) => {
      const given = [...inputs, ...metric, "--pairs", String(count), ...options];
      await succeed("unifrac", ...given, "--output", path("pairs.tsv"));
      const [header, ...lines] = readFileSync(path("pairs.tsv"), "utf8").trimEnd().split("\n");
      expect(header).toBe("sample_a\tsample_b\tdistance");
      return lines.map((line) => {
        const [a, b, distance] = line.split("\t");
        return [sampleIds.indexOf(a), sampleIds.indexOf(b), Math.fround(Number(distance))];
      });
    };
    const some = await drawn(300);
    expect(new Set(some.map(([a, b]) => a * 150 + b)).size).toBe(300);
    for (const [a, b, distance] of some) {
      expect(a).toBeLessThan(b);
      expect(distance).toBe(expected[a * 150 + b]);
    }
    expect(await drawn(300)).toEqual(some);
    expect(await drawn(300, "--seed", "1")).not.toEqual(some);
    const all = await drawn(1e6);
    expect(all.map(([a, b]) => [a, b])).toEqual(
      sampleIds.flatMap((_, a) => Array.from({ length: 149 - a }, (_none, i) => [a, a + 1 + i])),
    );
    expect(new Set((await drawn(11_000)).map(([a, b]) => a * 150 + b)).size).toBe(11_000);
  });
});
