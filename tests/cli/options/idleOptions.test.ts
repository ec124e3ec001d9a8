/** Options that do nothing for the encoder that is trained are refused, with the cure. */
import { beforeAll, expect, test } from "bun:test";
import { makeStudy, pretrainStudy, type Study } from "../../../lab/material/study.ts";
import * as torch from "../../../src/torch/index.ts";
import { refusal } from "../../helpers/commandLine.ts";
import { useScratch } from "../../helpers/scratch.ts";

torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
let encoder: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 12);
  encoder = scratch.path("encoder");
  await pretrainStudy(study, encoder, { training: { maxSteps: 1 } });
});

const given = (command: string) => [
  ...(command === "train.ts"
    ? ["--table", study.table, "--tree", study.tree]
    : ["--dataset", study.folder, ...(command === "train" ? ["--metadata-column", "ph"] : [])]),
  ...["--output", scratch.path("nothing"), "--device", "cpu"],
];

const ofTransformers = [
  ...["--embedding-dim 8", "--attention-layers 1", "--attention-heads 2", "--feed-forward-dim 4"],
  ...["--dropout 0.1", "--activation relu", "--nuc-mask-ratio 0.2", "--nuc-mask-strategy span"],
  ...["--nuc-share 0.5", "--gradient-checkpointing", "--asv-chunk-size 3", "--bases-per-token 3"],
];
const ofSets = [
  "--codes both",
  "--code-dim 8",
  "--words 4",
  "--word-dim 4",
  "--word-buckets 64",
  "--long-words 10",
];
const cases: [command: string, options: string, sentence: RegExp][] = [
  ...ofTransformers.map((option): [string, string, RegExp] => [
    "pretrain",
    option,
    /^Error: --\S+ is for transformers, and --codes kmer has none; give --codes both or --encoder aam, or leave it out\.$/,
  ]),
  ...ofSets.map((option): [string, string, RegExp] => [
    "pretrain",
    `--encoder aam ${option}`,
    /^Error: --\S+ is for set encoders; give --encoder set, or leave it out\.$/,
  ]),
  ["pretrain", "--count-embedding-method film", /is for --encoder aam: a set encoder reads counts/],
  ["pretrain", "--codes transformer --words 4", /--words is for codes from words; give --codes kmer/],
  ["pretrain", "--preset latest --words 4", /--words is for set encoders/],
  ["pretrain", "--tanh-scale 3", /--tanh-scale is for --distance-form tanh/],
  [
    "pretrain",
    "--nuc-penalty 0.1",
    /--nuc-penalty is for encoders that read bases one by one; add --codes both/,
  ],
  ["lr-finder", "--attention-layers 1", /is for transformers/],
  ["lr-finder", "--nuc-penalty 0.1", /--nuc-penalty is for encoders that read bases/],
  ["train.ts", "--embedding-dim 8", /is for transformers/],
  ["train", "--attention-layers 1", /is for transformers/],
  ["train", "--nuc-penalty 0.1", /--nuc-penalty is for encoders that read bases/],
  ["train", "--pretrained-encoder ENCODER --words 4", /--words is settled by the encoder in /],
];
test.each(cases)("%s %s", async (command, options, sentence) => {
  const words = options.split(" ").map((word) => (word === "ENCODER" ? encoder : word));
  expect(await refusal(command, ...given(command), ...words)).toMatch(sentence);
});
