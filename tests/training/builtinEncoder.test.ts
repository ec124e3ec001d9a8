import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import * as torch from "../../src/torch/index.ts";
import { checkpointOf, openRun } from "../../src/training/run/open.ts";
import { refusal, run, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();
const encoder = () => openRun("builtin", "cpu");

test("builtin is the file that comes with the program, whatever a folder is called", () => {
  mkdirSync(scratch.path("builtin"), { recursive: true });
  expect(checkpointOf("builtin")).toEndWith(join("models", "builtin.safetensors"));
  expect(() => checkpointOf(scratch.path("builtin"))).toThrow(/holds no trained model/);
  const { facts, model } = encoder();
  expect(facts).toMatchObject({
    kind: "pretrain",
    studies: ["oral", "ecam", "crc-udca2", "moving-pictures"],
  });
  expect(readFileSync(checkpointOf("builtin")).toString("latin1")).not.toMatch(/\/(tmp|home|work|root)\//);
  model.dispose();
});

test("it embeds a table without a tree, and its distances follow UniFrac after a few known ones", async () => {
  const study = scratch.path("study");
  await succeed("simulate", "--samples", "60", "--asvs", "200", "--seed", "5", "--output", study);
  const table = join(study, "table.biom");
  const said = await succeed(
    ...["embed", "--model", "builtin", "--table", table, "--rarefy-depth", "none"],
    ...["--output", scratch.path("embeddings.tsv"), "--distances", scratch.path("distances.tsv")],
  );
  expect(said).toContain("The predicted unweighted distances of 60 samples");
  const rows = readFileSync(scratch.path("embeddings.tsv"), "utf8").trim().split("\n");
  expect(rows).toHaveLength(61);
  expect(rows[1]?.split("\t")).toHaveLength(513);
  const figures = await succeed(
    ...["evaluate", "--model", "builtin", "--table", table, "--tree", join(study, "tree.nwk")],
    ...["--rarefy-depth", "none", "--calibrate-on", "20", "--json"],
  );
  const r2 = Number(/"r2":([-\d.e]+)/.exec(figures)?.[1]);
  expect(r2).toBeGreaterThan(0.5);
  expect(await refusal("report", "builtin", "--output", scratch.path("page.html"))).toContain("builtin");
});

test("it tells ASVs of V4 from their reverse complements and from other sequences", async () => {
  const v4 = [
    "TACGGAGGGTGCGAGCGTTAATCGGAATAACTGGGCGTAAAGGGCACGCAGGCGGTGACTTAAGTGAGGTGTGAAAGCCCCGGGCTTAACCTGGGAATTGCATTTCATACTGGGTCGCTAGAGTACTTTAGGGAGGGGTAGAATTCCACG",
    "TACGTAGGTGGCAAGCGTTGTCCGGAATTATTGGGCGTAAAGCGCGCGCAGGCGGATCGGTTAGTCTGTCTTAAAAGTTCGGGGCTTAACCCCGTGATGGGATGGAAACTGCCAATCTAGAGTATCGGAGAGGAAAGTGGAATTCCTAGT",
  ];
  const turned = v4.map((sequence) =>
    [...sequence]
      .reverse()
      .map((base) => ({ A: "T", C: "G", G: "C", T: "A" })[base])
      .join(""),
  );
  const random = new Random(0);
  const strangers = v4.map((sequence) => [...sequence].map(() => "ACGT"[random.integer(4)]).join(""));
  const said = async (name: string, sequences: readonly string[]) => {
    const table = scratch.write(
      `${name}.tsv`,
      ["#OTU ID\ta\tb", ...sequences.map((sequence) => `${sequence}\t5\t7`)].join("\n"),
    );
    const output = scratch.path(`${name}-embeddings.tsv`);
    return (await run("embed", "--model", "builtin", "--table", table, "--output", output)).error;
  };
  const [own, reversed, foreign] = [
    await said("own", v4),
    await said("turned", turned),
    await said("strangers", strangers),
  ];
  expect(own).not.toContain("of 2 ASVs");
  expect(reversed).toContain("2 of 2 ASVs are reverse complements of what the model was trained on");
  expect(foreign).toContain("2 of 2 ASVs have hardly a word of 10 bases in common");
});

test("a training that starts from it takes its shape, knows sequences before the first step, and fits its tree", async () => {
  const study = scratch.path("start");
  await succeed("simulate", "--samples", "40", "--asvs", "150", "--seed", "2", "--output", study);
  const data = [
    "--table",
    join(study, "table.biom"),
    "--tree",
    join(study, "tree.nwk"),
    "--rarefy-depth",
    "none",
  ];
  const trained = async (name: string, ...options: string[]) => {
    const output = scratch.path(name);
    const short = ["--max-steps", "1", "--lr", "1e-9", "--no-plots", "--output", output];
    const said = await succeed("pretrain", ...data, ...short, ...options);
    const summary = JSON.parse(readFileSync(join(output, "summary.json"), "utf8"));
    return { said, r2: summary["val.unifrac_r2"] as number, output };
  };
  const fresh = await trained("fresh", "--code-dim", "64");
  expect(fresh.said).toContain("samples train; with --start-from builtin");
  const started = await trained("started", "--start-from", "builtin");
  expect(started.said).not.toContain("with --start-from builtin");
  expect(started.r2).toBeGreaterThan(0.4);
  const { encoder: own, model } = openRun(started.output, "cpu");
  const { encoder: given, model: builtin } = encoder();
  const name = "asv_encoder.words.weight";
  const wordsOf = (one: typeof own) => one.stateDict().get(name) ?? torch.zeros([1]);
  expect(torch.allclose(wordsOf(own), wordsOf(given), 0, 1e-5)).toBe(true);
  for (const one of [model, builtin]) one.dispose();
  const refused = (...options: string[]) =>
    refusal("pretrain", ...data, "--start-from", "builtin", "--output", scratch.path("no"), ...options);
  expect(await refused("--unifrac-metric", "weighted_normalized")).toContain(
    "builtin was trained on unweighted; give --unifrac-metric unweighted, or leave --start-from out.",
  );
  expect(await refused("--code-dim", "64")).toContain("--code-dim is settled by the encoder in builtin");
});

showsOptions("pretrain", "--start-from");
showsOptions("train.ts", "--start-from");
