import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { trainOptions } from "../../src/cli/train.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/from-pytorch-aam.md"), "utf8");

/** The options of the PyTorch version (2026-01-28), without their `--no-` forms. */
const theirs = `table unifrac-matrix output-dir epochs batch-size auto-batch-size max-memory-fraction
  target-effective-batch-size lr patience warmup-steps weight-decay embedding-dim attention-heads attention-layers max-bp
  token-limit asv-sampling rarefy-depth test-size unifrac-metric penalty nuc-penalty count-penalty count-embedding
  count-embedding-method nuc-mask-ratio nuc-mask-strategy device seed num-workers resume-from gradient-accumulation-steps
  use-expandable-segments max-grad-norm optimizer scheduler scheduler-t0 scheduler-t-mult scheduler-eta-min
  scheduler-patience scheduler-factor scheduler-min-lr mixed-precision compile-model tf32 gradient-checkpointing
  attn-implementation asv-chunk-size no-sequence-cache distributed data-parallel sync-batchnorm fsdp
  fsdp-sharded-checkpoint memory-profile metadata metadata-column categorical-lr out-dim classifier class-weights
  freeze-base pretrained-encoder target-penalty count-prediction target-transform normalize-by normalize-targets
  normalize-targets-by log-transform-targets loss-type quantiles over-penalty under-penalty loss-config
  target-layer-norm bounded-targets learnable-output-scale output-activation regressor-hidden-dims regressor-dropout
  residual-regression-head categorical-columns categorical-embed-dim categorical-fusion cross-attn-heads
  perceiver-num-latents perceiver-num-layers conditional-output-scaling categorical-loss-weights
  categorical-loss-weight-column categorical-help best-metric val-prediction-passes model output prediction-passes
  output-variance train-samples val-samples n-estimators max-features random-seed n-jobs`
  .split(/\s+/)
  .map((name) => `--${name}`);

/** The first cells of the page's tables: what the PyTorch version has. */
const explained = new Set(
  page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => line.split("|")[1].match(/--[\w-]+/g) ?? []),
);

test("every option of the PyTorch version is explained", () => {
  expect(theirs.filter((name) => !explained.has(name))).toEqual([]);
  expect([...explained].filter((name) => !theirs.includes(name))).toEqual([]);
});

test("what is said to be the same exists", () => {
  const ours = new Set(trainOptions.map(({ flags }) => flags.split(" ")[0]));
  const rows = page.split("\n## ").slice(1, 3).join("\n").split("\n");
  const same = rows
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells[2] === "same")
    .flatMap((cells) => cells[1].match(/--[\w-]+/g) ?? []);
  expect(same.length).toBeGreaterThan(20);
  expect(same.filter((name) => !ours.has(name))).toEqual([]);
});
