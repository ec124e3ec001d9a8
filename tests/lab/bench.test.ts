import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { encoderOperations, stackOperations } from "../../lab/bench/flops.ts";
import { limitsOf, mergeReports, type ScalingReport } from "../../lab/bench/scalingReport.ts";
import { checkKernels } from "../../lab/bench/step.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();
const root = resolve(import.meta.dir, "../..");

function bench(...args: string[]): { code: number; out: string; err: string } {
  const done = Bun.spawnSync([process.execPath, "scripts/aam.ts", "bench", ...args], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

/** A subject's report of a small simulated study and a small model. */
function measured(subject: string, ...options: string[]) {
  const simulation = simulate({ samples: 20, asvs: 30, richness: 12, length: 24, depth: 400, seed: 3 });
  const { table, tree } = writeSimulation(scratch.path("study"), simulation);
  const shape = "--embedding-dim 8 --layers 1 --heads 2 --token-limit 32 --max-bp 24 --threads 1".split(" ");
  const { code, out, err } = bench(subject, "--table", table, "--tree", tree, ...shape, ...options);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
}

test("operations of a transformer are counted as its products' sizes say", () => {
  const [length, dim, layers] = [5, 8, 3];
  const product = (rows: number, inner: number, columns: number) => 2 * rows * inner * columns;
  const layer =
    product(length, dim, 3 * dim) +
    product(length, dim, length) +
    product(length, length, dim) +
    product(length, dim, dim) +
    product(length, dim, 4 * dim) +
    product(length, 4 * dim, dim);
  expect(stackOperations([length, length], { dim, layers })).toBe(2 * layers * layer);
  const whole = encoderOperations({ sequences: [length], samples: [length] }, { dim, layers });
  expect(whole).toBe(3 * layers * layer);
});

test("attention that keeps all weights is refused on a GPU", () => {
  expect(() => checkKernels({ math: 4, flash: 2 }, "cuda")).toThrow(/attention ran as math, flash/);
  expect(() => checkKernels({}, "cuda")).toThrow(/as nothing/);
  checkKernels({ flash: 4, "memory efficient": 2 }, "cuda");
  checkKernels({ "fused layer": 12 }, "cpu");
});

showsOptions("bench step", "--json");
test("bench step measures both sides on the same batches, and says how much each computes", () => {
  const report = measured("step", "--json", "--batch-size", "4", "--rounds", "1");
  const { ours, reference, batch } = report;
  expect(report.ratio).toBeCloseTo(reference.median_s / ours.median_s, 10);
  expect(ours.median_s).toBeGreaterThan(0);
  expect(ours.samples_per_second).toBeCloseTo(4 / ours.median_s, 6);
  expect(ours.peak_bytes).toBeGreaterThan(2 ** 20);
  expect(reference.peak_bytes).toBeGreaterThan(2 ** 20);
  const parts = ours.parts_s;
  for (const part of ["forward", "backward", "optimizer"]) expect(parts[part]).toBeGreaterThan(0);
  expect(parts.encoder).toBeLessThan(parts.forward);
  // Each distinct ASV once with its own length, against each occurrence, padded, and computed
  // twice in the backward pass.
  expect(batch.distinct).toBeLessThan(batch.occurrences);
  expect(ours.gflop).toBeLessThan((3 / 4) * reference.gflop);
  expect(report.attention).toEqual({ "fused layer": 3 });
});

test("bench predict encodes the whole table, and scales the other side's time by its samples", () => {
  const { ours, reference, ratio, samples } = measured(
    "predict",
    "--json",
    "--batches",
    "1",
    "--batch-size",
    "2",
  );
  expect(reference.timed_samples).toBe(2);
  expect(reference.median_s).toBeCloseTo((reference.timed_s / 2) * samples, 6);
  expect(ratio).toBeCloseTo(reference.median_s / ours.median_s, 6);
  expect(ours.samples_per_second).toBeCloseTo(samples / ours.median_s, 6);
});

test("bench train gives both the same time and judges both on the same samples", () => {
  const { ours, reference, settings } = measured("train", "--json", "--minutes", "0.02", "--batch-size", "4");
  expect(settings.validation_samples).toBe(4);
  for (const side of [ours, reference]) {
    expect(side.steps).toBeGreaterThan(0);
    expect(side.val_r2).toBeLessThan(1);
    expect(side.val_mae).toBeGreaterThan(0);
  }
  expect(reference.seconds).toBeGreaterThanOrEqual(1.2);
});

showsOptions("bench train", "--to-r2");
test("bench train --to-r2 tells how long each side trains until it is that good, null where it never is", () => {
  const timed = (target: string) =>
    measured("train", "--json", "--to-r2", target, "--minutes", "0.02", "--batch-size", "4");
  const never = timed("1.5");
  expect([never.set.seconds, never.aam.seconds, never.reference.seconds]).toEqual([null, null, null]);
  for (const side of [never.set, never.aam, never.reference]) {
    expect(side.steps).toBeGreaterThan(0);
    expect(side.best_r2).toBeLessThan(1);
  }
});

test("bench scaling measures points on its axes, draws them, and shows reports of several runs as one", () => {
  const sizes = ["--axes", "batch,samples", "--rounds", "1", "--samples", "5,10", "--batch-sizes", "2,4"];
  const report = measured("scaling", ...sizes, "--json") as ScalingReport;
  expect(report.axes.map(({ name, points }) => [name, points.map(({ at }) => at)])).toEqual([
    ["batch", [2, 4]],
    ["samples", [5, 10]],
  ]);
  for (const { seconds, peak_bytes, distinct, occurrences } of report.axes.flatMap(({ points }) => points)) {
    expect(seconds).toBeGreaterThan(0);
    expect(peak_bytes).toBeGreaterThan(2 ** 20);
    expect(occurrences).toBeGreaterThan(distinct);
  }
  const [small, large] = report.axes[0].points;
  expect(large.kept_bytes).toBeGreaterThan(small.kept_bytes!);
  expect(report.kept.at(-1)!.at).toBeGreaterThan(10);
  const files = [1, 2].map((i) => scratch.path(`scaling${i}.json`));
  const { axes } = report;
  writeFileSync(files[0], JSON.stringify({ ...report, axes: [{ name: "batch", points: [large] }] }));
  writeFileSync(files[1], JSON.stringify({ ...report, axes: [{ name: "batch", points: [small] }, axes[1]] }));
  const plots = scratch.path("plots");
  const { code, out, err } = bench("scaling", "--from", ...files, "--output", plots);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.match(/^\| \d+ \|/gm)).toEqual(["| 2 |", "| 4 |", "| 5 |", "| 10 |"]);
  const drawn = readdirSync(plots).filter((name) => name.endsWith(".svg"));
  expect(drawn.sort()).toEqual(
    ["batch-memory", "batch-time", "samples-memory", "samples-time"].map((name) => `scaling-${name}.svg`),
  );
});

test("the largest batch that fits follows from what batches keep and what was measured", () => {
  const point = (at: number, kept: number, peak: number) => {
    const counts = { seconds: 1, first_seconds: 1, start_bytes: 0, occurrences: 1, distinct: 1 };
    return { ...counts, at, kept_bytes: kept, peak_bytes: peak };
  };
  const other = (at: number, peak: number) => ({ at, seconds: 1, peak_bytes: peak, start_bytes: 0 });
  const report: ScalingReport = {
    subject: "scaling",
    settings: {},
    axes: [{ name: "batch", points: [point(2, 10, 120), point(4, 20, 140)] }],
    reference: [other(2, 10), other(4, 300), other(8, 500)],
    // 100 + 2 x kept, and 50 for each sample.
    memory_bytes: 1000,
    kept: [10, 100, 400, 450, 451].map((bytes, i) => ({ at: 10 ** i, bytes })),
  };
  expect(limitsOf(report)).toEqual({ ours: 1000, ours_is_all: false, reference: 18, ratio: 1000 / 18 });
  expect(limitsOf({ ...report, kept: report.kept.slice(0, 2) })).toMatchObject({
    ours: 10,
    ours_is_all: true,
  });
  expect(limitsOf({ ...report, axes: [] })).toBeNull();
  expect(mergeReports([report, report]).axes[0].points.map(({ at }) => at)).toEqual([2, 2, 4, 4]);
});

test("mistakes are told in one sentence", () => {
  const { code, err } = bench("step", "--table", "t.biom");
  expect({ code, lines: err.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
  expect(err).toContain("--table and --tree go together");
});

showsOptions("bench ranks", "--json --ranks --samples --batch-size --steps");
test("two and three ranks have the gradients of one process, of both encoders", async () => {
  const { code, out, err } = bench(
    ..."ranks --ranks 2 --samples 20 --batch-size 8 --steps 20 --json".split(" "),
  );
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const report = JSON.parse(out);
  expect(report.gradient_error).toBeLessThan(1e-10);
  expect(report.gradient_error).toBeGreaterThan(0);
  expect(report.parameter_error).toBeLessThan(1e-6);
  expect(Object.keys(report.samples_per_second)).toEqual(["1", "2"]);
  for (const speed of Object.values(report.samples_per_second)) expect(speed as number).toBeGreaterThan(0);
  const few = bench("ranks", "--samples", "3");
  expect(few.err).toBe("Error: --batch-size must be from 4 to --samples.\n");
});
