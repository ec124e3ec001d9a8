import { Loader } from "../../src/data/batches/loader.ts";
import * as torch from "../../src/torch/index.ts";
import { parameterGroups } from "../../src/training/loop/paramGroups.ts";
import { scheduleFactor } from "../../src/training/loop/schedule.ts";
import type { DebugTask, TaskSubject } from "./encoderTask.ts";

export interface ShortTraining {
  /** The most steps; the schedule is fitted to them. */
  readonly steps: number;
  /**
   * End after so many minutes of processor time (all threads) instead, and fit the schedule to them:
   * fair on a shared machine.
   */
  readonly minutes?: number;
  /** Leave out samples that fill no batch. Default false. */
  readonly dropLast?: boolean;
  /** Called before the first step with 0 and after each step; the model is in training mode. */
  readonly afterStep?: (step: number) => void | Promise<void>;
}

export interface ShortTrainingResult {
  readonly steps: number;
  readonly samples: number;
  /** Of the steps alone. */
  readonly seconds: number;
  /** Processor time of all threads in the steps alone: on a shared machine it says more than the clock. */
  readonly cpuSeconds: number;
  /** Mean UniFrac loss of the last tenth of the steps. */
  readonly lastLoss: number;
}

/**
 * Trains for some steps as the product's trainer does (AdamW, warm-up and cosine over these steps, clipped
 * gradients), without files, validation and checkpoints: many short trainings are compared here. Leaves the
 * model in evaluation mode.
 * @throws Error if the loss is not finite in the end.
 */
export async function trainBriefly(
  task: DebugTask,
  subject: TaskSubject & { readonly train: Int32Array },
  { steps, minutes, dropLast = false, afterStep }: ShortTraining,
): Promise<ShortTrainingResult> {
  const { dataset, metric, train } = subject;
  const { training, model } = subject.config;
  using loader = new Loader(dataset, {
    batchSize: Math.min(training.batchSize, train.length),
    samples: train,
    seed: training.seed,
    distance: metric,
    dropLast,
    tokenLimit: model.tokenLimit,
    maxBp: model.maxBp,
    asvSampling: model.asvSampling,
  });
  const optimizer = new torch.optim.AdamW(
    parameterGroups(task.model, { weightDecay: training.weightDecay }),
    {
      lr: training.lr,
    },
  );
  const schedule = { name: "warmup_cosine", warmup: training.warmup, floor: training.lrFloor } as const;
  const losses: torch.Tensor[] = [];
  let [step, samples, seconds, cpu] = [0, 0, 0, 0];
  task.model.train();
  await afterStep?.(0);
  const progress = () => (minutes === undefined ? step / steps : cpu / (60 * minutes));
  const isOver = () => step >= steps || progress() >= 1;
  while (!isOver()) {
    for await (const batch of loader.epoch()) {
      const started = performance.now();
      const cpuBefore = process.cpuUsage();
      const factor = scheduleFactor(progress(), schedule);
      for (const group of optimizer.paramGroups) group.lr = training.lr * factor;
      const loss = torch.tidy(() => {
        const { total, parts } = task.losses(batch);
        optimizer.zeroGrad();
        total.backward();
        if (training.maxGradNorm !== null)
          torch.nn.clipGradNorm_(task.model.parameters(), training.maxGradNorm);
        optimizer.step();
        return (parts["unifrac_loss"] ?? total).detach();
      });
      losses.push(loss.detachFromScope());
      step++;
      samples += batch.samples;
      const { user, system } = process.cpuUsage(cpuBefore);
      cpu += (user + system) / 1e6;
      seconds += (performance.now() - started) / 1000;
      await afterStep?.(step);
      if (isOver()) break;
    }
  }
  optimizer.dispose();
  task.model.eval();
  const last = losses.slice(-Math.max(1, Math.floor(step / 10))).map((loss) => loss.item());
  for (const loss of losses) loss.dispose();
  const lastLoss = last.reduce((sum, value) => sum + value, 0) / last.length;
  if (!Number.isFinite(lastLoss)) throw new Error(`The loss became ${lastLoss} within ${step} steps.`);
  return { steps: step, samples, seconds, cpuSeconds: cpu, lastLoss };
}
