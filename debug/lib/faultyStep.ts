import { join } from "node:path";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { pretrainSchema } from "../../src/training/config/config.ts";
import { NonFiniteError } from "../../src/training/loop/nanDetector.ts";
import { pretrain } from "../../src/training/tasks/pretrain.ts";

/**
 * Trains on simulated data with a learning rate that makes weights overflow, with
 * `debugNan`; the saved step's path.
 */
export async function makeFaultyStep(scratch: string, learningRate = 1e18): Promise<string> {
  const files = writeSimulation(
    join(scratch, "study"),
    simulate({ samples: 40, asvs: 40, richness: 12, length: 30, depth: 500, seed: 3 }),
  );
  const folder = join(scratch, "dataset");
  await prepareDataset({ table: files.table, tree: files.tree, rarefyDepth: "none" }, folder);
  using dataset = openDataset(folder);
  const config = pretrainSchema.parse({
    model: { embeddingDim: 16, attentionLayers: 1, attentionHeads: 2, maxBp: 30 },
    training: { batchSize: 8, lr: learningRate, maxGradNorm: null, warmup: 0, maxSteps: 20 },
  });
  try {
    await pretrain({
      dataset,
      output: join(scratch, "run"),
      config,
      device: "cpu",
      resume: false,
      display: new ProgressDisplay("quiet"),
      debugNan: true,
      plots: false,
    });
  } catch (cause) {
    if (cause instanceof NonFiniteError) return cause.reproPath;
    throw cause;
  }
  throw new Error("The planted fault gave no value that is not finite.");
}
