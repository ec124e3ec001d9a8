/**
 * Is everything finite when samples are cut to a token limit, and which ASVs are lost by each way of cutting?
 */

import { Random } from "../src/common/random/random.ts";
import type { AsvSampling } from "../src/data/batches/batch.ts";
import { BatchBuilder } from "../src/data/batches/batch.ts";
import type { Dataset } from "../src/data/dataset/dataset.ts";
import { lineChart } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { describeSite, NanDetector, NonFiniteError, randomStates } from "../src/training/loop/nanDetector.ts";
import { EncoderTask } from "./lib/encoderTask.ts";
import { type Finding, percent } from "./lib/finding.ts";
import { type Context, type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast, numberList, numbersOf } from "./lib/settingValues.ts";
import { meanAndError } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";

export type TokenLimitSettings = { limits: string; steps: number; batchSize: number; samples: number };

const samplings: readonly AsvSampling[] = ["first", "abundance", "random"];

interface Losses {
  /** Of all ASVs in all samples. */
  readonly occurrences: number;
  /** Of all counts. */
  readonly reads: number;
  /** Share of what is lost that was counted once. */
  readonly singletons: number;
  /** Share of ASVs of the data set that no sample keeps. */
  readonly asvs: number;
  readonly cutSamples: number;
}

interface Trial {
  readonly limit: number;
  readonly sampling: AsvSampling;
  readonly lost: Losses;
  /** The first value that is not finite, in words; empty if all are finite. */
  readonly fault: string;
  readonly loss: number;
  readonly gradNorm: number;
  /** Of a trained model on validation samples cut like this. */
  readonly r2: number;
}

/** What is lost when every sample is cut. */
function lossesOf(dataset: Dataset, limit: number, sampling: AsvSampling): Losses {
  const random = new Random(0);
  const kept = new Uint8Array(dataset.asvCount);
  const seen = new Uint8Array(dataset.asvCount);
  const sums = { all: 0, lost: 0, reads: 0, lostReads: 0, singletons: 0, cut: 0 };
  const builder = new BatchBuilder(dataset, {
    tokenLimit: limit,
    asvSampling: sampling,
    withoutTokens: true,
  });
  for (let sample = 0; sample < dataset.sampleCount; sample++) {
    const { asvs, counts } = dataset.sample(sample);
    const batch = builder.build(Int32Array.of(sample), random);
    const left = new Set(batch.asvRows);
    sums.all += asvs.length;
    if (asvs.length > limit) sums.cut++;
    asvs.forEach((asv, slot) => {
      seen[asv] = 1;
      sums.reads += counts[slot];
      if (left.has(asv)) {
        kept[asv] = 1;
        return;
      }
      sums.lost++;
      sums.lostReads += counts[slot];
      if (counts[slot] === 1) sums.singletons++;
    });
  }
  const there = seen.reduce((sum, value) => sum + value, 0);
  return {
    occurrences: sums.lost / Math.max(1, sums.all),
    reads: sums.lostReads / Math.max(1, sums.reads),
    singletons: sums.singletons / Math.max(1, sums.lost),
    asvs: 1 - kept.reduce((sum, value) => sum + value, 0) / Math.max(1, there),
    cutSamples: sums.cut / dataset.sampleCount,
  };
}

function tryLimit(
  subject: Subject,
  { limit, sampling }: { limit: number; sampling: AsvSampling },
  { steps, batchSize, samples }: TokenLimitSettings,
  { scratch }: Context,
): Trial {
  const { dataset, metric, train, model, config, seed } = subject;
  const cut = {
    ...subject,
    config: { ...config, model: { ...config.model, tokenLimit: limit, asvSampling: sampling } },
  };
  const builder = new BatchBuilder(dataset, {
    tokenLimit: limit,
    asvSampling: sampling,
    maxBp: config.model.maxBp,
    distance: metric,
  });
  const task = new EncoderTask(model, cut);
  const sampleId = (index: number) => dataset.sampleIds[index];
  using detector = new NanDetector(model, { folder: scratch, sampleId, facts: config });
  torch.manualSeed(seed);
  const order = new Random(seed).shuffle(train.slice());
  let fault = "";
  const [losses, gradNorms]: [number[], number[]] = [[], []];
  model.train();
  try {
    for (let step = 0; step < steps; step++) {
      using _scope = torch.scope();
      const start = (step * batchSize) % Math.max(1, order.length - batchSize);
      const batch = builder.build(order.subarray(start, start + batchSize), new Random(step));
      detector.startStep(batch, step + 1, randomStates(model));
      const { total, parts } = task.losses(batch);
      detector.checkLosses({ ...parts, total_loss: total });
      model.zeroGrad();
      total.backward();
      detector.checkGradients();
      losses.push(parts["unifrac_loss"].item());
      gradNorms.push(torch.nn.clipGradNorm_(model.parameters(), Number.MAX_VALUE).item());
    }
  } catch (cause) {
    if (!(cause instanceof NonFiniteError)) throw cause;
    fault = describeSite(cause.site);
  }
  model.zeroGrad();
  model.eval();
  const judged = subject.validation.subarray(0, samples);
  const r2 = subject.trained && fault === "" ? task.evaluate(judged).result.r2 : Number.NaN;
  const lost = lossesOf(dataset, limit, sampling);
  return {
    limit,
    sampling,
    lost,
    fault,
    loss: meanAndError(losses).mean,
    gradNorm: meanAndError(gradNorms).mean,
    r2,
  };
}

