import { expect, test } from "bun:test";
import { onTestDevice, testDevice } from "../../lab/material/testDevice.ts";
import { denseToRagged } from "../../src/models/raggedBatch.ts";
import { SequencePredictor, type SequencePredictorOptions } from "../../src/models/sequencePredictor.ts";
import * as torch from "../../src/torch/index.ts";
import {
  countLoss,
  nucleotideAccuracy,
  nucleotideLoss,
  unifracLoss,
} from "../../src/training/objectives/losses.ts";
import { totalLoss } from "../../src/training/objectives/multiTaskLoss.ts";
import { TargetLoss } from "../../src/training/objectives/targetLoss.ts";
import { smallEncoder, smallTransformer } from "../helpers/smallModels.ts";

torch.setNumThreads(1);

/** Operators whose result's size depends on values, for which an accelerator has to be waited for. */
const waiting = [
  "nonzero",
  "masked_select",
  "unique_dim",
  "unique_consecutive",
  "_local_scalar_dense",
  "item",
  "equal",
];

const variants: Record<string, Partial<SequencePredictorOptions>> = {
  "random masks": {},
  "span masks, chunks, checkpoints": {
    base: smallEncoder({ maskRatio: 0.3, maskStrategy: "span", chunkSize: 2, gradientCheckpointing: true }),
  },
  perceiver: { categories: { cardinalities: { site: 3 }, fusion: "perceiver", heads: 2, latents: 3 } },
  "cross-attention": { categories: { cardinalities: { site: 3 }, fusion: "cross-attention", heads: 2 } },
};

for (const [variant, options] of Object.entries(variants)) {
  test(`${variant}: a training step reads nothing back, and leaves no tensor behind`, () => {
    const model = new SequencePredictor({
      base: smallEncoder({ maskRatio: 0.3 }),
      count: smallTransformer,
      target: smallTransformer,
      ...options,
    }).to(testDevice);
    const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-4 });
    const tokens = torch.randint(1, 5, [4, 5, 9]);
    tokens.narrow(1, 3, 2).select(0, 1).fill_(0);
    const batch = onTestDevice(denseToRagged(tokens));
    const target = torch.rand([4, 4], { device: testDevice });
    const values = torch.rand([4, 1], { device: testDevice });
    const criterion = new TargetLoss({ type: "quantile", quantiles: [0.5] });
    const step = () =>
      torch.tidy(() => {
        const { base, count, target: prediction } = model.forward(batch, { nucleotides: true });
        const nucleotides = { tokens: batch.asvTokens, multiplicity: batch.multiplicity };
        const losses = totalLoss(
          {
            unifrac_loss: unifracLoss(base.embeddings!, target, { form: { tanhScale: 10 } }),
            nuc_loss: nucleotideLoss(base.nucleotides!, nucleotides),
            count_loss: countLoss(count!, batch.counts, batch.asvIndex.ne(0)),
            target_loss: criterion.regression(prediction.unsqueeze(-1), values),
          },
          { count_loss: 0.5 },
        );
        nucleotideAccuracy(base.nucleotides!, nucleotides);
        optimizer.zeroGrad();
        losses.total_loss.backward();
        torch.nn.clipGradNorm_(model.parameters(), 1);
        optimizer.step();
      });
    step();
    step();
    // What other tests left to the collector must not count.
    Bun.gc(true);
    const live = torch.memory().liveTensors;
    const reads = torch.hostReadCount();
    for (let i = 0; i < 20; i++) {
      const { counts } = torch.countOperators(step);
      const seen = waiting.filter((name) => counts.has(name));
      expect(seen).toEqual([]);
    }
    expect(torch.hostReadCount() - reads).toBe(0);
    expect(torch.memory().liveTensors).toBe(live);
  });
}
