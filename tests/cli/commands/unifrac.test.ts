import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readNpy } from "../../../src/formats/npy/npy.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const program = join(resolve(import.meta.dir, "../../.."), "scripts/aam.ts");
const scratch = scratchFolder();

function run(...args: string[]) {
  const done = Bun.spawnSync([process.execPath, program, "unifrac", ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), error: done.stderr.toString() };
}

function file(name: string, content: string): string {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
}

const out = (name: string) => join(scratch, name);
const table = file("table.tsv", "#OTU ID\tS1\tS2\tS3\na\t1\t0\t30\nb\t1\t1\t0\nc\t0\t2\t0\n");
const tree = file("tree.nwk", "((a:1,b:2):5,c:1):9;");
const inputs = ["--table", table, "--tree", tree];

describe("unifrac", () => {
  test("writes the square matrix in the table's order", () => {
    const done = run(...inputs, "--output", out("u.npy"));
    expect(done).toEqual({
      code: 0,
      out: `The unweighted distances of 3 samples are in ${out("u.npy")}\n`,
      error: "",
    });
    const { dtype, shape, values } = readNpy(out("u.npy"));
    expect([dtype, shape]).toEqual(["float32", [3, 3]]);
    const [ab, ac, bc] = [2 / 9, 2 / 8, 4 / 9].map(Math.fround);
    expect([...(values as Float32Array)]).toEqual([0, ab, ac, ab, 0, bc, ac, bc, 0]);
  });

  test("takes metric, alpha, form and precision", () => {
    const options = [
      "--metric",
      "generalized",
      "--alpha",
      "0.5",
      "--variance-adjusted",
      "--precision",
      "float64",
    ];
    expect(
      run(...inputs, ...options, "--output", out("g.h5"), "--threads", "2", "--device", "cpu").code,
    ).toBe(0);
    const { ids, values } = readDistances(out("g.h5"));
    expect([ids, values.length, values instanceof Float64Array]).toEqual([["S1", "S2", "S3"], 3, true]);
    // S1 with S3: b's branch (2; 1 of 32 counts) and a's (1; 31 of 32) alone, for all have the stem.
    const term = (length: number, x: number, y: number, m: number) => {
      const weight = length * Math.sqrt((x + y) / Math.sqrt(m * (32 - m)));
      return [weight * (Math.abs(x - y) / (x + y)), weight];
    };
    const [[na, da], [nb, db]] = [term(1, 0.5, 1, 31), term(2, 0.5, 0, 1)];
    expect(values[1]).toBeCloseTo((na + nb) / (da + db), 12);
  });

  test("rarefies first, and says whom that drops", () => {
    const done = run(
      ...inputs,
      "--rarefy-depth",
      "3",
      "--seed",
      "4",
      "--output",
      out("r.tsv"),
      "--metric",
      "weighted_normalized",
    );
    expect(done.code).toBe(0);
    expect(done.error).toBe(
      'Warning: 1 of 3 samples have fewer than 3 counts and were left out; the first is "S1".\n',
    );
    expect(readDistances(out("r.tsv")).ids).toEqual(["S2", "S3"]);
  });

  test("Faith's PD, for programs", () => {
    const done = run(...inputs, "--metric", "faith_pd", "--output", out("pd.tsv"), "--json");
    expect(JSON.parse(done.out.trim().split("\n").at(-1)!)).toEqual({
      event: "unifrac",
      metric: "faith_pd",
      samples: 3,
      output: out("pd.tsv"),
    });
    expect(readFileSync(out("pd.tsv"), "utf8")).toBe("#SampleID\tfaith_pd\nS1\t8\nS2\t8\nS3\t6\n");
  });

  showsOptions("unifrac", "--rep-seqs");
  test("matches tips that are sequences by representative sequences", () => {
    const tips = file("sequences.nwk", "((ACGT:1,CCGT:2):5,GGGT:1);");
    const sequences = file("seqs.fasta", ">a\nACGT\n>b\nCCGT\n>c\nGGGT\n");
    expect(run("--table", table, "--tree", tips, "--output", out("x.npy")).error).toMatch(
      /has none of the table's 3 ASVs as a tip/,
    );
    const done = run(
      "--table",
      table,
      "--tree",
      tips,
      "--rep-seqs",
      sequences,
      "--output",
      out("s.npy"),
      "--quiet",
    );
    expect(done).toEqual({ code: 0, out: "", error: "" });
    expect(readNpy(out("s.npy"))).toEqual(readNpy(out("u.npy")));
  });

  test("asks for a root, or makes one", () => {
    const unrooted = file("unrooted.nwk", "[&U] (a:1,b:2,c:6);");
    const options = ["--table", table, "--tree", unrooted, "--output", out("m.npy")];
    const refused = run(...options);
    expect([refused.code, refused.error]).toEqual([
      1,
      `Error: ${unrooted} says that it is unrooted, but UniFrac depends on the root; root it, or add --midpoint-root.\n`,
    ]);
    expect(run(...options, "--midpoint-root").code).toBe(0);
    // The middle of b - c is 2 above the fork of a and b.
    expect((readNpy(out("m.npy")).values as Float32Array)[1]).toBeCloseTo(5 / 9, 6);
  });

  test("tells of samples without counts", () => {
    const hollow = file("hollow.tsv", "#OTU ID\tS1\tS2\na\t1\t0\nb\t1\t0\n");
    const done = run("--table", hollow, "--tree", tree, "--output", out("h.npy"));
    expect(done.error).toContain('Warning: One sample has no counts (the first is "S2")');
    expect((readNpy(out("h.npy")).values as Float32Array)[1]).toBe(1);
    const faith = run("--table", hollow, "--tree", tree, "--metric", "faith_pd", "--output", out("h.tsv"));
    expect(faith.error).toContain("Faith's PD is 0 there");
  });

  test.each([
    [["--alpha", "0.5"], 1, "--alpha has no effect on unweighted, only on generalized"],
    [["--absolute"], 1, "--absolute has no effect on unweighted"],
    [["--metric", "faith_pd", "--bypass-tips"], 1, "--bypass-tips has no effect on faith_pd"],
    [["--with-replacement"], 1, "--with-replacement needs --rarefy-depth"],
    [["--metric", "braycurtis"], 2, "Allowed choices are unweighted, "],
    [["--metric", "generalized", "--alpha", "2"], 2, "It must be a number from 0 to 1."],
    [["--rarefy-depth", "0"], 2, "It must be at least 1."],
    [["--rarefy-depth", "1000"], 1, "has no sample with 1000 counts"],
    [["--precision", "float16"], 2, "Allowed choices are float32, float64."],
    [
      ["--output", "x.csv"],
      1,
      "x.csv has the extension .csv; for unweighted use one of .npy, .h5, .tsv, .qza, .arrow.",
    ],
    [["--table", "nowhere.biom"], 1, "nowhere.biom"],
  ])("refuses %p", (options, code, message) => {
    const done = run(...inputs, "--output", out("refused.npy"), ...options);
    expect([done.code, done.out]).toEqual([code, ""]);
    expect(done.error).toContain(message);
    expect(done.error).not.toContain("details");
    expect(existsSync(out("refused.npy"))).toBe(false);
  });

  test.skipIf(!existsSync(outsideData))("Moving Pictures, from and to QIIME 2's formats", () => {
    const study = join(outsideData, "moving-pictures");
    const done = run(
      ...["--table", join(study, "filtered_rarefied_table.qza"), "--tree", join(study, "rooted-tree.qza")],
      ...["--metric", "weighted_unnormalized", "--precision", "float64", "--output", out("mp.tsv")],
    );
    expect(done.code).toBe(0);
    const ours = readDistances(out("mp.tsv"));
    const theirs = readDistances(join(study, "weighted_unifrac_distance_matrix.qza"));
    expect(ours.ids).toEqual(theirs.ids);
    expect(Math.max(...ours.values.map((value, i) => Math.abs(value - theirs.values[i])))).toBeLessThan(1e-7);
  });
});

