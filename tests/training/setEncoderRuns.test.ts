/**
 * Everything that is done with an encoder, done with set encoders: training of every kind, going on, and what
 * commands make of the runs.
 */
import { beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  fineTuneStudy,
  makeStudy,
  outcomeOf,
  pretrainStudy,
  type Study,
  weightsOf,
} from "../../lab/material/study.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { SetEncoder } from "../../src/models/setEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import {
  type FineTuneInput,
  type PretrainInput,
  pretrainMetrics,
  type pretrainSchema,
} from "../../src/training/config/config.ts";
import { judgeRun } from "../../src/training/inference/judgeEncoder.ts";
import { openRun } from "../../src/training/run/open.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";
import { refusal, succeed } from "../helpers/commandLine.ts";
import { usePlainPlots } from "../helpers/plainPlots.ts";
import { useScratch } from "../helpers/scratch.ts";

torch.setNumThreads(1);
usePlainPlots();
const scratch = useScratch();
let study: Study;
let encoder: string;

const set = { encoder: "set", codeDim: 12, words: "3", wordDim: 6 } as const;
const words = { nucPenalty: 0 };

let runs = 0;
const newRun = () => scratch.path(`run-${runs++}`);

async function pretrain(config: PretrainInput = {}, on: Study = study) {
  const output = newRun();
  const { summary } = await pretrainStudy(on, output, {
    ...config,
    model: { ...set, ...config.model },
    training: { ...words, epochs: 1, ...config.training },
  });
  return { output, summary };
}

async function fineTune(config: FineTuneInput = {}) {
  const output = newRun();
  const { summary } = await fineTuneStudy(study, output, {
    ...config,
    model: { ...set, ...config.model },
    training: { ...words, epochs: 1, ...config.training },
  });
  return { output, figures: summary.validation };
}

const rows = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));

const readConfig = (run: string) =>
  JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as ReturnType<typeof pretrainSchema.parse>;

beforeAll(async () => {
  const made = await makeStudy(scratch.path("study"), 24);
  const folder = scratch.path("all-metrics");
  const { table, tree, metadata } = made;
  await prepareDataset({ table, tree, metadata, metrics: [...pretrainMetrics], rarefyDepth: "none" }, folder);
  study = { ...made, folder, dataset: openDataset(folder) };
  encoder = (await pretrain()).output;
});

test.each([
  ["unweighted", "union", "tanimoto"],
  ["weighted_normalized", "share", "l1"],
  ["weighted_unnormalized", "share", "l1"],
  ["generalized", "root", "l1"],
  ["faith_pd", "union", "tanimoto"],
] as const)(
  "%s is learned from pooling by %s, and judged the same again",
  async (metric, pooling, distance) => {
    const { output, summary } = await pretrain({ unifracMetric: metric });
    expect(readConfig(output).model).toMatchObject({ encoder: "set", pooling, distanceForm: distance });
    const ids = readFileSync(join(output, "val_sample_ids.txt"), "utf8").trimEnd().split("\n");
    using _scope = torch.scope();
    const opened = openRun(output, "cpu");
    const samples = Int32Array.from(ids, (id) => study.dataset.sampleIndex(id));
    const judged = judgeRun(opened, study.dataset, samples, "cpu")!.result;
    expect(judged.r2).toBeCloseTo(summary["val.unifrac_r2"], 5);
    // The start alone puts predictions on the truth.
    expect(judged.r2).toBeGreaterThan(-1);
    opened.model.dispose();
  },
);

test("distances of a matrix and of pairs of samples are the same, whatever samples are beside them", async () => {
  const matrix = scratch.path("distances.tsv");
  await succeed("embed", "--model", encoder, "--dataset", study.folder, "--distances", matrix, "--quiet");
  const distances = rows(matrix).slice(1);
  using _scope = torch.scope();
  const { model, checkpoint, facts } = openRun(encoder, "cpu");
  expect(checkpoint).toContain(encoder);
  expect(facts.encoderType).toBe("unifrac");
  expect(model).toBeInstanceOf(SetEncoder);
  const some = scratch.write("some.txt", study.dataset.sampleIds.slice(5, 8).join("\n"));
  const part = scratch.path("part.tsv");
  await succeed(
    ...["embed", "--model", encoder, "--dataset", study.folder, "--samples", some],
    ...["--distances", part, "--quiet"],
  );
  for (const [i, row] of rows(part).slice(1).entries())
    for (const [j, value] of row.slice(1).entries())
      expect(Number(value)).toBeCloseTo(Number(distances[5 + i][6 + j]), 5);
});

