/**
 * What the options of `pretrain`, `train`, `train.ts` and `lr-finder` do that are no part of a
 * training's configuration.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hashedFiles, makeStudy, outcomeOf, type Study, weightsOf } from "../../../lab/material/study.ts";
import * as torch from "../../../src/torch/index.ts";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { usePlainPlots } from "../../helpers/plainPlots.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

torch.setNumThreads(1);
usePlainPlots();
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 20);
});

const small = "--encoder aam --embedding-dim 8 --attention-layers 1 --attention-heads 2".split(" ");
const brief = [...small, ..."--batch-size 8 --epochs 1 --no-plots".split(" ")];
/** Where all is the same to the last bit, whatever the machine has. */
const onCpu = ["--device", "cpu"];
/** The least that each command needs to know of its data. */
const data: Record<string, () => string[]> = {
  pretrain: () => [...onCpu, "--dataset", study.folder],
  train: () => [...onCpu, "--dataset", study.folder, "--metadata-column", "depth"],
  "train.ts": () => [...onCpu, "--table", study.table, "--tree", study.tree, "--rarefy-depth", "200"],
};

let folders = 0;
const newFolder = () => scratch.path(`run-${folders++}`);
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

describe.each(Object.keys(data))("%s", (command) => {
  /** A run with these options. */
  const train = async (...options: string[]) => {
    const folder = newFolder();
    const ended = await run(command, ...data[command](), "--output", folder, ...options);
    expect({ command, options, code: ended.code, error: ended.code ? ended.error : "" }).toEqual({
      ...{ command, options, code: 0, error: "" },
    });
    return { folder, ...ended };
  };

  showsOptions(["pretrain", "train", "train.ts"], "--output --output-dir");
  test("--output names the run's folder, --output-dir does so too, and both are one too many", async () => {
    const folder = newFolder();
    expect(await refusal(command, ...data[command]())).toContain("give --output");
    const { code, error } = await run(command, ...data[command](), ...brief, "--output-dir", folder);
    const said = error.split("\n").filter((line) => line !== "" && !line.startsWith("Warning: "));
    expect([code, ...said]).toEqual([0, "--output-dir is now called --output; the old name still works."]);
    expect(existsSync(join(folder, "summary.json"))).toBe(true);
    const both = ["--output", folder, "--output-dir", folder];
    expect(await refusal(command, ...data[command](), ...both)).toContain("are the same");
  });

  showsOptions(["pretrain", "train", "train.ts"], "--config --preset");
  test("--config sets what options do not, --preset what neither does", async () => {
    const file = scratch.write(
      "settings.yaml",
      "model:\n  encoder: aam\n  embeddingDim: 4\n  attentionHeads: 1\n  attentionLayers: 1\n",
    );
    const common = ["--epochs", "1", "--no-plots", "--batch-size", "8", "--config", file];
    const tokens = async (...options: string[]) => {
      const { folder } = await train(...common, ...options);
      const weights = weightsOf(join(folder, "checkpoints/last.safetensors"));
      return weights.entries().find(([name]) => name.endsWith("token_embedding.weight"))![1].length;
    };
    // The vocabulary has 7 tokens by default, and 6 in the original AAM's first state.
    expect(await tokens()).toBe(7 * 4);
    expect(await tokens("--preset", "seed", "--embedding-dim", "6")).toBe(6 * 6);
  });

  showsOptions(["pretrain", "train", "train.ts"], "--resume");
  test("--resume goes on, and without it a run is not overwritten", async () => {
    const more = [...small, "--batch-size", "8", "--epochs", "3", "--no-plots", "--max-steps"];
    const { folder } = await train(...more, "1");
    const options = [...data[command](), "--output", folder, ...more, "2"];
    expect(await refusal(command, ...options)).toContain("--resume");
    await succeed(command, ...options, "--resume");
    expect(readJson(folder, "summary.json").steps).toBe(2);
  });

  showsOptions(["pretrain", "train", "train.ts"], "--threads --deterministic");
  test("--threads and --deterministic decide how many threads compute, and which operators", async () => {
    const threads = ({ folder }: { folder: string }) => readJson(folder, "run.json").environment.threads;
    const two = await train(...brief, "--threads", "2");
    expect([threads(two), two.deterministic]).toEqual([2, false]);
    torch.setNumThreads(2);
    const alone = await train(...brief, "--deterministic");
    expect([threads(alone), alone.deterministic]).toEqual([1, true]);
    torch.setNumThreads(1);
  });

  showsOptions(["pretrain", "train", "train.ts"], "--no-plots");
  test("plots are drawn unless there is --no-plots, which then are not told of", async () => {
    const [drawn, not] = [await train(...brief.slice(0, -1)), await train(...brief)];
    const plots = (folder: string) => readdirSync(join(folder, "plots")).length;
    expect(plots(drawn.folder)).toBeGreaterThan(0);
    expect(plots(not.folder)).toBe(0);
    expect(not.out).not.toContain("unifrac_plot");
  });

  showsOptions(["pretrain", "train", "train.ts"], "--debug-nan");
  test("--debug-nan says where a NaN arose", async () => {
    const wild = [...brief.slice(0, 10), "--epochs", "9", "--no-plots", "--lr", "1e30"];
    const file = scratch.write("wild.json", '{"training":{"maxGradNorm":null,"scheduler":"constant"}}');
    const options = [...data[command](), ...wild, "--config", file, "--output"];
    const place = /the output of \S+ \[.*\] is not finite/;
    expect(await refusal(command, ...options, newFolder(), "--debug-nan")).toMatch(place);
    expect((await run(command, ...options, newFolder())).error).not.toMatch(place);
  });

  showsOptions(["pretrain", "train", "train.ts"], "--quiet --json");
  test("--quiet leaves the result alone, --json makes every line JSON", async () => {
    const [usual, quiet, json] = [
      await train(...brief),
      await train(...brief, "--quiet"),
      await train(...brief, "--json"),
    ];
    for (const text of ["Epoch 1/1", "training on cpu"]) {
      expect(usual.out).toContain(text);
      expect(quiet.out).not.toContain(text);
    }
    for (const { out } of [usual, quiet]) expect(out).toContain("The run is in");
    const events = json.out.trimEnd().split("\n");
    expect(JSON.parse(events.at(-1)!)).toMatchObject({ event: "summary", steps: expect.any(Number) });
    for (const line of events) expect(JSON.parse(line)).toHaveProperty("event");
  });
});

