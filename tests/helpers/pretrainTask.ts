import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { batchOptionsOf, buildSequenceEncoder } from "../../src/training/config/buildModel.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";
import { makeBaseObjective } from "../../src/training/objectives/baseObjective.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";

/** The task of a pretraining on the CPU with raw distances and fresh weights, without the rest of a run. */
export function makePretrainTask(
  dataset: Dataset,
  config: PretrainConfig,
  { train, validation }: { train: Int32Array; validation: Int32Array },
) {
  const objective = makeBaseObjective(dataset, config.unifracMetric, { form: "raw", scaling: null });
  const model = buildSequenceEncoder(config, { encoderType: "unifrac", predictNucleotides: true });
  const task = new PretrainTask(model, {
    dataset,
    objective,
    validation,
    device: "cpu",
    model: config.model,
    training: config.training,
    sampleEpochs: 0,
    nucShare: config.nucShare,
    train,
  });
  return { model, task, batch: { ...batchOptionsOf(config.model), ...objective.needs } };
}
