import { beforeAll, expect, test } from "bun:test";
import { boundaryPredictions } from "../../debug/boundary-predictions.ts";
import { fineTunedHead } from "../../debug/fine-tuned-head.ts";
import { EncoderTask } from "../../debug/lib/encoderTask.ts";
import { freshWith } from "../../debug/lib/freshEncoder.ts";
import { lossesOf } from "../../debug/lib/repeatStep.ts";
import { effectiveRank } from "../../debug/lib/statistics.ts";
import type { Subject } from "../../debug/lib/subject.ts";
import { modeCollapse } from "../../debug/mode-collapse.ts";
import { nucleotideLoss } from "../../debug/nucleotide-loss.ts";
import { setOrAverage } from "../../debug/set-or-average.ts";
import { underfitting } from "../../debug/underfitting.ts";
import { Random } from "../../src/common/random/random.ts";
import { type Batch, BatchBuilder } from "../../src/data/batches/batch.ts";
import type { NumericColumn } from "../../src/data/dataset/column.ts";
import { StoredDistances } from "../../src/data/dataset/pairDistances.ts";
import type { AsvRequest } from "../../src/models/asvEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { euclideanFormOf } from "../../src/training/config/buildModel.ts";
import { makeBaseObjective } from "../../src/training/objectives/baseObjective.ts";
import type { RunFacts } from "../../src/training/run/facts.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";
import { breakForward, faultsOf, investigate, smallSubject, withOverrides } from "./faults.ts";

let subject: Subject;
beforeAll(async () => {
  subject = await smallSubject(true);
});

/** The model with all embeddings nearly equal, until disposed. */
function collapse({ model }: Subject): Disposable {
  const { weight } = model.attentionPooling!.norm;
  const kept = weight!.detach().clone().detachFromScope();
  torch.noGrad(() => weight!.mul_(1e-4));
  return {
    [Symbol.dispose]() {
      torch.noGrad(() => weight!.copy_(kept));
    },
  };
}

const short = { steps: 40, seeds: 1, batchSize: 16, embeddingDim: 16, layers: 1, heads: 2 };

test("boundary-predictions: a model whose distances are all near 0 is found", async () => {
  const name = "the run's model: share at 0 or 1";
  const sound = await investigate(boundaryPredictions, subject, { ...short, steps: 5 });
  expect(faultsOf(sound)).not.toContain(name);
  using _fault = collapse(subject);
  const finding = await investigate(boundaryPredictions, subject, { ...short, steps: 5 });
  expect(faultsOf(finding)).toContain(name);
  expect(finding.verdicts.find((verdict) => verdict.name === name)!.value).toBe(1);
});

test("boundary-predictions: clipping piles up, the sigmoid collapses", async () => {
  const settings = { ...short, steps: 120, seeds: 2, batchSize: 6 };
  const faults = faultsOf(await investigate(boundaryPredictions, subject, settings));
  expect(faults).not.toContain("clipped head: share at 0 or 1");
  expect(faults).not.toContain("sigmoid head: SD of predictions / SD of true distances");
});

test("mode-collapse: a trained model passes, a collapsed one is found", async () => {
  const settings = { ...short, points: 2 };
  const sound = await investigate(modeCollapse, subject, settings);
  expect(faultsOf(sound)).toEqual([]);
  using _fault = collapse(subject);
  expect(faultsOf(await investigate(modeCollapse, subject, settings))).toContain(
    "the run's SD of distances / SD of true distances",
  );
});

test("set-or-average: each combination is trained, and a set encoder that does not learn is told", async () => {
  const settings = { steps: 30, codeDim: 32, embeddingDim: 8 };
  const { tables, verdicts } = await investigate(setOrAverage, subject, settings);
  const r2 = tables[0].rows.map((row) => Number(row[3]));
  expect(r2).toHaveLength(7);
  expect(r2.every(Number.isFinite)).toBe(true);
  expect(verdicts[0].value).toBeCloseTo(r2[0] - r2[6], 6);
  expect(Math.max(...r2)).toBe(r2[0]);
}, 120_000);

test("fine-tuned-head: each way is trained in folds, and one that learns nothing is told", async () => {
  const settings = { folds: 2, epochs: 12 };
  const { tables, verdicts } = await investigate(fineTunedHead, subject, settings);
  const errors = tables[0].rows.map((row) => Number(row[1]));
  expect(errors).toHaveLength(7);
  expect(errors.every((error) => error > 0)).toBe(true);
  expect(verdicts[0].value).toBeCloseTo(errors[5] - errors[0], 9);
  // Of values in another order no way can know anything.
  const { values } = subject.dataset.column("ph") as NumericColumn;
  const order = new Random(2).shuffle(Float64Array.from(values));
  const dataset = withOverrides(subject.dataset, {
    column: () => ({ ...subject.dataset.column("ph"), values: order }) as NumericColumn,
  });
  const blind = await investigate(fineTunedHead, { ...subject, dataset }, settings);
  expect(Number(blind.tables[0].rows[0][1])).toBeGreaterThan(1.3 * errors[0]);
  const text = investigate(fineTunedHead, subject, { ...settings, column: "site" });
  expect(text).rejects.toThrow("which is no number; give another --column");
}, 300_000);

