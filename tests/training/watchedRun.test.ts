import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fineTuneStudy, makeStudy, pretrainStudy, quiet, type Study } from "../../lab/material/study.ts";
import { readEventFile } from "../../lab/material/tensorboard/eventReader.ts";
import { readableNumber } from "../../src/display/numberText.ts";
import { listEventFiles } from "../../src/formats/tensorboard/eventFile.ts";
import { pythonsOnPath } from "../../src/torch/setup/python.ts";
import { reportRun } from "../../src/training/report/runReport.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const epochs = 3;

/** Points of each tag by kind: `scalar`, `image`, `histogram`, `text`, ... */
type TagCounts = Record<string, Record<string, number>>;

function tagCounts(run: string): TagCounts {
  const folder = join(scratch.path(run), "tensorboard");
  const counts: TagCounts = {};
  for (const name of listEventFiles(folder)) {
    for (const { values } of readEventFile(join(folder, name)).events) {
      for (const { kind, tag } of values) {
        counts[kind] ??= {};
        counts[kind][tag] = (counts[kind][tag] ?? 0) + 1;
      }
    }
  }
  return counts;
}

let study: Study;
let counts: { pretrained: TagCounts; regression: TagCounts; classes: TagCounts };
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  const training = { epochs };
  const plots = { plots: true };
  await pretrainStudy(study, scratch.path("pretrained"), { sampleEpochs: 0, training }, plots);
  await fineTuneStudy(
    study,
    scratch.path("regression"),
    {
      target: { metadataColumn: ["ph", "depth"], countPrediction: true },
      categorical: {
        columns: ["site"],
        fusion: "gmu",
        lr: 1e-3,
        conditionalOutputScaling: ["site"],
      },
      training,
    },
    plots,
  );
  await fineTuneStudy(
    study,
    scratch.path("classes"),
    {
      target: { metadataColumn: ["site"], countPrediction: false },
      categorical: { columns: ["plot"], fusion: "cross-attention", crossAttnHeads: 2 },
      training,
    },
    plots,
  );
  counts = {
    pretrained: tagCounts("pretrained"),
    regression: tagCounts("regression"),
    classes: tagCounts("classes"),
  };
});

/** Every loss as `train/NAME`, `val/NAME`, and both once more as an overlay. */
function lossTags(...losses: readonly [name: string, overlay: string][]): string[] {
  return losses.flatMap(([name, overlay]) => [
    ...[`train/${name}`, `val/${name}`],
    ...[`${overlay}/train`, `${overlay}/val`],
  ]);
}
const encoderLosses = lossTags(
  ["total_loss", "TotalLoss"],
  ["unifrac_loss", "UniFracLoss"],
  ["nuc_loss", "NucLoss"],
  ["nuc_accuracy", "NucAccuracy"],
);
const everyEpoch = [
  "train/learning_rate",
  "train/grad_norm",
  "perf/epoch_duration_sec",
  "perf/samples_per_sec",
];
const once = ["model/total_params", "model/trainable_params", "model/frozen_params"];

/** That tags are there, with a point for each epoch, and those of `once` one point each. */
function expectScalars(run: TagCounts, tags: readonly string[]): void {
  const wanted = [
    ...[...everyEpoch, ...tags].map((tag) => [tag, epochs] as const),
    ...once.map((tag) => [tag, 1] as const),
  ];
  expect(Object.fromEntries(wanted.map(([tag]) => [tag, run["scalar"][tag]]))).toEqual(
    Object.fromEntries(wanted),
  );
  expect(run["scalar"]["checkpoint/best_model_saved"]).toBeGreaterThan(0);
  expect(run["text"]).toEqual({ config: 1 });
}

test("the events of a pretraining hold the original AAM's tags, a point for each epoch", () => {
  expectScalars(counts.pretrained, [...encoderLosses, "val/r2", "val/mae", "val/mse"]);
  expect(counts.pretrained["image"]).toEqual({ "validation/unifrac_plot": 1 });
});

test("B26: histograms of weights and gradients, and gradient norms of every parameter, are written", () => {
  const { histogram, scalar } = counts.regression;
  expect(histogram["weights/target_head.weight"]).toBe(1);
  expect(histogram["gradients/target_head.weight"]).toBe(1);
  expect(scalar["grad_norm/target_head.weight"]).toBe(1);
});

