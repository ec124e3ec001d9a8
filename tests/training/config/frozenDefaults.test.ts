import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fineTuneSettings, parseFineTune } from "../../../src/cli/options/fineTuneSettings.ts";
import { parseYamlText } from "../../../src/formats/yaml.ts";
import type { FineTuneInput } from "../../../src/training/config/config.ts";
import { fineTuneConfig } from "../../../src/training/config/defaults.ts";
import { defaultSpace } from "../../../src/training/search/space.ts";
import { frozenText } from "../../../src/training/tasks/frozenText.ts";
import { succeed } from "../../helpers/commandLine.ts";
import { projectRoot } from "../../helpers/projectFiles.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const frozen: FineTuneInput = { pretrainedEncoder: "encoder", freezeBase: true };
const blocks = {
  bestMetric: "last",
  target: { pooling: "blocks", transform: "auto", huberDelta: 0.25, ridge: "auto" },
  training: { optimizer: "sgd", lr: 1, epochs: 40 },
};

describe("what is predicted from where nothing is said", () => {
  test("is blocks of a frozen encoder, trained as the recipe for few samples says", () => {
    const recipe = readFileSync(join(projectRoot, "docs/recipes/few-samples.yaml"), "utf8");
    const said = fineTuneConfig({
      pretrainedEncoder: "encoder",
      ...(parseYamlText(recipe) as FineTuneInput),
    });
    expect(fineTuneConfig(frozen)).toEqual(said);
    expect(said).toMatchObject(blocks);
    const config = scratch.write("frozen.yaml", "freezeBase: true\npretrainedEncoder: encoder");
    expect(parseFineTune(fineTuneSettings({ config }), config)).toMatchObject(blocks);
  });

  test("is what it was where the encoder learns, categories help, or something is said of head or training", () => {
    const others: FineTuneInput[] = [
      { pretrainedEncoder: "encoder" },
      { ...frozen, categorical: { columns: ["site"] } },
      { ...frozen, target: { countPrediction: true } },
      { ...frozen, target: { regressorHiddenDims: [16] } },
      { ...frozen, target: { pooling: "codes" } },
      { ...frozen, training: { lr: 0.01 } },
      { ...frozen, training: { optimizer: "adam" } },
    ];
    for (const other of others) {
      const { target, training, bestMetric } = fineTuneConfig(other);
      expect(target.pooling).not.toBe("blocks");
      expect([target.transform, target.huberDelta, bestMetric]).toEqual(["zscore", 1, "target_loss"]);
      expect(training.optimizer).not.toBe("sgd");
    }
  });

  test("takes what is said besides, and Huber's delta with Huber's loss alone", () => {
    const some = fineTuneConfig({ ...frozen, target: { lossType: "mae" }, training: { epochs: 7 } });
    expect(some).toMatchObject({
      target: { pooling: "blocks", huberDelta: 1, lossType: "mae" },
      training: { epochs: 7, optimizer: "sgd" },
    });
    const trained = fineTuneConfig({ ...frozen, target: { pooling: "blocks" }, training: { lr: 0.3 } });
    expect(trained.training).toMatchObject({ optimizer: "sgd", lr: 0.3 });
  });

  test("is said in a sentence, as are other heads and what decides there", () => {
    expect(frozenText(fineTuneConfig(frozen), false)).toBe(
      "Frozen encoder: predicts from blocks (an effect of each ASV, beside codes and sums), by sgd with --lr 1 for 40 epochs, the last one kept, " +
        "with --target-transform auto and --huber-delta 0.25; --target-pooling, --epochs and --best-metric, say, change this.",
    );
    expect(frozenText(fineTuneConfig(frozen), true)).toContain("the last one kept; --target-pooling");
    const other = frozenText(
      fineTuneConfig({ ...frozen, target: { lossType: "mae", pooling: "auto" } }),
      false,
    );
    expect(other).toContain(
      "from codes, by adamw with --lr 0.001 for at most 100 epochs, the best by target_loss kept, with --target-transform zscore and --loss-type mae;",
    );
  });

  test("is said in the help of train beside the usual defaults, which are those of a new run", async () => {
    const help = (await succeed("train", "--help")).replaceAll(/\s+/g, " ");
    for (const text of [
      "default 100; 40 with --freeze-base",
      "default auto; blocks with --freeze-base",
      "default zscore; auto with --freeze-base",
      "default 1; 0.25 with --freeze-base",
      "default target_loss; last with --freeze-base",
      "default adamw; sgd with --freeze-base",
      "default 0.001; 1 with --freeze-base",
      "(set, aam; default set)",
    ])
      expect(help).toContain(text);
  });

  test("is searched with settings of its own", () => {
    expect(defaultSpace(fineTuneConfig(frozen)).join(" ")).toContain("huber-delta=");
    expect(defaultSpace(fineTuneConfig(frozen)).join(" ")).not.toContain("weight-decay");
    expect(defaultSpace(fineTuneConfig({})).join(" ")).toContain("weight-decay");
  });
});
