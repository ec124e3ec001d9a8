/** One encoder of several metrics: what it learns, and what commands make of it. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fineTuneStudy, makeStudy, pretrainStudy, type Study, weightsOf } from "../../lab/material/study.ts";
import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { readNpy } from "../../src/formats/npy/npy.ts";
import { pairwiseDistances } from "../../src/models/pairwiseDistances.ts";
import type { SetEncoder } from "../../src/models/setEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { buildEncoder, objectiveForms } from "../../src/training/config/buildModel.ts";
import { type FineTuneInput, type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { judgeRun } from "../../src/training/inference/judgeEncoder.ts";
import { fitBaseScaling, makeBaseObjective } from "../../src/training/objectives/baseObjective.ts";
import { batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { openRun } from "../../src/training/run/open.ts";
import { refusal, run as runCommand, succeed } from "../helpers/commandLine.ts";
import { usePlainPlots } from "../helpers/plainPlots.ts";
import { useScratch } from "../helpers/scratch.ts";

torch.setNumThreads(1);
usePlainPlots();
const scratch = useScratch();
let study: Study;
let run: string;
const metrics = ["unweighted", "faith_pd", "weighted_normalized"] as const;
const [metric, ...furtherMetrics] = metrics;
const all = () => Int32Array.from({ length: study.dataset.sampleCount }, (_, i) => i);

const small: PretrainInput = {
  unifracMetric: metric,
  furtherMetrics: [...furtherMetrics],
  model: { encoder: "set", codeDim: 16, words: "4", wordDim: 16 },
  training: { nucPenalty: 0, maxSteps: 80, epochs: 40, batchSize: 16, lr: 1e-2 },
};
const pretrain = (output: string, config = small, on = study) => pretrainStudy(on, output, config);

beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 60);
  run = scratch.path("run");
  await pretrain(run);
});

/** Outputs for all samples, of an encoder of `config` with weights by `give`, and its objective. */
function outcome(config: PretrainInput, give: (encoder: SetEncoder) => void) {
  const full = pretrainSchema.parse(config);
  const encoderType = config.unifracMetric === "faith_pd" ? "faith_pd" : "unifrac";
  const encoder = buildEncoder(full, { encoderType, predictNucleotides: false }) as SetEncoder;
  torch.noGrad(() => give(encoder));
  const { dataset } = study;
  const scaling = fitBaseScaling(dataset, metrics, all());
  const forms = objectiveForms(full, encoder);
  const objective = makeBaseObjective(dataset, full.unifracMetric, { ...forms, scaling, train: all() });
  const batch = new BatchBuilder(dataset, { maxBp: 24, ...objective.needs }).build(all(), new Random(0));
  const { input, targets } = batchTensors(batch, "cpu");
  const encoding = encoder.forward(input);
  return { encoder, objective, encoding, loss: objective.loss(encoding, targets) };
}

/** The joint encoder with the weights of one for each metric, which are drawn. */
function jointAndAlone() {
  const model = { ...small.model, maxBp: 24 };
  const draw = (encoder: SetEncoder) => {
    for (const [name, value] of encoder.stateDict())
      if (/calibration|bias|length|own_unit|shared/.test(name)) value.uniform_(0.1, 0.5);
  };
  const unweighted = outcome({ unifracMetric: "unweighted", model }, draw);
  const faith = outcome({ unifracMetric: "faith_pd", model }, (encoder) => {
    const theirs = unweighted.encoder.stateDict();
    for (const [name, value] of encoder.stateDict()) if (theirs.has(name)) value.copy_(theirs.get(name)!);
  });
  const weighted = outcome({ unifracMetric: "weighted_normalized", model }, (encoder) => {
    draw(encoder);
    // Both read the same words.
    encoder.asvEncoder.words!.weight.copy_(unweighted.encoder.asvEncoder.words!.weight);
  });
  const joint = outcome({ unifracMetric: metric, furtherMetrics: [...furtherMetrics], model }, (encoder) => {
    const [u, w] = [unweighted.encoder, weighted.encoder];
    const k = u.dim;
    const joined = (a: torch.Tensor, b: torch.Tensor) =>
      torch.cat([a.narrow(0, 0, k), b.narrow(0, 0, k), a.narrow(0, k, 1), b.narrow(0, k, 1)]);
    encoder.asvEncoder.words!.weight.copy_(u.asvEncoder.words!.weight);
    const project = ({ asvEncoder }: SetEncoder) => asvEncoder.wordProjection!.weight;
    project(encoder).copy_(joined(project(u), project(w)));
    encoder.asvEncoder.bias.copy_(joined(u.asvEncoder.bias, w.asvEncoder.bias));
    const copy = (to: torch.nn.Module, from: torch.nn.Module) => {
      for (const [name, value] of to.stateDict()) value.copy_(from.stateDict().get(name)!);
    };
    copy(encoder.pooling, u.pooling);
    copy(encoder.wordSets!, u.wordSets!);
    copy([...encoder.otherPoolings!][0], w.pooling);
    copy(encoder.distance!, u.distance!);
    copy([...encoder.furtherDistances!][0], w.distance!);
    copy(encoder.valueHead!, faith.encoder.valueHead!);
  });
  return { joint, alone: { unweighted, faith, weighted } };
}