export const tokenLimitNan: Investigation<TokenLimitSettings> = {
  name: "token-limit-nan",
  question:
    "Are losses and gradients finite when samples are cut to the token limit, which ASVs are lost by `first`, `abundance` and `random`, and what does that cost?",
  needs: "data",
  settings: {
    limits: {
      default: "4,16,64,256,1024",
      is: "token limits to try, separated by commas",
      parse: numberList,
    },
    steps: { default: 2, is: "forward and backward passes for each", parse: atLeast(1) },
    batchSize: { default: 16, is: "samples in a batch", parse: atLeast(2) },
    samples: { default: 150, is: "validation samples for R², with a --run", parse: atLeast(3) },
  },
  demo: { limits: "2,4,8,16,32" },

  async investigate(subject, settings, context): Promise<Finding> {
    const most = subject.config.model.tokenLimit;
    const limits = [...new Set(numbersOf(settings.limits).map((limit) => Math.min(most, limit)))];
    const trials: Trial[] = [];
    for (const limit of limits) {
      for (const sampling of samplings) {
        trials.push(tryLimit(subject, { limit, sampling }, settings, context));
        const { fault, lost } = trials[trials.length - 1];
        context.say(
          `limit ${limit}, ${sampling}: ${percent(lost.reads)} of the reads lost, ${fault || "all finite"}`,
        );
      }
    }
    const faulty = trials.filter(({ fault }) => fault !== "");
    const own = lossesOf(subject.dataset, most, subject.config.model.asvSampling);
    const chart = (name: string, title: string, yTitle: string, y: (trial: Trial) => number) =>
      lineChart({
        title,
        xTitle: "Token limit",
        yTitle,
        logX: true,
        series: samplings.map((sampling) => {
          const mine = trials.filter((trial) => trial.sampling === sampling);
          return { name: sampling, x: mine.map(({ limit }) => limit), y: mine.map(y) };
        }),
      }).then((plot) => ({ name, plot, caption: "" }));
    const smallest = trials.filter(({ limit }) => limit === limits[0]);
    const readsLost = (sampling: AsvSampling) =>
      smallest.find((trial) => trial.sampling === sampling)!.lost.reads;
    return {
      answer:
        (faulty.length === 0
          ? `Everything is finite at ${limits.length} limits and ${samplings.length} ways of cutting. `
          : `Not finite in ${faulty.length} of ${trials.length} trials, first at limit ${faulty[0].limit} (${faulty[0].sampling}): ${faulty[0].fault}. `) +
        `The model's own limit of ${most} loses ${percent(own.reads)} of the reads; a limit of ${limits[0]} loses ${percent(readsLost("first"))} by \`first\`, ` +
        `${percent(readsLost("abundance"))} by \`abundance\`, ${percent(readsLost("random"))} by \`random\`.`,
      details: [
        "`first` keeps the ASVs that stand first in the table, which says nothing of a sample; `abundance` keeps most reads and loses rare ASVs; `random` loses " +
          "evenly, and others in every epoch, so that over time all are seen.",
        ...faulty.map(({ limit, sampling, fault }) => `Limit ${limit}, ${sampling}: ${fault}.`),
      ],
      tables: [
        {
          title: "What is lost, and what comes of it",
          header: [
            "limit",
            "kept",
            "samples cut",
            "ASVs lost (occurrences)",
            "reads lost",
            "singletons among the lost",
            "ASVs lost everywhere",
            "UniFrac loss",
            "gradient norm",
            "R²",
            "not finite",
          ],
          rows: trials.map(({ limit, sampling, lost, loss, gradNorm, r2, fault }) => [
            limit,
            sampling,
            percent(lost.cutSamples),
            percent(lost.occurrences),
            percent(lost.reads),
            percent(lost.singletons),
            percent(lost.asvs),
            loss,
            gradNorm,
            r2,
            fault || "–",
          ]),
        },
      ],
      plots: [
        await chart("reads", "Reads lost", "Share of the reads (%)", ({ lost }) => 100 * lost.reads),
        ...(subject.trained && trials.some(({ r2 }) => Number.isFinite(r2))
          ? [await chart("r2", "Validation R² of the run with samples cut", "R²", ({ r2 }) => r2)]
          : []),
      ],
      numbers: { settings, trials, ownLimit: own },
      verdicts: [
        {
          name: "trials with a value that is not finite",
          value: faulty.length,
          relation: "=",
          threshold: 0,
          holds: "Cutting samples makes no NaN.",
          fails: `NaN or infinity: ${faulty[0]?.fault ?? ""}.`,
        },
        {
          name: "share of reads lost by the model's own limit",
          value: own.reads,
          relation: "<",
          threshold: 0.01,
          holds: "The limit costs next to nothing.",
          fails: "The limit cuts into the data: raise --token-limit or keep ASVs by abundance.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(tokenLimitNan);