describe("pretraining", () => {
  test.each([
    ["with codes of words", {}],
    ["with codes of both", { model: { codes: "both" as const }, training: { nucPenalty: 0.02 } }],
    ["with shares", { unifracMetric: "weighted_normalized" as const }],
  ])("%s goes on bit for bit in the middle of an epoch", async (_name, config: PretrainInput) => {
    const training = { ...words, ...config.training, epochs: 2 };
    const full = { ...config, model: { ...set, ...config.model }, training };
    const [whole, parts] = [newRun(), newRun()];
    await pretrainStudy(study, whole, full);
    let steps = 0;
    const { losses } = PretrainTask.prototype;
    const interrupted = spyOn(PretrainTask.prototype, "losses").mockImplementation(function (
      this: PretrainTask,
      batch,
    ) {
      if (++steps === 2) process.emit("SIGTERM");
      return losses.call(this, batch);
    });
    try {
      await pretrainStudy(study, parts, full);
    } finally {
      interrupted.mockRestore();
    }
    expect(steps).toBe(2);
    await pretrainStudy(study, parts, full, { resume: true });
    const last = (run: string) => weightsOf(join(run, "checkpoints/last.safetensors"));
    expect(last(parts)).toEqual(last(whole));
  });

  test("of both kinds of codes learns nucleotides too", async () => {
    const both = { model: { codes: "both" as const }, training: { nucPenalty: 0.02 } };
    const { summary, output } = await pretrain(both);
    expect(summary["val.nuc_accuracy"]).toBeGreaterThan(0);
    const positions = scratch.path("positions.tsv");
    await succeed("embed", "--model", output, "--dataset", study.folder, "--positions", positions, "--quiet");
    expect(rows(positions)[0].slice(0, 3)).toEqual(["asv_id", "start", "1"]);
    await expect(pretrain({ training: { nucPenalty: 0.02 } })).rejects.toThrow(/add --codes both/);
  });

  test.each([
    ["random choices of ASVs", { model: { tokenLimit: 4, asvSampling: "random" as const } }],
    ["bf16", { training: { mixedPrecision: "bf16" as const } }],
    ["batches as large as memory allows", { training: { autoBatchSize: true } }],
    ["cheap epochs", { sampleEpochs: 1, training: { epochs: 2 } }],
    ["passes over few samples", { training: { minEpochSteps: 6 } }],
    ["words by place", { model: { words: "3,4@12", wordBuckets: 100 } }],
    ["codes of the transformer", { model: { codes: "transformer" as const } }],
    ["a moving average", { training: { ema: 0.9 } }],
  ])("runs with %s", async (_name, config: PretrainInput) => {
    const { summary } = await pretrain(config);
    expect(Number.isFinite(summary["val.unifrac_r2"])).toBe(true);
  });

  test("comes to the same with a worker, with chunks, and with activations computed twice", async () => {
    const base = { model: { codes: "both" as const } };
    const usual = outcomeOf((await pretrain(base)).output);
    const other = await pretrain({ training: { loaderWorker: true }, ...base });
    expect(outcomeOf(other.output)).toBe(usual);
    const figures = (text: string) => JSON.parse(text).figures[0].train as Record<string, number>;
    for (const how of [{ asvChunkSize: 5 }, { gradientCheckpointing: true }]) {
      const changed = await pretrain({ model: { ...base.model, ...how } });
      for (const [name, value] of Object.entries(figures(usual)))
        expect(figures(outcomeOf(changed.output))[name]).toBeCloseTo(value, 4);
    }
  });

  test("of transformers compares samples as sets as well", async () => {
    const model = { encoder: "aam" as const, pooling: "union" as const, distanceForm: "tanimoto" as const };
    const { output, summary } = await pretrain({ model });
    expect(Number.isFinite(summary["val.unifrac_r2"])).toBe(true);
    expect(weightsOf(join(output, "checkpoints/best.safetensors")).has("distance.calibration")).toBe(true);
  });
});