test("with the weights of an encoder for each metric, one of several predicts what these predict", () => {
  const { joint, alone } = jointAndAlone();
  const z = joint.encoding.embeddings!;
  for (const [own, other] of [
    [joint.encoder.distance!, alone.unweighted],
    [[...joint.encoder.furtherDistances!][0], alone.weighted],
  ] as const) {
    const expected = pairwiseDistances(other.encoding.embeddings!, other.encoder.distance!);
    expect(torch.allclose(pairwiseDistances(z, own), expected, 1e-5, 1e-6)).toBe(true);
    expect(expected.std().item()).toBeGreaterThan(1e-3);
  }
  const value = joint.encoding.basePrediction!;
  expect(torch.allclose(value, alone.faith.encoding.basePrediction!, 1e-5, 1e-6)).toBe(true);
  // The codes of both poolings come first, which are what `embed` writes.
  const codes = (one: typeof joint, from: number) => one.encoding.embeddings!.narrow(1, from, 16);
  expect(torch.allclose(codes(joint, 16), codes(alone.weighted, 0), 1e-5, 1e-6)).toBe(true);
});

test("the loss is the mean of each metric's in its own variance, in the first one's units", () => {
  const { joint, alone } = jointAndAlone();
  const variance = (name: string) => {
    const n = study.dataset.sampleCount;
    const block = study.dataset.distance(name).block(all());
    const known = block.filter((_, k) => k % n > Math.floor(k / n));
    return torch.tensor(known).to("float64").var(false).item();
  };
  const [u, w] = [variance("unweighted"), variance("weighted_normalized")];
  const { unweighted, faith, weighted } = alone;
  const expected = (u / 3) * (unweighted.loss.item() / u + faith.loss.item() + weighted.loss.item() / w);
  expect(joint.loss.item()).toBeCloseTo(expected, 5);
  // What validation says is the same measure.
  const judged = joint.objective.evaluate(joint.objective.output(joint.encoding), all());
  expect(judged.loss).toBeCloseTo(expected, 5);
});

test("a run learns all metrics, and its summary has each one's figures and baselines", () => {
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
  expect(Object.keys(summary.metrics)).toEqual([...metrics]);
  for (const name of metrics) expect(summary.metrics[name].r2).toBeGreaterThan(0.5);
  expect(summary["val.unifrac_r2"]).toBe(summary.metrics.unweighted.r2);
  expect(summary.metrics.unweighted.baselines.jaccard_asv_r2).toBeNumber();
  expect(summary.metrics.faith_pd.baselines.count_asv_r2).toBeNumber();
  expect(summary.metrics.weighted_normalized.baselines.bray_curtis_asv_r2).toBeNumber();
  const last = JSON.parse(readFileSync(join(run, "history.json"), "utf8")).at(-1).val;
  expect(last.r2_faith_pd).toBeNumber();
  expect(last.r2_weighted_normalized).toBeNumber();
});

test("a run goes on bit for bit, and on a data set that computes distances by batch", async () => {
  const { table, tree } = study;
  const perBatch = scratch.path("per-batch");
  const given = { table, tree, metrics, rarefyDepth: "none", distanceStorage: "per-batch" } as const;
  await prepareDataset(given, perBatch);
  const computed = { ...study, dataset: openDataset(perBatch) };
  const training = { ...small.training, scheduler: "constant" as const, maxSteps: null, epochs: 2 };
  const [whole, parts, other] = ["whole", "parts", "other"].map((name) => scratch.path(name));
  await pretrain(whole, { ...small, training });
  await pretrain(parts, { ...small, training: { ...training, epochs: 1 } });
  await pretrainStudy(study, parts, { ...small, training }, { resume: true });
  await pretrain(other, { ...small, training }, computed);
  const last = (folder: string) => weightsOf(join(folder, "checkpoints/last.safetensors"));
  expect(last(parts)).toEqual(last(whole));
  expect(last(other)).toEqual(last(whole));
});