describe("repeated drawings", () => {
  const counts = file("deep.tsv", "#OTU ID\tS1\tS2\tS3\na\t40\t3\t30\nb\t9\t41\t0\nc\t2\t20\t1\n");
  const given = ["--table", counts, "--tree", tree, "--precision", "float64"];
  let files = 0;
  const distances = (...more: string[]) => {
    const path = out(`drawn-${files++}.npy`);
    expect(run(...given, ...more, "--output", path)).toMatchObject({ code: 0, error: "" });
    return [...(readNpy(path).values as Float64Array)];
  };

  showsOptions("unifrac", "--rarefactions --bootstrap");
  test("--rarefactions takes the mean over seeds, --bootstrap draws as many counts as there are", () => {
    for (const how of [["--rarefy-depth", "9"], ["--bootstrap"]]) {
      const metric = ["--metric", "weighted_normalized", ...how];
      const each = ["4", "5", "6"].map((seed) => distances(...metric, "--seed", seed));
      expect(each[0]).not.toEqual(each[1]);
      const mean = distances(...metric, "--seed", "4", "--rarefactions", "3");
      for (const [pair, value] of mean.entries())
        expect(value).toBeCloseTo(each.reduce((sum, one) => sum + one[pair], 0) / 3, 12);
    }
    // Without replacement all counts are all counts.
    const whole = distances("--metric", "weighted_normalized");
    expect(distances("--metric", "weighted_normalized", "--bootstrap")).not.toEqual(whole);
  });

  test.each([
    ["--rarefactions 3", "--rarefactions needs --rarefy-depth or --bootstrap"],
    ["--bootstrap --rarefy-depth 9", "--bootstrap draws as many counts as each sample has"],
    ["--rarefactions 3 --rarefy-depth 9 --pairs 2", "leave --pairs or it out"],
    ["--rarefactions 3 --rarefy-depth 9 --metric faith_pd", "`aam rarefaction` means those"],
  ])("%s is refused", (options, said) => {
    const done = run(...given, ...options.split(" "), "--output", out("none.npy"));
    expect([done.code, done.error]).toEqual([1, expect.stringContaining(said)]);
    expect(existsSync(out("none.npy"))).toBe(false);
  });
});
