/**
 * One rank of `bench ranks` (or the only process): gradients of batches in float64, parameters after steps of
 * SGD in float32, and the speed of steps. The results of rank 0 go into a folder.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import * as torch from "../../src/torch/index.ts";
import { batchOptionsOf, buildEncoder, distanceFormOf } from "../../src/training/config/buildModel.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";
import { pretrainConfig } from "../../src/training/config/defaults.ts";
import { makeBaseObjective } from "../../src/training/objectives/baseObjective.ts";
import { isMainRank } from "../../src/training/ranks/share.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";
import { startEncoder } from "../../src/training/tasks/startEncoder.ts";

/** What the parent asks for, as JSON. */
export interface RankRequest {
  dataset: string;
  output: string;
  encoder: "aam" | "set";
  /** Samples of the batches whose gradients are compared; of the others of SGD and speed: `batchSize`. */
  sizes: readonly number[];
  steps: number;
  batchSize: number;
  speedSteps: number;
  threads: number;
}

const { distributed } = torch;

/** Nothing that is drawn: bases are not hidden, so that all processes see the same. */
function configOf(request: RankRequest): PretrainConfig {
  const { encoder } = request;
  return pretrainConfig({
    startFrom: "none",
    model: {
      encoder,
      ...(encoder === "set" ? { codes: "both", codeDim: 48, wordDim: 16 } : {}),
      embeddingDim: 32,
      attentionLayers: 1,
      attentionHeads: 2,
      nucMaskRatio: 0,
      distanceForm: encoder === "aam" ? "tanh" : undefined,
    },
    training: { nucPenalty: 0.3 },
    nucShare: 1,
  });
}

function makeTask(dataset: Dataset, config: PretrainConfig) {
  torch.manualSeed(3);
  const model = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: true });
  const objective = makeBaseObjective(dataset, config.unifracMetric, {
    form: distanceFormOf(config, model),
    scaling: null,
  });
  const batch = { ...batchOptionsOf(config.model), ...objective.needs };
  const train = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  startEncoder(model, dataset, train, { batch, device: "cpu", seed: 3, scaling: null });
  const options = { dataset, objective, validation: train, device: "cpu" as const, model: config.model };
  const task = new PretrainTask(model, {
    ...options,
    training: config.training,
    sampleEpochs: 0,
    nucShare: config.nucShare,
    train,
  });
  const builder = new BatchBuilder(dataset, batch);
  const random = new Random(5);
  const draw = (size: number) => builder.build(random.shuffle(train.slice()).slice(0, size), random);
  const buckets = distributed.isInitialized()
    ? new distributed.GradientBuckets(model.parameters(), { megabytes: 0.05 })
    : null;
  const backward = (size: number) => {
    const { total, finish } = task.losses(draw(size));
    total.backward();
    finish?.(1);
    buckets?.reduce();
    return total;
  };
  return { model: model.train(), backward };
}

const request = JSON.parse(process.argv[2]) as RankRequest;
// The start of a set encoder is computed in float32, whose sums depend on how many threads make them.
torch.setNumThreads(1);
if (distributed.rankEnvironment()) distributed.initProcessGroup({ timeoutSeconds: 120 });
using dataset = openDataset(request.dataset);
const config = configOf(request);
const found = new Map<string, torch.Tensor>();

const exact = makeTask(dataset, config);
exact.model.double();
for (const [i, size] of request.sizes.entries()) {
  exact.model.zeroGrad();
  const total = exact.backward(size);
  found.set(`loss/${i}`, total.detach());
  for (const [name, value] of exact.model.namedParameters())
    if (value.grad) found.set(`gradient/${i}/${name}`, value.grad);
}

const trained = makeTask(dataset, config);
const optimizer = new torch.optim.SGD(trained.model.parameters(), { lr: 0.05 });
const step = (size: number) =>
  torch.tidy(() => {
    optimizer.zeroGrad();
    trained.backward(size);
    torch.nn.clipGradNorm_(trained.model.parameters(), 1);
    optimizer.step();
  });
// Of uneven sizes, by turns.
for (let i = 0; i < request.steps; i++) step(request.batchSize - (i % 3));
for (const [name, value] of trained.model.namedParameters())
  found.set(`parameter/${name}`, value.detach().clone());

torch.setNumThreads(request.threads);
const started = performance.now();
for (let i = 0; i < request.speedSteps; i++) step(request.batchSize);
const seconds = (performance.now() - started) / 1000;
if (isMainRank()) {
  torch.saveSafetensors(join(request.output, "tensors.safetensors"), found);
  const speed = (request.speedSteps * request.batchSize) / seconds;
  writeFileSync(join(request.output, "speed.json"), JSON.stringify({ samples_per_second: speed }));
}
distributed.destroyProcessGroup();
