import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeStudy } from "../../lab/material/study.ts";
import { Random } from "../../src/common/random/random.ts";
import * as torch from "../../src/torch/index.ts";
import { checkpointOf, openRun } from "../../src/training/run/open.ts";
import { refusal, run, succeed } from "../helpers/commandLine.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();
const encoder = () => openRun("builtin", "cpu");

const v4 = [
  "TACGGAGGGTGCGAGCGTTAATCGGAATAACTGGGCGTAAAGGGCACGCAGGCGGTGACTTAAGTGAGGTGTGAAAGCCCCGGGCTTAACCTGGGAATTGCATTTCATACTGGGTCGCTAGAGTACTTTAGGGAGGGGTAGAATTCCACG",
  "TACGTAGGTGGCAAGCGTTGTCCGGAATTATTGGGCGTAAAGCGCGCGCAGGCGGATCGGTTAGTCTGTCTTAAAAGTTCGGGGCTTAACCCCGTGATGGGATGGAAACTGCCAATCTAGAGTATCGGAGAGGAAAGTGGAATTCCTAGT",
];

test("builtin is the file that comes with the program, whatever a folder is called", () => {
  mkdirSync(scratch.path("builtin"), { recursive: true });
  expect(checkpointOf("builtin")).toEndWith(join("models", "builtin.safetensors"));
  expect(() => checkpointOf(scratch.path("builtin"))).toThrow(/holds no trained model/);
  const { facts, model } = encoder();
  expect(facts).toMatchObject({
    kind: "pretrain",
    studies: ["oral", "ecam", "crc-udca2"],
  });
  expect(readFileSync(checkpointOf("builtin")).toString("latin1")).not.toMatch(/\/(tmp|home|work|root)\//);
  model.dispose();
});

test("where a folder is called builtin, every use of the name says which encoder was taken", async () => {
  const study = await makeStudy(scratch.path("beside"));
  mkdirSync(scratch.path("place/builtin"), { recursive: true });
  const before = process.cwd();
  const note = /Warning: "builtin" is the encoder that comes with the program, not \S+\/place\/builtin; give/;
  const small = "--epochs 1 --nuc-penalty 0 --no-plots --threads 1".split(" ");
  const uses = [
    ["embed", "--model", "builtin", "--output", "embeddings.tsv"],
    ["pretrain", "--start-from", "builtin", "--output", "started", ...small],
    [
      "train",
      "--pretrained-encoder",
      "builtin",
      "--freeze-base",
      "--metadata-column",
      "ph",
      "--output",
      "age",
    ],
    [
      "cross-validate",
      "--encoder",
      "builtin",
      "--predictor",
      "encoder",
      "--metadata-column",
      "depth",
      "--output",
      "cv",
    ],
  ];
  process.chdir(scratch.path("place"));
  try {
    for (const use of uses) {
      const more = use[0] === "train" ? small : use[0] === "cross-validate" ? ["--folds", "2"] : [];
      const { code, out, error } = await run(...use, "--dataset", study.folder, ...more);
      expect([use[0], code, note.test(error)]).toEqual([use[0] ?? "", 0, true]);
      if (use[0] === "train")
        expect(out + error).toContain("Frozen encoder: predicts from blocks (an effect of each ASV,");
    }
  } finally {
    process.chdir(before);
  }
  expect(
    (await run(...(uses[0] ?? []), "--dataset", study.folder, "--output", scratch.path("e.tsv"))).error,
  ).not.toMatch(note);
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

showsOptions("embed", "--tree");
test("embed fits its distances to those of a tree beside the table, as to a data set's", async () => {
  const study = scratch.path("calibrated");
  await succeed("simulate", "--samples", "24", "--asvs", "60", "--seed", "6", "--output", study);
  const [table, tree] = [join(study, "table.biom"), join(study, "tree.nwk")];
  const set = scratch.path("calibrated set");
  await succeed("prep", "--table", table, "--tree", tree, "--rarefy-depth", "none", "--output", set);
  const embed = (name: string, ...args: string[]) => {
    const [output, command] = [scratch.path(name), ["embed", "--model", "builtin", "--threads", "1"]];
    return { output, call: [...command, "--distances", output, ...args] };
  };
  const files = ["--table", table, "--rarefy-depth", "none"];
  const fit = ["--calibrate-on", "12"];
  const written = async ({ output, call }: ReturnType<typeof embed>) => {
    await succeed(...call);
    return readFileSync(output, "utf8");
  };
  const guess = await written(embed("guess.tsv", ...files));
  const ofTree = await written(embed("tree.tsv", ...files, "--tree", tree, ...fit));
  const ofSet = await written(embed("set.tsv", "--dataset", set, ...fit));
  expect(ofTree).toBe(ofSet);
  expect(ofTree).not.toBe(guess);
  expect(await refusal(...embed("no.tsv", ...files, ...fit).call)).toContain("give --tree with the --table");
  expect(await refusal(...embed("no.tsv", ...files, "--tree", tree).call)).toContain(
    "--tree is for --calibrate-on",
  );
});

test("it tells ASVs of V4 from their reverse complements and from other sequences", async () => {
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
  const started = await trained("started", "--start-from", "builtin");
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

/** Samples of a `v4Study` that strangers are in. */
const withStrangers = 5;

/**
 * A table of ASVs as those of V4, with a tree of them all: sequences that differ from two in few bases. So
 * many strangers, which are of no kind, are in the first samples.
 */
function v4Study(name: string, ids: (sample: number) => string, strangers = 0): string[] {
  const random = new Random(3);
  const asvs = Array.from({ length: 40 }, (_, i) => {
    const bases = [...v4[i % 2].slice(0, 120)];
    for (let change = 0; change < 4; change++)
      bases[random.integer(bases.length)] = "ACGT"[random.integer(4)];
    return bases.join("");
  });
  const samples = Array.from({ length: 24 }, (_, sample) => ids(sample));
  const table = [
    ["#OTU ID", ...samples],
    ...asvs.map((asv) => [asv, ...samples.map(() => random.integer(3) * 5)]),
  ];
  for (let i = 0; i < strangers; i++) {
    const asv = Array.from({ length: 120 }, () => "ACGT"[random.integer(4)]).join("");
    asvs.push(asv);
    table.push([asv, ...samples.map((_, sample) => (sample < withStrangers ? 5 : 0))]);
  }
  const ofKind = (kind: number) => asvs.filter((_, i) => i % 2 === kind).map((asv) => `${asv}:0.1`);
  return [
    ...["--table", scratch.write(`${name}.tsv`, table.map((row) => row.join("\t")).join("\n"))],
    ...["--tree", scratch.write(`${name}.nwk`, `((${ofKind(0)}):0.5,(${ofKind(1)}):0.5);`)],
    ...["--rarefy-depth", "none"],
  ];
}

showsOptions(["pretrain", "train.ts"], "--start-from");
test("few samples start from it by themselves: of its kind, in its shape, and none that it was trained on", async () => {
  const startOf = async (name: string, data: readonly string[], ...options: string[]) => {
    const output = scratch.path(name);
    const rest = ["--max-steps", "1", "--no-plots", "--output", output];
    const said = await succeed("pretrain", ...data, ...rest, ...options);
    const { startFrom } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
    return { startFrom, said };
  };
  const data = v4Study("new", (sample) => `sample-${sample}`);
  const auto = await startOf("auto", data);
  expect(auto.startFrom).toBe("builtin");
  expect(auto.said).toContain("so the encoder starts from the built-in one");
  const output = scratch.path("in one command");
  const arguments_ = [...data, "--max-steps", "1", "--no-plots", "--output", output];
  expect(Bun.spawnSync([process.execPath, join(projectRoot, "train.ts"), ...arguments_]).exitCode).toBe(0);
  expect(JSON.parse(readFileSync(join(output, "config.json"), "utf8")).startFrom).toBe("builtin");
  const fresh = async (name: string, files: readonly string[], ...options: string[]) =>
    expect((await startOf(name, files, ...options)).startFrom).toBeNull();
  await fresh("none", data, "--start-from", "none");
  await fresh("shape", data, "--code-dim", "64");
  await fresh("metric", data, "--unifrac-metric", "weighted_normalized");
  const simulated = scratch.path("strangers");
  await succeed("simulate", "--samples", "24", "--asvs", "60", "--seed", "2", "--output", simulated);
  const files = ["--table", join(simulated, "table.biom"), "--tree", join(simulated, "tree.nwk")];
  await fresh("foreign", [...files, "--rarefy-depth", "none"]);
  // Of what kind the sequences are, the training samples tell.
  const mixed = v4Study("mixed", (sample) => `sample-${sample}`, 20);
  const ids = Array.from({ length: 24 }, (_, sample) => `sample-${sample}\n`);
  const [held, train] = [ids.slice(0, withStrangers), ids.slice(withStrangers)].map((part, i) =>
    scratch.write(`mixed-${i}.txt`, part.join("")),
  );
  const known = await startOf("known", mixed, "--train-samples", train, "--val-samples", held);
  expect(known.startFrom).toBe("builtin");
  await fresh("strange", mixed, "--train-samples", held, "--val-samples", train);
});

test("samples that it was trained on are told of, and do not start from it by themselves", async () => {
  // A sample of the oral study.
  const data = v4Study("seen", (sample) => (sample === 0 ? "10317.000003639" : `sample-${sample}`));
  const own = ["--model", "builtin", ...data];
  const judged = await run("evaluate", ...own);
  expect(judged.error).toContain(
    "The model was trained on 1 of these 24 samples, which flatters the figures",
  );
  const ids = Array.from({ length: 24 }, (_, i) => (i === 0 ? "10317.000003639" : `sample-${i}`));
  const split = [
    ...["--val-samples", scratch.write("held-out.txt", ids.slice(0, 5).join("\n"))],
    ...["--train-samples", scratch.write("train.txt", ids.slice(5).join("\n"))],
  ];
  const started = async (name: string, ...options: string[]) => {
    const output = scratch.path(name);
    const rest = [...split, "--max-steps", "1", "--no-plots", "--output", output];
    const { error } = await run("pretrain", ...data, ...rest, ...options);
    return { error, config: JSON.parse(readFileSync(join(output, "config.json"), "utf8")) };
  };
  expect((await started("by-itself")).config.startFrom).toBeNull();
  expect((await started("told", "--start-from", "builtin")).error).toContain(
    "The encoder in builtin was trained on 1 of the 5 validation samples, which flatters the figures",
  );
});