describe("train.ts", () => {
  const outcome = async (options: string[], sources = data["train.ts"]()) => {
    const output = newFolder();
    await succeed("train.ts", ...sources, ...brief, ...options, "--output", output, "--quiet");
    return outcomeOf(output);
  };
  let usual: string;
  beforeAll(async () => {
    usual = await outcome([]);
  });

  test("comes to the same with the same options", async () => {
    expect(await outcome([])).toBe(usual);
  });

  showsOptions(
    "train.ts",
    "--rarefy-depth --unifrac-metric --epochs --max-steps --max-minutes --batch-size --lr --embedding-dim --attention-layers --attention-heads",
  );
  showsOptions("train.ts", "--token-limit --seed");
  test.each([
    ["--rarefy-depth", "100"],
    ["--unifrac-metric", "weighted_normalized"],
    ["--epochs", "2"],
    ["--max-steps", "1"],
    ["--max-minutes", "1e-9"],
    ["--batch-size", "6"],
    ["--lr", "0.1"],
    ["--embedding-dim", "16"],
    ["--attention-layers", "2"],
    ["--attention-heads", "4"],
    ["--token-limit", "4"],
    ["--seed", "7"],
  ])("learns something else with %s %s", async (flag, value) => {
    expect(await outcome([flag, value])).not.toBe(usual);
  });

  showsOptions("train.ts", "--encoder --codes --code-dim --words");
  test("a set encoder is the usual one, and --codes, --code-dim and --words change what it learns", async () => {
    const learned = async (...options: string[]) => {
      const output = newFolder();
      const common = ["--batch-size", "8", "--max-steps", "2", "--no-plots", "--quiet", "--output", output];
      await succeed("train.ts", ...data["train.ts"](), ...common, ...options);
      return { model: readJson(output, "config.json").model, text: outcomeOf(output) };
    };
    const [named, unnamed] = [await learned("--encoder", "set"), await learned()];
    expect(unnamed).toEqual(named);
    expect(named.model).toMatchObject({ encoder: "set", codes: "kmer", pooling: "union" });
    for (const option of [
      ["--codes", "transformer", "--embedding-dim", "8"],
      ["--code-dim", "20"],
      ["--words", "4"],
    ])
      expect((await learned(...option)).text).not.toBe(named.text);
  });

  showsOptions("train.ts", "--table --tree --rep-seqs");
  test("--table, --tree and --rep-seqs say where sequences and distances come from", async () => {
    const { table, sequences } = hashedFiles(study, scratch);
    const sources = [...onCpu, "--table", table, "--rarefy-depth", "200", "--tree"];
    const output = ["--output", newFolder()];
    expect(await refusal("train.ts", ...sources, study.tree, ...brief, ...output)).toContain("--rep-seqs");
    const hashed = await outcome(["--rep-seqs", sequences], [...sources, study.tree]);
    // The same samples, whose ASVs come in another order.
    expect(JSON.parse(hashed).ids).toBe(JSON.parse(usual).ids);
    const star = scratch.write(
      "star.nwk",
      `(${Array.from({ length: study.dataset.asvCount }, (_, i) => `${study.dataset.asvId(i)}:1`)});`,
    );
    expect(
      await outcome([], [...onCpu, "--table", study.table, "--rarefy-depth", "200", "--tree", star]),
    ).not.toBe(usual);
  });
});

