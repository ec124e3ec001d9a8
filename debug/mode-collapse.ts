/** Do the embeddings keep their spread through training, or do all samples end at one point? */

import { lineChart } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { EncoderTask } from "./lib/encoderTask.ts";
import { type Finding, numberText } from "./lib/finding.ts";
import { freshWith } from "./lib/freshEncoder.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import { trainBriefly } from "./lib/shortTraining.ts";
import { spreadSteps } from "./lib/spreadSteps.ts";
import { effectiveRank, meanAndError, summarize } from "./lib/statistics.ts";
import type { Subject } from "./lib/subject.ts";

export type CollapseSettings = {
  steps: number;
  seeds: number;
  points: number;
  batchSize: number;
  embeddingDim: number;
  layers: number;
  heads: number;
};

/** How far samples are spread by a model. */
export interface SpreadFigures {
  /** See `effectiveRank`. */
  rank: number;
  /** Mean over the embedding's values of their variance over samples. */
  variance: number;
  meanDistance: number;
  sdDistance: number;
  /** SD of the predicted distances over that of the true ones: 0 where all samples are alike. */
  spread: number;
  r2: number;
}

const smallestRank = 2;
const smallestSpread = 0.35;

/** How far the validation samples are spread. */
export function spreadOf(task: EncoderTask, subject: Subject): SpreadFigures {
  return torch.tidy(() => {
    const embeddings = task.embed(subject.validation);
    const pairs = task.evaluate(subject.validation);
    const predicted = summarize(pairs.predicted);
    return {
      rank: effectiveRank(embeddings),
      variance: embeddings
        .var({ dim: [0], correction: 0 })
        .mean()
        .item(),
      meanDistance: predicted.mean,
      sdDistance: predicted.sd,
      spread: predicted.sd / summarize(pairs.actual).sd,
      r2: pairs.result.r2,
    };
  });
}

export const modeCollapse: Investigation<CollapseSettings> = {
  name: "mode-collapse",
  question:
    "Do embeddings keep their spread through training (effective rank, variance, spread of the distances), or do all samples end at one point?",
  needs: "run",
  settings: {
    steps: { default: 200, is: "steps of each training", parse: atLeast(1) },
    seeds: { default: 2, is: "trainings", parse: atLeast(1) },
    points: { default: 8, is: "looks at the embeddings during a training", parse: atLeast(2) },
    batchSize: { default: 32, is: "samples in a batch", parse: atLeast(2) },
    embeddingDim: { default: 32, is: "size of the embeddings", parse: atLeast(1) },
    layers: { default: 1, is: "layers of each transformer", parse: atLeast(1) },
    heads: { default: 2, is: "attention heads", parse: atLeast(1) },
  },

  async investigate(subject, settings, { say }): Promise<Finding> {
    const { steps, seeds, points, batchSize, embeddingDim, layers, heads } = settings;
    const model = { embeddingDim, attentionLayers: layers, attentionHeads: heads };
    const looks = spreadSteps(steps, points);
    const curves: { seed: number; steps: number[]; figures: SpreadFigures[] }[] = [];
    for (let i = 0; i < seeds; i++) {
      const seed = subject.seed + i;
      const fresh = freshWith(subject, seed, { model, training: { batchSize } });
      const task = new EncoderTask(fresh.model, fresh);
      const figures: SpreadFigures[] = [];
      await trainBriefly(task, fresh, {
        steps,
        afterStep(step) {
          if (looks.includes(step)) figures.push(spreadOf(task, fresh));
        },
      });
      fresh.model.dispose();
      curves.push({ seed, steps: looks, figures });
      const last = figures[figures.length - 1];
      say(
        `Seed ${seed}: after ${steps} steps effective rank ${numberText(last.rank)}, spread ${numberText(last.spread)}`,
      );
    }
    const run = spreadOf(new EncoderTask(subject.model, subject), subject);
    const at = (look: number, figure: keyof SpreadFigures) =>
      meanAndError(curves.map(({ figures }) => figures[look][figure])).mean;
    const last = looks.length - 1;
    const chart = (name: string, title: string, yTitle: string, figure: keyof SpreadFigures) =>
      lineChart({
        title,
        xTitle: "Step",
        yTitle,
        fromZero: true,
        series: curves.map(({ seed, steps: x, figures }) => ({
          name: `seed ${seed}`,
          x,
          y: figures.map((one) => one[figure]),
        })),
      }).then((plot) => ({
        name,
        plot,
        caption: `Validation samples; the run's model: ${numberText(run[figure])}.`,
      }));
    const columns = ["rank", "variance", "meanDistance", "sdDistance", "spread", "r2"] as const;
    return {
      answer:
        `The run's embeddings of ${subject.config.model.embeddingDim} values use ${numberText(run.rank)} directions, its distances have ` +
        `${numberText(run.spread)} of the true spread. In ${steps} steps the effective rank goes from ${numberText(at(0, "rank"))} to ${numberText(at(last, "rank"))}, ` +
        `the spread from ${numberText(at(0, "spread"))} to ${numberText(at(last, "spread"))}.`,
      details: [
        `Lowest spread at any look: ${numberText(Math.min(...curves.flatMap(({ figures }) => figures.map(({ spread }) => spread))))}; a collapse that training leaves again shows here.`,
        `R² of the run's validation pairs: ${run.r2.toFixed(4)}.`,
      ],
      tables: [
        {
          title: `Means of ${seeds} trainings (embeddings of ${settings.embeddingDim}), and the run`,
          header: [
            "step",
            "effective rank",
            "variance",
            "mean distance",
            "SD of distances",
            "SD / true SD",
            "R²",
          ],
          rows: [
            ...looks.map((step, look) => [step, ...columns.map((figure) => at(look, figure))]),
            ["the run", ...columns.map((figure) => run[figure])],
          ],
        },
      ],
      plots: [
        await chart("rank", "Effective rank of the embeddings", "Effective rank", "rank"),
        await chart("spread", "Spread of predicted distances", "SD / SD of true distances", "spread"),
      ],
      numbers: { settings, curves, run },
      verdicts: [
        {
          name: "the run's effective rank",
          value: run.rank,
          relation: ">",
          threshold: smallestRank,
          holds: "The embeddings use several directions.",
          fails: "The embeddings lie on a line or a point: the model has collapsed.",
        },
        {
          name: "the run's SD of distances / SD of true distances",
          value: run.spread,
          relation: ">",
          threshold: smallestSpread,
          holds: "The predicted distances are spread like distances.",
          fails: "All predicted distances are nearly the same: the model has collapsed.",
        },
        {
          name: "trainings from fresh weights: SD of distances / SD of true distances at the end",
          value: Math.min(...curves.map(({ figures }) => figures[last].spread)),
          relation: ">",
          threshold: smallestSpread,
          holds: "Training does not collapse.",
          fails: "Training collapses.",
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(modeCollapse);