test("it is judged by the metrics that a data set has, and goes on learning these", async () => {
  const opened = openRun(run, "cpu");
  const judged = judgeRun(opened, study.dataset, all(), "cpu")!;
  expect(Object.keys(judged.metrics!)).toEqual([...metrics]);
  const { table, tree, metadata } = study;
  const some = scratch.path("some");
  const given = { table, tree, metadata, rarefyDepth: "none" } as const;
  await prepareDataset({ ...given, metrics: ["weighted_normalized"] }, some);
  const few = judgeRun(opened, openDataset(some), all(), "cpu")!;
  expect(Object.keys(few.metrics!)).toEqual(["weighted_normalized"]);
  expect(few.result).toEqual(judged.metrics!["weighted_normalized"].result);
  const output = scratch.path("tuned-on-few");
  const config = { pretrainedEncoder: run, model: small.model, target: { metadataColumn: ["ph"] } };
  const training = { nucPenalty: 0, epochs: 1 };
  const on = { ...study, dataset: openDataset(some) };
  const { summary } = await fineTuneStudy(on, output, { ...config, training });
  expect(summary.validation["unifrac_loss"]).toBeNumber();
});

test("a frozen one, and one that goes on learning, predict targets", async () => {
  const model = small.model;
  const training = { nucPenalty: 0, epochs: 1 };
  for (const freezeBase of [true, false]) {
    const output = scratch.path(`tuned-${freezeBase}`);
    await fineTuneStudy(study, output, { pretrainedEncoder: run, freezeBase, model, training });
    const path = scratch.path("predicted.tsv");
    await succeed("predict", "--model", output, "--dataset", study.folder, "--output", path, "--quiet");
    expect(readFileSync(path, "utf8").split("\n").length).toBeGreaterThan(60);
    const { config } = openRun(output, "cpu").facts;
    expect(config.furtherMetrics).toEqual([...furtherMetrics]);
  }
});

test("fine-tuning learns the encoder's one metric, or none where the data set lacks it", async () => {
  const weighted = scratch.path("weighted-encoder");
  const training = { nucPenalty: 0, epochs: 1, maxSteps: 2 };
  await pretrain(weighted, { unifracMetric: "weighted_normalized", model: small.model, training });
  const { table, tree, metadata } = study;
  const unweighted = scratch.path("unweighted-alone");
  await prepareDataset({ table, tree, metadata, rarefyDepth: "none", metrics: ["unweighted"] }, unweighted);
  const tune = async (folder: string, name: string) => {
    const files = ["--dataset", folder, "--metadata-column", "ph", "--pretrained-encoder", weighted];
    const output = scratch.path(name);
    const { code, error } = await runCommand("train", ...files, "--max-steps", "2", "--output", output);
    expect(code).toBe(0);
    const { validation } = JSON.parse(readFileSync(join(output, "summary.json"), "utf8"));
    expect(openRun(output, "cpu").facts.config.unifracMetric).toBe("weighted_normalized");
    return { error, learns: "unifrac_loss" in validation };
  };
  expect(await tune(study.folder, "tuned-with")).toMatchObject({ learns: true });
  const without = await tune(unweighted, "tuned-without");
  expect(without.learns).toBe(false);
  expect(without.error).toContain("(weighted_normalized); it learns no distances here.");
  const given = ["--unifrac-metric", "unweighted", "--pretrained-encoder", weighted];
  const refused = await refusal(
    "train",
    "--dataset",
    study.folder,
    "--metadata-column",
    "ph",
    ...given,
    "--output",
    scratch.path("none"),
  );
  expect(refused).toContain("--unifrac-metric is settled by the encoder in");
});

test("other metrics than the encoder's are refused, and several without a set encoder", async () => {
  const training = { nucPenalty: 0 };
  const fine = (config: FineTuneInput) =>
    fineTuneStudy(study, scratch.path("never"), { ...config, training });
  const other: FineTuneInput = { pretrainedEncoder: run, furtherMetrics: ["generalized"] };
  await expect(fine(other)).rejects.toThrow("furtherMetrics are those of the encoder in");
  const aam: FineTuneInput = { model: { encoder: "aam" }, furtherMetrics: ["faith_pd"] };
  await expect(fine(aam)).rejects.toThrow("learned together by --encoder set only");
});

test("cross-validation takes one for a predictor", async () => {
  const output = scratch.path("folds");
  await succeed(
    ...["cross-validate", "--dataset", study.folder, "--metadata-column", "depth", "--encoder", run],
    ...["--predictor", "encoder", "--folds", "2", "--workers", "1", "--quiet", "--output", output],
  );
  const summary = JSON.parse(readFileSync(join(output, "summary.json"), "utf8"));
  const { differences } = summary as { differences: { against: string; figure: string; verdict: string }[] };
  const found = differences.find(({ against, figure }) => against === "constant" && figure === "mae");
  expect(found?.verdict).toBe("better");
});