describe("lr-finder", () => {
  let searches = 0;
  const search = async (...options: string[]) => {
    const output = scratch.path(`search-${searches++}`);
    const common = [
      ...onCpu,
      "--dataset",
      study.folder,
      ...small,
      "--max-bp",
      "24",
      "--batch-size",
      "8",
      "--steps",
      "10",
    ];
    const ended = await run("lr-finder", ...common, "--output", output, ...options);
    expect({ options, code: ended.code }).toEqual({ options, code: 0 });
    // Parts of the drawing are numbered through all drawings.
    const curve = readFileSync(`${output}.svg`, "utf8").replaceAll(/\bclip\d+/g, "clip");
    return { ...ended, curve, png: existsSync(`${output}.png`) };
  };

  showsOptions("lr-finder", "--from --to --steps --output");
  test("--from, --to and --steps say which rates are tried", async () => {
    const usual = await search("--from", "0.001");
    expect(usual.png).toBe(true);
    expect((await search("--from", "0.001")).curve).toBe(usual.curve);
    for (const option of [
      ["--from", "0.01"],
      ["--from", "0.001", "--to", "0.1"],
      ["--from", "0.001", "--steps", "11"],
    ])
      expect((await search(...option)).curve).not.toBe(usual.curve);
    const downwards = ["--dataset", study.folder, "--output", "x", "--from", "1", "--to", "0.1"];
    expect(await refusal("lr-finder", ...downwards)).toContain("--from 1 is not below --to 0.1");
  });

  showsOptions("lr-finder", "--config --threads --quiet --json");
  test("--config sets the model, --threads the threads; --quiet leaves the result alone, --json is for programs", async () => {
    const usual = await search("--threads", "2");
    expect(usual.threads).toBe(2);
    expect(usual.out).toContain("on cpu, CPU threads: 2");
    const quiet = await search("--threads", "1", "--quiet");
    expect(quiet.threads).toBe(1);
    expect(quiet.out).toMatch(/^(Suggested: --lr|The loss never falls).*\n$/);
    expect(usual.out).toEndWith(quiet.out);
    const json = await search("--json");
    expect(JSON.parse(json.out.trimEnd().split("\n").at(-1)!)).toMatchObject({
      event: "learning_rate",
      steps: 10,
    });
    const wrong = scratch.write("wrong.json", '{"model":{"countEmbeddingMethod":"sum"}}');
    expect(await refusal("lr-finder", "--config", wrong, "--output", "x")).toContain(
      "wrong.json: model.count",
    );
    const counts = scratch.write("counts.json", '{"model":{"countEmbeddingMethod":"film"}}');
    expect((await search("--config", counts)).curve).not.toBe(quiet.curve);
  });

  test("takes files, which it prepares, as well as a data set", async () => {
    // Not what another test has prepared already.
    const files = [...onCpu, "--table", study.table, "--tree", study.tree, "--rarefy-depth", "150"];
    const brief = [...small, "--batch-size", "8", "--steps", "10", "--output", scratch.path("of-files")];
    const printed = await succeed("lr-finder", ...files, ...brief);
    expect(printed).toContain("Preparing: Computing unweighted");
    expect(printed).toContain("20 samples");
  });

  test("refuses what cannot be built before it begins", async () => {
    const heads = [
      "--dataset",
      study.folder,
      "--output",
      "x",
      "--encoder",
      "aam",
      "--embedding-dim",
      "8",
      "--attention-heads",
      "3",
    ];
    expect(await refusal("lr-finder", ...heads)).toContain("3 attention heads do not divide");
  });
});