test("underfitting: a trained model passes; distances of other samples are found", async () => {
  const name = "validation R² of the run";
  const settings = { ...short, steps: 20, points: 2, variants: false };
  expect(faultsOf(await investigate(underfitting, subject, settings))).not.toContain(name);
  const truth = subject.dataset.distance(subject.metric);
  const values = new Random(1).shuffle(
    Float32Array.from([...truth.condensed()].flatMap((part) => [...part])),
  );
  const shuffled = new StoredDistances(subject.metric, truth.samples, {
    partLength: values.length,
    part: () => values,
  });
  const dataset = withOverrides(subject.dataset, { distance: () => shuffled });
  expect(faultsOf(await investigate(underfitting, { ...subject, dataset }, settings))).toContain(name);
});

test("nucleotide-loss: a trained model passes; swapped bases and a mask that hides nothing are found", async () => {
  expect(faultsOf(await investigate(nucleotideLoss, subject))).toEqual([]);
  const encoder = subject.model.sampleEncoder.asvEncoder;
  {
    // A and C, C and A.
    const order = torch.tensor(BigInt64Array.of(0n, 2n, 1n, 3n, 4n, 5n, 6n));
    const { weight, bias } = encoder.nucleotideHead!;
    const swap = () =>
      torch.noGrad(() => [weight, bias!].map((value) => value.copy_(value.indexSelect(0, order))));
    swap();
    const finding = await investigate(nucleotideLoss, subject);
    swap();
    expect(faultsOf(finding).some((name) => /worst base \([AC]\)/.test(name))).toBe(true);
  }
  using _fault = breakForward(encoder, (original, args) => {
    const [tokens, request] = args as [torch.Tensor, AsvRequest];
    const isMasked = encoder.training && request?.mask;
    if (!isMasked) return original(...(args as never[]));
    encoder.eval();
    const result = original(...([tokens, { ...request, mask: null }] as never[]));
    encoder.train();
    return result;
  });
  expect(faultsOf(await investigate(nucleotideLoss, subject))).toContain(
    "change of logits when hidden bases change",
  );
});

test.each([0.25, 1])(
  "the losses that are compared and repeated are those of the product's own training, share %d",
  (nucShare) => {
    using _scope = torch.scope();
    const { dataset, metric, config, device, validation, train } = subject;
    const fresh = freshWith(subject, 3, {});
    fresh.model.train();
    const objective = makeBaseObjective(dataset, metric, { form: euclideanFormOf(config), scaling: null });
    const { model, training } = config;
    const options = {
      dataset,
      objective,
      validation,
      train,
      device,
      model,
      training,
      sampleEpochs: 0,
      nucShare,
    };
    const batch = new BatchBuilder(dataset, { distance: metric }).build(train.subarray(0, 12), new Random(0));
    const tasks = [new PretrainTask(fresh.model, options), new EncoderTask(fresh.model, fresh, { nucShare })];
    const facts = { kind: "pretrain", config: { ...fresh.config, nucShare } } as RunFacts;
    const run = {
      checkpoint: "",
      facts,
      encoder: fresh.model,
      predictor: null,
      targets: null,
      model: fresh.model,
    };
    const repeated = { losses: (again: Batch) => lossesOf(run, again, device, null) };
    const totals = [...tasks, repeated].map((task) => {
      torch.manualSeed(9);
      return task.losses(batch).total.item();
    });
    expect(totals).toEqual([totals[0], totals[0], totals[0]]);
  },
);

test("the effective rank counts directions", () => {
  const line = torch.tensor([
    [0, 0, 0],
    [1, 2, 3],
    [2, 4, 6],
    [3, 6, 9],
  ]);
  expect(effectiveRank(line)).toBeCloseTo(1, 5);
  const corners = torch.tensor([
    [1, 0, 0],
    [-1, 0, 0],
    [0, 1, 0],
    [0, -1, 0],
    [0, 0, 1],
    [0, 0, -1],
  ]);
  expect(effectiveRank(corners)).toBeCloseTo(3, 5);
  expect(effectiveRank(torch.ones([4, 3]))).toBe(0);
});
