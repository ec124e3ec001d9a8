import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const scratch = useScratch();
let study: PlantedStudy;
let settings: string;
let data: string[];
beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
  settings = scratch.write(
    "settings.yaml",
    "training: {epochs: 20, penalty: 0, lr: 0.01}\nmodel: {codeDim: 8, wordDim: 8}\n",
  );
  data = ["--dataset", study.folder, "--metadata-column", "score", "--split-by", "host"];
});
const predictions = (output: string) => readFileSync(join(output, "predictions.tsv"), "utf8");
/** Lines of a table without the columns of other predictors. */
const ofFineTuned = (output: string) => {
  const [head, ...rows] = predictions(output)
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  const own = head.flatMap((name, c) => (/^(sample-id|fold|actual|finetuned)/.test(name) ? [c] : []));
  return [head, ...rows].map((cells) => own.map((c) => cells[c]));
};

describe("a fine-tuning in folds", () => {
  test("says what a frozen encoder predicts from", async () => {
    const frozen = ["--pretrained-encoder", "builtin", "--freeze-base", "--epochs", "1"];
    const { code, out, error } = await run(
      ...["train", ...data, ...frozen, "--folds", "2", "--output", scratch.path("frozen")],
    );
    expect(code).toBe(0);
    expect(out + error).toContain(
      "predicts from blocks (an effect of each ASV, beside codes and sums), by sgd",
    );
    expect(out + error).toContain("for 1 epoch, the last one kept");
  });

  showsOptions("train", "--folds");
  showsOptions("cross-validate", "--config");
  test("has figures beside predictors on the same folds, which are those of cross-validate; goes on where it stopped", async () => {
    const output = scratch.path("folds");
    const line = ["train", ...data, "--config", settings, "--folds", "2", "--output", output];
    const out = await succeed(...line);
    for (const text of [
      "Fine-tuned model",
      "Ridge on presence",
      "Nearest neighbours",
      "Fine-tuned model minus Random forest, MAE: ",
    ])
      expect(out).toContain(text);
    expect(readFileSync(join(output, "report.html"), "utf8")).toContain("ASVs that carry score");
    const [head, ...asvs] = readFileSync(join(output, "finetuned-reasons.tsv"), "utf8").trimEnd().split("\n");
    expect([head.split("\t").slice(0, 2), asvs.length]).toEqual([["feature-id", "importance"], 8]);
    expect(existsSync(join(output, "finetuned-importance.qza"))).toBe(true);
    const { contributionGaps } = JSON.parse(readFileSync(join(output, "summary.json"), "utf8"));
    expect(contributionGaps.finetuned).toBeLessThan(1e-4);
    const usual = predictions(output);
    expect(usual.trimEnd().split("\n").length).toBe(31);
    expect(await refusal(...line)).toContain("--resume");
    rmSync(join(output, "folds/repeat-1-fold-2.json"));
    await succeed(...line, "--resume");
    expect(predictions(output)).toBe(usual);
    expect(await refusal(...line, "--resume", "--lr", "0.02")).toContain("other data or settings");

    const validate = async (name: string, config: string) => {
      const other = scratch.path(name);
      const folds = ["--predictor", "finetuned", "--folds", "2", "--inner-folds", "3", "--seed", "42"];
      await succeed(
        ...["cross-validate", ...data, "--config", config, ...folds, "--no-reasons", "--output", other],
      );
      return ofFineTuned(other);
    };
    expect(await validate("same", settings)).toEqual(ofFineTuned(output));
    const faster = scratch.write(
      "faster.yaml",
      "training: {epochs: 20, penalty: 0, lr: 0.05}\nmodel: {codeDim: 8, wordDim: 8}\n",
    );
    expect(await validate("faster", faster)).not.toEqual(ofFineTuned(output));
  });

  test.each(["1", "2"])("may have the form of converted models, with %p workers", async (workers) => {
    const model =
      "{encoder: aam, referenceForm: true, embeddingDim: 8, attentionHeads: 1, attentionLayers: 1}";
    const form = scratch.write("form.yaml", `training: {epochs: 1, penalty: 0}\nmodel: ${model}\n`);
    const little = ["--predictor", "finetuned", "--folds", "2", "--inner-folds", "2", "--no-reasons"];
    const rest = ["--config", form, "--workers", workers, "--output", scratch.path(`form-${workers}`)];
    expect(await succeed("cross-validate", ...data, ...little, ...rest)).toContain("Fine-tuned model");
  });

  test("refuses what it has no use for, in one sentence", async () => {
    const output = ["--output", scratch.path("refused")];
    const refused = (...more: string[]) => refusal("train", ...data, "--folds", "2", ...output, ...more);
    const columns = data.with(3, "score,noise");
    // Before anything is prepared.
    const raw = ["--table", study.table, "--metadata", study.metadata, "--metadata-column", "score"];
    const busy = scratch.path("busy/notes");
    mkdirSync(busy, { recursive: true });
    writeFileSync(join(busy, "notes.txt"), "");
    expect(await refusal("train", ...raw, "--folds", "2", "--output", busy)).toContain("holds other files");
    expect(readdirSync(scratch.path("busy"))).toEqual(["notes"]);
    expect(await refused("--threads", "2")).toContain("--threads has no effect with --folds");
    expect(await refused("--no-plots")).toContain("--no-plots has no effect");
    expect(await refusal("train", ...columns, "--folds", "2", ...output)).toContain(
      "score, noise; leave the others out",
    );
    expect(await refusal("cross-validate", ...data, ...output, "--config", settings)).toContain(
      "add finetuned to --predictor",
    );
    const files = scratch.write("files.yaml", "split: {trainSamples: a.txt, valSamples: b.txt}\n");
    expect(
      await refusal("cross-validate", ...data, "--predictor", "finetuned", ...output, "--config", files),
    ).toContain("leave files of samples out");
    expect(await refused("--config", files)).toContain("leave files of samples out of --config");
    expect((await run("train", ...data, "--folds", "1", ...output)).code).toBe(2);
    expect(existsSync(output[1])).toBe(false);
  });
});