describe("fine-tuning", () => {
  const blocks: FineTuneInput = {
    pretrainedEncoder: "ENCODER",
    freezeBase: true,
    target: { pooling: "blocks" },
    training: { optimizer: "sgd", lr: 0.5 },
  };
  const kinds: [string, FineTuneInput, figure?: string][] = [
    ["from scratch", {}],
    ["on an encoder", { pretrainedEncoder: "ENCODER" }],
    ["on a frozen encoder", { pretrainedEncoder: "ENCODER", freezeBase: true }],
    [
      "from sums of effects",
      { pretrainedEncoder: "ENCODER", freezeBase: true, target: { pooling: "sum", sumFeatures: 32 } },
    ],
    ["from blocks", blocks],
    [
      "of classes from blocks",
      { ...blocks, target: { pooling: "blocks", metadataColumn: ["site"] } },
      "accuracy",
    ],
    ["of quantiles from blocks", { ...blocks, target: { pooling: "blocks", lossType: "quantile" } }],
    [
      "of several targets from blocks",
      { ...blocks, target: { pooling: "blocks", metadataColumn: ["ph", "depth"] } },
      "mae.ph",
    ],
    ["by attention", { target: { pooling: "attention" } }],
    [
      "of a frozen encoder by attention",
      { pretrainedEncoder: "ENCODER", freezeBase: true, target: { pooling: "attention" } },
    ],
    ["of classes", { target: { metadataColumn: ["site"] } }, "accuracy"],
    ["of quantiles", { target: { lossType: "quantile" } }],
    ["of several targets", { target: { metadataColumn: ["ph", "depth"] } }, "mae.ph"],
    ["of counts too", { target: { countPrediction: true } }, "count_loss"],
    ["without distances", { training: { penalty: 0 } }],
    ["and nucleotides", { model: { codes: "both" }, training: { nucPenalty: 0.02 } }, "nuc_accuracy"],
    ["and Faith's PD", { unifracMetric: "faith_pd" }],
    ["of weighted distances", { unifracMetric: "weighted_normalized" }],
    ...(["concat", "add", "gmu", "cross-attention", "perceiver"] as const).map(
      (fusion): [string, FineTuneInput] => [
        `with categories by ${fusion}`,
        { categorical: { columns: ["site"], fusion, perceiverNumLatents: 3, embedDim: 4 } },
      ],
    ),
  ];
  test.each(kinds)("%s, and predicts the same again", async (_name, config, figure = "mae") => {
    const { output, figures } = await fineTune(
      config.pretrainedEncoder ? { ...config, pretrainedEncoder: encoder } : config,
    );
    expect(Number.isFinite(figures[figure])).toBe(true);
    const path = scratch.path("predicted.tsv");
    await succeed("predict", "--model", output, "--dataset", study.folder, "--output", path, "--quiet");
    const predicted = new Map(rows(path).map(([id, ...values]) => [id, values]));
    const [header, ...validated] = rows(join(output, "val_predictions.tsv"));
    const numbers = header.flatMap((name, i) => (name === "prediction" ? [i] : []));
    expect(validated.length).toBeGreaterThan(2);
    for (const row of validated)
      for (const at of numbers) {
        const again = predicted.get(row[0])![at - 1];
        if (figure === "accuracy") expect(again).toBe(row[at]);
        else expect(Number(again)).toBeCloseTo(Number(row[at]), 4);
      }
  });

  test("goes on bit for bit", async () => {
    const config = { model: set, categorical: { columns: ["site"] } };
    const training = { ...words, epochs: 2, scheduler: "constant" as const };
    const [whole, parts] = [newRun(), newRun()];
    await fineTuneStudy(study, whole, { ...config, training });
    await fineTuneStudy(study, parts, { ...config, training: { ...training, epochs: 1 } });
    await fineTuneStudy(study, parts, { ...config, training }, { resume: true });
    const last = (run: string) => weightsOf(join(run, "checkpoints/last.safetensors"));
    expect(last(parts)).toEqual(last(whole));
  });
});

describe("commands", () => {
  test("embed writes codes of samples and of ASVs; what needs attention is refused with a reason", async () => {
    const input = ["embed", "--model", encoder, "--dataset", study.folder, "--quiet"];
    const [samples, asvs] = [scratch.path("samples.tsv"), scratch.path("asvs.tsv")];
    await succeed(...input, "--output", samples, "--asvs", asvs);
    expect(rows(samples).length).toBe(study.dataset.sampleCount + 1);
    expect(rows(samples)[0].length).toBe(1 + 12);
    expect(rows(asvs).length).toBe(study.dataset.asvCount + 1);
    expect(await refusal(...input, "--attention", "a.tsv")).toContain("pools its ASVs as a set");
    expect(await refusal(...input, "--positions", "p.tsv")).toContain("reads words of bases");
  });

  test("evaluate, report and lr-finder know them, convert refuses them with the reason", async () => {
    const judged = ["evaluate", "--model", encoder, "--table", study.table, "--tree", study.tree];
    expect(await succeed(...judged, "--quiet")).toContain("unifrac\n");
    await succeed("report", encoder, "--output", scratch.path("report.html"), "--quiet");
    expect(readFileSync(scratch.path("report.html"), "utf8")).toContain("R²");
    const { output } = await fineTune();
    await succeed("report", output, "--output", scratch.path("tuned.html"), "--quiet");
    expect(await refusal("convert", encoder, scratch.path("x.pt"))).toContain("has no set encoder");
    const search = [
      "lr-finder",
      "--dataset",
      study.folder,
      "--code-dim",
      "12",
      "--words",
      "3",
      "--steps",
      "10",
    ];
    expect(await succeed(...search, "--batch-size", "8", "--output", scratch.path("rates"))).toMatch(
      /--lr|never/,
    );
  });
});