test("B27: fine-tuning draws targets, distances and counts each with figures of their own", () => {
  expectScalars(counts.regression, [
    ...encoderLosses,
    ...lossTags(["target_loss", "TargetLoss"], ["count_loss", "CountLoss"]),
    ...["val/mae", "val/mse", "val/r2", "val/count_mae"],
    ...["train/gmu_gate_mean", "gmu/gate_mean", "gmu/gate_norm", "gmu/cat_transform_norm"],
    ...["train/categorical_learning_rate", "categorical/site_embed_norm", "categorical/total_embed_norm"],
    ...["scale_mean", "scale_std", "bias_mean", "bias_std"].map((name) => `conditional_scaling/site_${name}`),
  ]);
  expect(counts.regression["image"]).toEqual({
    "validation/prediction_plot_ph": 1,
    "validation/prediction_plot_depth": 1,
    "validation/unifrac_plot": 1,
    "validation/count_plot": 1,
  });
  const { validation } = JSON.parse(readFileSync(join(scratch.path("regression"), "summary.json"), "utf8"));
  const captionOf = (plot: string) =>
    readFileSync(join(scratch.path("regression"), `plots/${plot}_best.svg`), "utf8").match(
      /MAE ([\d.]+)/,
    )?.[1];
  expect(captionOf("count_plot")).toBe(readableNumber(validation.count_mae, 3));
  expect(captionOf("unifrac_plot")).not.toBe(captionOf("count_plot"));
});

test("the events of classes hold their metrics, and how cross-attention looks at categories", () => {
  expectScalars(counts.classes, [
    ...encoderLosses,
    ...lossTags(["target_loss", "TargetLoss"]),
    ...["val/accuracy", "val/precision", "val/recall", "val/f1"],
    ...["train/cross_attn_weight_mean", "train/cross_attn_entropy"],
    ...["cross_attn/weight_mean", "cross_attn/entropy"],
    ...["categorical/plot_embed_norm", "categorical/total_embed_norm", "categorical/projection_norm"],
  ]);
  expect(counts.classes["image"]).toEqual({
    "validation/prediction_plot": 1,
    "validation/unifrac_plot": 1,
  });
});

test("the report compares each of several targets, whose units differ, and leaves out totals of another kind", async () => {
  const path = await reportRun({ run: scratch.path("regression"), device: "cpu", display: quiet() });
  const html = readFileSync(path, "utf8");
  for (const label of ["MAE of ph ↓", "R² of ph ↑", "MAE of depth ↓", "R² of depth ↑"])
    expect(html).toContain(`${label}</th>`);
  expect(html).not.toContain("MAE ↓");
  expect(html).toContain("MAE of ph: the model is");
});

test("training totals are written only of epochs that have all losses; those on kept embeddings have none of nucleotides", async () => {
  await pretrainStudy(study, scratch.path("sample-epochs"), { sampleEpochs: 1, training: { epochs: 4 } });
  const { scalar } = tagCounts("sample-epochs");
  expect([scalar["TotalLoss/train"], scalar["NucLoss/train"], scalar["UniFracLoss/train"]]).toEqual([
    2, 2, 4,
  ]);
  expect(scalar["TotalLoss/val"]).toBe(4);
});

/**
 * Looked for on the PATH, and before that in the folder AAM_TENSORBOARD_BIN, which may be that
 * of a virtual environment.
 */
const findTensorboard = "import importlib.util as u, sys; sys.exit(0 if u.find_spec('tensorboard') else 1)";
const python = pythonsOnPath(
  [process.env["AAM_TENSORBOARD_BIN"], process.env["PATH"]].filter(Boolean).join(":"),
).find((path) => Bun.spawnSync([path, "-c", findTensorboard]).exitCode === 0);

const readAll = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
everything = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
result = []
for folder in sys.argv[1:]:
    events = EventAccumulator(folder, size_guidance=everything)
    events.Reload()
    read = {"scalar": events.Scalars, "image": events.Images, "histogram": events.Histograms, "tensor": events.Tensors}
    result.append({kind: {tag: len(get(tag)) for tag in events.Tags()[kind + "s"]} for kind, get in read.items()})
print(json.dumps(result))
`;

test.skipIf(python === undefined)(
  "Python's tensorboard reads the same tags with as many points each (skipped where it is not installed)",
  () => {
    const runs = ["pretrained", "regression", "classes"] as const;
    const folders = runs.map((run) => join(scratch.path(run), "tensorboard"));
    const { stdout, stderr, exitCode } = Bun.spawnSync([python!, "-c", readAll, ...folders]);
    expect([exitCode, exitCode === 0 ? "" : stderr.toString()]).toEqual([0, ""]);
    const read = JSON.parse(stdout.toString()) as TagCounts[];
    for (const [i, run] of runs.entries()) {
      const { scalar, image, histogram, text } = counts[run];
      // The layout of the page "Custom scalars" is a tensor for tensorboard, like any text.
      const tensor = { ...text, custom_scalars__config__: 1 };
      expect(read[i]).toEqual({ scalar, image, histogram, tensor });
    }
  },
);
