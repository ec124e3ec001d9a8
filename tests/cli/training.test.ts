/** The commands as a user calls them, from files to a report. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { useScratch } from "../helpers/scratch.ts";

const program = join(resolve(import.meta.dir, "../.."), "scripts/aam.ts");
const scratch = useScratch();
let study: Study;

function aam(...args: string[]): { code: number; out: string; error: string } {
  const done = Bun.spawnSync([process.execPath, program, ...args], { stdout: "pipe", stderr: "pipe" });
  return { code: done.exitCode, out: done.stdout.toString(), error: done.stderr.toString() };
}

function rows(path: string): string[][] {
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
}

const small = "--encoder aam --embedding-dim 8 --attention-layers 1 --attention-heads 2 --max-bp 24".split(
  " ",
);
const brief = "--epochs 2 --batch-size 8 --threads 1".split(" ");
const [encoder, run] = ["encoder", "run"].map((name) => () => scratch.path(name));
let files: string[];

beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  files = [
    "--table",
    study.table,
    "--tree",
    study.tree,
    "--metadata",
    study.metadata,
    "--rarefy-depth",
    "200",
  ];
  const pretrained = aam("pretrain", ...files, "--output", encoder(), ...small, ...brief);
  expect(pretrained).toMatchObject({ code: 0 });
  const trained = aam(
    ...[
      "train",
      ...files,
      "--metadata-column",
      "depth",
      "--pretrained-encoder",
      encoder(),
      "--output",
      run(),
    ],
    ...["--split-by", "plot", ...brief],
  );
  expect(trained).toMatchObject({ code: 0 });
});

describe("after pretraining and fine-tuning", () => {
  test("B1, B2, B3: predict needs the table alone, rarefies as in training, and gives what validation gave", () => {
    const output = scratch.path("predicted.tsv");
    const done = aam(
      "predict",
      "--model",
      run(),
      "--table",
      study.table,
      "--output",
      output,
      "--threads",
      "1",
    );
    expect(done.code).toBe(0);
    const predicted = new Map(rows(output).map(([id, value]) => [id, Number(value)]));
    const validated = rows(join(run(), "val_predictions.tsv")).slice(1);
    expect(validated.length).toBeGreaterThan(3);
    for (const [id, value] of validated) expect(predicted.get(id)).toBeCloseTo(Number(value), 4);
    const whole = aam(
      ...["predict", "--model", run(), "--table", study.table, "--rarefy-depth", "none"],
      ...["--output", scratch.path("whole.csv"), "--threads", "1"],
    );
    expect(whole.error).toContain(
      "The samples have all their counts, those of the training were rarefied to 200 counts",
    );
    const deep = scratch.path("deep");
    const prepare = ["prep", "--table", study.table, "--tree", study.tree, "--rarefy-depth", "400"];
    expect(aam(...prepare, "--output", deep).code).toBe(0);
    const given = ["--dataset", deep, "--output", scratch.path("deep.csv"), "--threads", "1"];
    const { error } = aam("predict", "--model", run(), ...given);
    expect(error).toContain("are rarefied to 400 counts, those of the training were rarefied to 200 counts");
    // This command cannot keep what `prep` left out.
    expect(error).toMatch(/fewer than 400 counts are left out \(.*\); `prep --rarefy-depth none` keeps them/);
  });

  test("predictions can be Arrow, and attention adds up to 1 in every sample", () => {
    const [output, attention] = [scratch.path("p.arrow"), scratch.path("a.tsv")];
    const done = aam(
      ...["predict", "--model", run(), "--dataset", study.folder, "--output", output],
      ...["--attention", attention, "--threads", "1"],
    );
    expect(done.code).toBe(0);
    const table = tableFromIPC(readFileSync(output));
    expect(table.schema.fields.map(({ name }) => name)).toEqual(["sample_id", "prediction"]);
    expect(table.numRows).toBe(study.dataset.sampleCount);
    const sums = new Map<string, number>();
    for (const [id, , , weight] of rows(attention).slice(1))
      sums.set(id, (sums.get(id) ?? 0) + Number(weight));
    expect(sums.size).toBe(study.dataset.sampleCount);
    for (const sum of sums.values()) expect(sum).toBeCloseTo(1, 4);
  });

  test("B17: evaluate on the held-out samples gives the figures of the run", () => {
    const output = scratch.path("evaluation");
    const done = aam(
      ...["evaluate", "--model", run(), ...files, "--samples", join(run(), "val_sample_ids.txt")],
      ...["--output", output, "--json", "--threads", "1"],
    );
    expect(done.code).toBe(0);
    const metrics = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
    const { validation } = JSON.parse(readFileSync(join(run(), "summary.json"), "utf8"));
    for (const name of ["mae", "r2", "rmse"]) expect(metrics.figures[name]).toBeCloseTo(validation[name], 4);
    expect(metrics.unifrac.r2).toBeCloseTo(validation.unifrac_r2, 4);
    expect(existsSync(join(output, "prediction_plot_best.svg"))).toBe(true);
    expect(done.error).not.toContain("was trained on");
  });

  test("evaluate and report show an encoder beside what needs neither tree nor training", () => {
    const output = scratch.path("encoder-evaluation");
    const held = join(encoder(), "val_sample_ids.txt");
    const done = aam(
      ...["evaluate", "--model", encoder(), ...files, "--samples", held, "--output", output],
      ...["--threads", "1"],
    );
    expect(done.code).toBe(0);
    expect(done.out).toMatch(/baselines\n {2}jaccard_asv_r2 .*calibrated_on the data set's other samples/s);
    const { baselines } = JSON.parse(readFileSync(join(encoder(), "summary.json"), "utf8"));
    const judged = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8")).baselines;
    expect(judged.jaccard_asv_r2).toBeCloseTo(baselines.jaccard_asv_r2, 6);
    expect(aam("report", encoder()).code).toBe(0);
    const page = readFileSync(join(encoder(), "report.html"), "utf8");
    for (const text of ["Jaccard distance of ASVs", "R² without training", `${baselines.jaccard_kmer}-mers`])
      expect(page).toContain(text);
  });

  test("evaluate says which share of the samples the model was trained on", () => {
    const { code, error } = aam("evaluate", "--model", run(), ...files, "--threads", "1");
    expect(code).toBe(0);
    const trained = readFileSync(join(run(), "train_sample_ids.txt"), "utf8").trimEnd().split("\n").length;
    expect(error).toContain(
      `The model was trained on ${trained} of these ${study.dataset.sampleCount} samples`,
    );
  });

  test("embed writes embeddings by id, the distances they predict, and attention that adds up to 1 in every ASV", () => {
    const output = scratch.path("embeddings.tsv");
    expect(
      aam(
        "embed",
        "--model",
        encoder(),
        "--dataset",
        study.folder,
        "--output",
        output,
        "--distances",
        scratch.path("distances.tsv"),
        "--asvs",
        scratch.path("asvs.csv"),
        "--positions",
        scratch.path("pos.tsv"),
        "--threads",
        "1",
      ).code,
    ).toBe(0);
    const [header, first, second] = rows(output);
    expect(header).toEqual(["sample_id", ...Array.from({ length: 8 }, (_, i) => `e${i}`)]);
    expect(first[0]).toBe(study.dataset.sampleIds[0]);
    expect(first.slice(1)).not.toEqual(second.slice(1));
    const distances = rows(scratch.path("distances.tsv"));
    expect(distances[0].slice(1)).toEqual([...study.dataset.sampleIds]);
    const euclidean = Math.hypot(...first.slice(1).map((value, i) => Number(value) - Number(second[i + 1])));
    expect(Number(distances[1][2])).toBeCloseTo(Math.tanh(euclidean), 5);
    expect([distances[1][0], Number(distances[1][1])]).toEqual([first[0], 0]);
    expect(distances[2][1]).toBe(distances[1][2]);
    const positions = rows(scratch.path("pos.tsv"));
    expect(positions[0].slice(0, 3)).toEqual(["asv_id", "start", "1"]);
    for (const row of positions.slice(1))
      expect(row.slice(1).reduce((sum, weight) => sum + Number(weight), 0)).toBeCloseTo(1, 4);
  });

  test("rf-baseline predicts the same samples, and the report shows it beside the model", () => {
    const baseline = aam("rf-baseline", "--run", run(), "--n-estimators", "20", "--json");
    expect(baseline.code).toBe(0);
    const found = baseline.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(found.map(({ name }) => name)).toEqual([
      "Random forest",
      "Median forest",
      "Nearest neighbours",
      "Median",
    ]);
    const ids = (path: string) => rows(path).map(([id]) => id);
    expect(ids(join(run(), "baselines/random-forest.tsv"))).toEqual(ids(join(run(), "val_predictions.tsv")));
    expect(aam("report", run()).code).toBe(0);
    const page = readFileSync(join(run(), "report.html"), "utf8");
    for (const text of ["Random forest", "Nearest neighbours", "whole plot held out", "This model"])
      expect(page).toContain(text);
    expect(page).not.toMatch(/(src|href)="https?:/);
  });

  test("lr-finder draws a curve", () => {
    const plot = scratch.path("rates");
    const done = aam(
      "lr-finder",
      "--dataset",
      study.folder,
      ...small,
      "--batch-size",
      "8",
      "--steps",
      "30",
      "--threads",
      "1",
      "--output",
      plot,
    );
    expect(done).toMatchObject({ code: 0 });
    expect(existsSync(`${plot}.svg`) && existsSync(`${plot}.png`)).toBe(true);
  });
});

test("rf-baseline takes files as the original AAM does", () => {
  const ids = study.dataset.sampleIds;
  const [trainSamples, valSamples] = [ids.slice(0, 24), ids.slice(24)].map((part, i) =>
    scratch.write(`part-${i}.txt`, part.join("\n")),
  );
  const output = scratch.path("forest.tsv");
  const done = aam(
    ...["rf-baseline", "--table", study.table, "--metadata", study.metadata, "--metadata-column", "depth"],
    ...["--train-samples", trainSamples, "--val-samples", valSamples, "--output", output],
    ...["--n-estimators", "20", "--max-features", "0.5", "--random-seed", "3"],
  );
  expect(done).toMatchObject({ code: 0 });
  expect(rows(output)[0]).toEqual(["sample_id", "prediction", "actual"]);
  expect(rows(output).length).toBe(ids.length - 24 + 1);
});

describe("mistakes are told in one sentence", () => {
  const cases: [string, () => string[], RegExp][] = [
    ["no output", () => ["train", "--dataset", study.folder], /give --output/],
    [
      "no target",
      () => ["train", "--dataset", study.folder, "--output", scratch.path("x")],
      /give --metadata-column/,
    ],
    [
      "a model that is none",
      () => ["predict", "--model", study.folder, "--table", study.table, "--output", "p.tsv"],
      /holds no trained model/,
    ],
    [
      "an encoder without targets",
      () => ["predict", "--model", encoder(), "--dataset", study.folder, "--output", scratch.path("p.tsv")],
      /encoder without targets/,
    ],
    [
      "a format that is none",
      () => ["predict", "--model", run(), "--table", study.table, "--output", "p.docx"],
      /\.tsv, \.csv, \.parquet, \.arrow/,
    ],
    [
      "passes that are all the same",
      () => [
        "predict",
        "--model",
        run(),
        "--dataset",
        study.folder,
        "--output",
        scratch.path("p.tsv"),
        "--prediction-passes",
        "3",
      ],
      /--asv-sampling random/,
    ],
    ["a report of nothing", () => ["report", scratch.path("nothing")], /no folder of a run/],
    [
      "no samples",
      () => ["predict", "--model", run(), "--output", scratch.path("p.tsv")],
      /--table, or with --dataset/,
    ],
  ];
  test.each(cases)("%s", (_what, args, message) => {
    const { code, error, out } = aam(...args());
    expect(code).toBe(1);
    expect(error).toMatch(message);
    expect(error + out).not.toContain("    at ");
  });
});