describe("commands", () => {
  test("pretrain computes all metrics from a table and a tree", async () => {
    const output = scratch.path("from-files");
    const files = ["--table", study.table, "--tree", study.tree, "--rarefy-depth", "none"];
    const further = ["--further-metrics", "weighted,faith_pd", "--words", "4", "--code-dim", "8"];
    await succeed("pretrain", ...files, ...further, "--max-steps", "2", "--output", output, "--quiet");
    const { metrics: learned } = JSON.parse(readFileSync(join(output, "summary.json"), "utf8"));
    expect(Object.keys(learned)).toEqual(["unweighted", "weighted_normalized", "faith_pd"]);
    const text = await succeed("evaluate", "--model", output, ...files, "--quiet");
    expect(text).toMatch(/^unweighted\n.*^weighted_normalized\n.*^faith_pd\n/ms);
  });

  const data = () => ["--dataset", study.folder, "--quiet"];

  test("evaluate has figures and baselines of each metric, and a plot", async () => {
    const output = scratch.path("evaluated");
    await succeed("evaluate", "--model", run, ...data(), "--output", output);
    const judged = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
    expect(Object.keys(judged)).toEqual([...metrics]);
    for (const name of metrics)
      expect(judged[name]).toMatchObject({ r2: expect.any(Number), baselines: expect.any(Object) });
    expect(existsSync(join(output, "unifrac_plot_faith_pd.png"))).toBe(true);
  });

  test("embed writes codes, Faith's PD and the distances of each metric", async () => {
    const [samples, distances] = [scratch.path("samples.tsv"), scratch.path("d.npy")];
    await succeed("embed", "--model", run, ...data(), "--output", samples, "--distances", distances);
    const [header, ...rows] = readFileSync(samples, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(header.length).toBe(1 + 32 + 1);
    expect(header.at(-1)).toBe("faith_pd");
    const opened = openRun(run, "cpu");
    const judged = judgeRun(opened, study.dataset, all(), "cpu")!;
    const { predicted } = judged.metrics!["faith_pd"];
    rows.forEach((row, i) => {
      expect(Number(row.at(-1))).toBeCloseTo(predicted[i], 3);
    });
    for (const name of ["unweighted", "weighted_normalized"]) {
      const { values: square, shape } = readNpy(scratch.path(`d.${name}.npy`));
      expect(shape).toEqual([60, 60]);
      const truth = study.dataset.distance(name).block(all());
      const error = truth.reduce((sum, value, i) => sum + Math.abs(value - Number(square[i])), 0);
      expect(error / truth.length).toBeLessThan(judged.metrics![name].result.mae * 1.01);
    }
  });

  test("a report shows each metric beside its baselines", async () => {
    const page = scratch.path("report.html");
    await succeed("report", run, "--output", page, "--quiet");
    const text = readFileSync(page, "utf8");
    for (const name of metrics) expect(text).toContain(`R² of ${name}`);
    expect(text).toContain("Bray-Curtis distance of ASVs");
  });

  test.each([
    ["faith_pd,faith_pd", [], "faith_pd is among the metrics twice"],
    ["faith_pd", ["--encoder", "aam"], "learned together by --encoder set only"],
    ["faith_pd", ["--distance-form", "raw"], "of which each metric reads a part"],
    ["faith_pd", ["--start-from", "builtin"], "takes over an encoder of one metric"],
    ["faith_pd", ["--dataset", "other"], "Several metrics are learned on one data set"],
    ["generalized", [], 'no distances "generalized"'],
  ])("pretrain --further-metrics %s %p is refused", async (names, more, text) => {
    const output = scratch.path("refused");
    const args = ["--further-metrics", names, ...more, "--output", output];
    expect(await refusal("pretrain", ...data(), ...args)).toContain(text);
    expect(existsSync(join(output, "checkpoints"))).toBe(false);
  });

  test("a name that is no metric's is refused with those that are", async () => {
    const { code, error } = await runCommand(
      "pretrain",
      ...data(),
      "--further-metrics",
      "jaccard",
      "-o",
      "x",
    );
    expect(code).toBe(2);
    expect(error).toContain("Choose from unweighted, weighted_normalized");
    const both = await runCommand("pretrain", ...data(), "--metric", "unweighted,faith_pd", "-o", "x");
    expect(both.error).toContain("Name one metric; `pretrain` learns others besides with --further-metrics");
  });

  test("neither is another training started from it, nor its distances calibrated", async () => {
    const output = scratch.path("started");
    expect(await refusal("pretrain", ...data(), "--start-from", run, "--output", output)).toContain(
      "was trained on several metrics",
    );
    expect(await refusal("evaluate", "--model", run, ...data(), "--calibrate-on", "5")).toContain(
      "is for encoders of one metric",
    );
  });
});
