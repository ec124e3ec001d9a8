/** A pretrained encoder among the predictors. */
import { beforeAll, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { fineTuneStudy, makeStudy, pretrainStudy, quiet, type Study } from "../../../lab/material/study.ts";
import { pairwiseDistances } from "../../../src/models/pairwiseDistances.ts";
import { distanceFormOf } from "../../../src/training/config/buildModel.ts";
import { crossValidate } from "../../../src/training/folds/crossValidate.ts";
import { planSchema } from "../../../src/training/folds/plan.ts";
import { embedSamples } from "../../../src/training/inference/embedSamples.ts";
import { partsOf } from "../../../src/training/predictors/index.ts";
import { Study as Samples } from "../../../src/training/predictors/study.ts";
import { checkpointOf, openRun } from "../../../src/training/run/open.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
let run: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  run = scratch.path("encoder");
  await pretrainStudy(study, run);
});

let outputs = 0;
const validate = (
  encoder: string | null,
  { predictors = ["encoder"], workers = 1, output = scratch.path(`cv${outputs++}`), resume = false } = {},
) => {
  const given = { column: "depth", predictors, encoder, folds: 3, innerFolds: 3, trees: 5 };
  const config = planSchema.parse(given);
  return crossValidate({ dataset: study.dataset, config, output, workers, resume, display: quiet() });
};

test("it has its own likeness of samples: shared codes, and 1 - the distances that it predicts", () => {
  const samples = Int32Array.of(3, 1, 8);
  const opened = openRun(run, "cpu");
  const seen = new Samples(study.dataset, samples, opened);
  expect(seen.encoderKernels).toEqual(["presence", "counts", "codes", "learned"]);
  const embeddings = embedSamples(opened, study.dataset, samples, "cpu");
  const distances = pairwiseDistances(
    embeddings,
    distanceFormOf(opened.facts.config, opened.encoder),
  ).toFloat32Array();
  const products = embeddings.to("float64").matmul(embeddings.to("float64").t()).toFloat64Array();
  const learned = seen.block("learned", samples, samples);
  expect(learned.length).toBe(9);
  learned.forEach((value, i) => {
    expect(value).toBeCloseTo(1 - distances[i], 5);
  });
  const [first] = samples;
  const row = seen.block("codes", Int32Array.of(first), samples);
  expect([...row]).toEqual([0, 1, 2].map((i) => expect.closeTo(products[i], 8)));
});

test("the stack and auto have it where it is given, and only there", () => {
  const all = study.dataset.sampleCount;
  const samples = Int32Array.from({ length: all }, (_, i) => i);
  const target = { kind: "numbers", column: "score", values: new Float64Array(all), classes: [] } as const;
  const known = openRun("builtin", "cpu");
  const parts = (encoder?: typeof known) =>
    partsOf(["stack"], { study: new Samples(study.dataset, samples, encoder), target });
  expect(parts()).not.toContain("encoder");
  expect(parts(known)).toContain("encoder");
});

test("it predicts what depends on the community, with the same numbers for several processes", async () => {
  const alone = await validate("builtin");
  const { summary } = await validate("builtin", { workers: 2 });
  expect(summary).toEqual(alone.summary);
  expect(summary.predictors.map(({ name }) => name)).toEqual(["constant", "encoder"]);
  expect(summary.isReal).toBe(true);
});

test("a report says which samples an encoder was trained on, and folds belong to one encoder", async () => {
  const own = scratch.path("own");
  copyFileSync(checkpointOf(run), own);
  const output = scratch.path("warned");
  const { report } = await validate(run, { output });
  const text = await Bun.file(report).text();
  expect(text).toMatch(/trained on the sequences and distances, not the values, of 2\d of the 3\d samples/);
  expect(await Bun.file((await validate("builtin")).report).text()).not.toContain("not the values, of");
  // Other weights in the same place are another encoder.
  copyFileSync(checkpointOf("builtin"), checkpointOf(run));
  await expect(validate(run, { output, resume: true })).rejects.toThrow("other data or settings");
  copyFileSync(own, checkpointOf(run));
  expect((await validate(run, { output, resume: true })).summary.main).toBe("encoder");
});

test("a fine-tuned one is refused: it has seen values", async () => {
  const tuned = scratch.path("tuned");
  await fineTuneStudy(study, tuned, { training: { epochs: 1 } });
  await expect(validate(tuned)).rejects.toThrow("was trained on values of metadata");
});
