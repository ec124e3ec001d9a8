/**
 * Our side of `bench step` and `bench predict`, driven line by line as
 * lab/python/reference/plain_reference.py is:
 *
 *     bun lab/bench/aamProcess.ts '{"dataset": ..., "samples": [[...]], "config": {...},
 *       "device": "cpu", "threads": 2}'
 *
 * Everything written is one JSON object per line; an end of input ends it.
 */

import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import type { AsvEncoder } from "../../src/models/asvEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { batchOptionsOf, buildEncoder, distanceFormOf } from "../../src/training/config/buildModel.ts";
import { type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { embedSampleSet } from "../../src/training/inference/embedSamples.ts";
import { precisionOn, withMixedPrecision } from "../../src/training/loop/mixedPrecision.ts";
import { makeOptimizer, parameterGroups } from "../../src/training/loop/paramGroups.ts";
import { makeBaseObjective } from "../../src/training/objectives/baseObjective.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";
import { setMatmulPrecision } from "../../src/training/tasks/runTraining.ts";

/** What this side is started with. */
export interface OurConfig {
  /** Folder of a data set. */
  dataset: string;
  /** The samples of each batch. */
  samples: readonly (readonly number[])[];
  config: PretrainInput;
  device: torch.Device;
  threads: number;
}

export interface OurStep {
  seconds: number;
  forward_seconds: number;
  backward_seconds: number;
  optimizer_seconds: number;
  /** Of the forward pass, what the ASV encoder took. */
  encoder_seconds: number;
  loss: number;
  /**
   * What tensors took at once: of an accelerator's memory, or of the CPU's. The process's
   * memory is told from outside.
   */
  live_bytes: number;
  /** Of an accelerator; 0 on the CPU. */
  device_bytes: number;
}

/** `at::SDPBackend`. */
const attentionKernels = ["math", "flash", "memory efficient", "cudnn"];

function answer(content: object): void {
  process.stdout.write(`${JSON.stringify(content)}\n`);
}

function makeWorkload({ dataset: path, samples, config: input, device }: OurConfig) {
  const config = pretrainSchema.parse(input);
  const { model: shape, training, unifracMetric: metric, nucShare } = config;
  const dataset = openDataset(path);
  setMatmulPrecision(training, device);
  const { mixedPrecision } = precisionOn(training, device);
  torch.manualSeed(training.seed);
  const model = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: true });
  model.to(device);
  const objective = makeBaseObjective(dataset, metric, {
    form: distanceFormOf(config, model),
    scaling: null,
  });
  const everyone = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  const task = new PretrainTask(model, {
    dataset,
    objective,
    validation: everyone,
    device,
    model: shape,
    training,
    sampleEpochs: 0,
    nucShare,
    train: everyone,
  });
  const batchOptions = { ...batchOptionsOf(shape), ...objective.needs };
  const batches = samples.map((rows) =>
    new BatchBuilder(dataset, batchOptions).build(Int32Array.from(rows), new Random(0)),
  );
  const optimizer = makeOptimizer(
    parameterGroups(model, { weightDecay: training.weightDecay, decayAll: training.decayAll }),
    training,
  );
  const parameters = model.parameters();
  const clock = () => {
    torch.synchronize();
    return performance.now() / 1000;
  };
  let inEncoder = 0;
  const encoder = model.asvEncoder as AsvEncoder;
  const encode = encoder.forward.bind(encoder);
  encoder.forward = (...given) => {
    const begin = clock();
    const result = encode(...given);
    inEncoder += clock() - begin;
    return result;
  };

  /** Forward, loss, backward, clipping and update, as the trainer makes them. */
  const step = (index: number): OurStep => {
    model.train();
    inEncoder = 0;
    torch.resetPeakMemory(device);
    const begin = clock();
    const { forward, backward, loss } = torch.tidy(() => {
      const losses = withMixedPrecision(mixedPrecision, device, () => task.losses(batches[index]));
      const middle = clock();
      optimizer.zeroGrad();
      losses.total.backward();
      const end = clock();
      if (training.maxGradNorm !== null) torch.nn.clipGradNorm_(parameters, training.maxGradNorm);
      optimizer.step();
      return { forward: middle - begin, backward: end - middle, loss: losses.total.item() };
    });
    const seconds = clock() - begin;
    const { cpu, device: accelerator } = torch.memory(device);
    return {
      seconds,
      forward_seconds: forward,
      backward_seconds: backward,
      optimizer_seconds: seconds - forward - backward,
      encoder_seconds: inEncoder,
      loss,
      live_bytes: device === "cpu" ? cpu.allocatedPeak : accelerator.allocatedPeak,
      device_bytes: device === "cpu" ? 0 : accelerator.allocatedPeak,
    };
  };

  /** The first samples of the data set (0: all) through the encoder, as `embed` and validation do it. */
  const embed = (count: number) => {
    const some = count > 0 ? everyone.subarray(0, count) : everyone;
    model.eval();
    const begin = clock();
    const embedded = torch.tidy(() =>
      embedSampleSet(model, dataset, some, { device, batch: batchOptionsOf(shape) })
        .abs()
        .sum()
        .item(),
    );
    return { seconds: clock() - begin, samples: some.length, checksum: embedded };
  };

  /**
   * What computes attention in a step: the fused layer, or the kernels that LibTorch
   * chooses for its arguments.
   */
  const kernels = (index: number): Record<string, number> => {
    const seen: Record<string, number> = {};
    const count = (name: string) => {
      seen[name] = (seen[name] ?? 0) + 1;
    };
    torch.countOperators(
      () => step(index),
      (name, args) => {
        if (name === "aamt::transformer_layer") count("fused layer");
        if (name !== "scaled_dot_product_attention") return;
        const choice = Number(torch.ops.unsafe.aten._fused_sdp_choice(...args));
        count(attentionKernels[choice] ?? `kernel ${choice}`);
      },
    );
    return seen;
  };

  const parameterCount = parameters.reduce((sum, { numel }) => sum + numel, 0);
  return { step, embed, kernels, parameterCount };
}

async function serve(config: OurConfig): Promise<void> {
  torch.setNumThreads(config.threads);
  const work = makeWorkload(config);
  answer({
    ready: true,
    libtorch: torch.buildInfo().libtorch,
    threads: torch.getNumThreads(),
    parameters: work.parameterCount,
  });
  for await (const line of console) {
    const [name, index = "0"] = line.split(" ");
    if (name === "step") answer(work.step(Number(index)));
    else if (name === "embed") answer(work.embed(Number(index)));
    else if (name === "kernels") answer(work.kernels(Number(index)));
    else throw new Error(`unknown command ${JSON.stringify(name)}`);
  }
}

if (import.meta.main) {
  try {
    await serve(JSON.parse(process.argv[2]) as OurConfig);
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  }
}
