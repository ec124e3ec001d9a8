/**
 * What the options of the commands that use a trained model do: predict, evaluate, embed,
 * report, rf-baseline, convert.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { parquetReadObjects } from "hyparquet";
import {
  fineTuneStudy,
  hashedFiles,
  makeStudy,
  pretrainStudy,
  type Study,
} from "../../../lab/material/study.ts";
import type { MapData } from "../../../src/display/page/browser/mapData.ts";
import { openQzaBytes } from "../../../src/formats/qza.ts";
import { loadCase, type ModelCase, withPrefix } from "../../../src/reference/parity/caseFile.ts";
import * as torch from "../../../src/torch/index.ts";
import { readRunFacts } from "../../../src/training/run/open.ts";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { usePlainPlots } from "../../helpers/plainPlots.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions, showsRows } from "../../helpers/showsOptions.ts";

torch.setNumThreads(1);
usePlainPlots();
const scratch = useScratch();
let study: Study;
let model: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
  model = scratch.path("run");
  await fineTuneStudy(study, model, {
    categorical: { columns: ["site"] },
    model: { tokenLimit: 4 },
    training: { epochs: 1, lr: 0.03 },
  });
});

const rows = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));

let files = 0;
/** A file that a command writes with `option`. */
async function written(ending: string, args: string[], option = "--output"): Promise<string> {
  const path = scratch.path(`file-${files++}.${ending}`);
  await succeed(...args, option, path);
  return path;
}

const use = (command: string, ...options: string[]) => [
  ...[command, "--model", model, "--quiet", "--threads", "1", "--device", "cpu"],
  ...options,
];
const table = () => ["--table", study.table, "--rarefy-depth", "none"];

test("a model must be named, and another one gives something else", async () => {
  const other = scratch.path("other-run");
  const config = { categorical: { columns: ["site"] }, model: { tokenLimit: 4 } };
  await fineTuneStudy(study, other, { ...config, training: { epochs: 1, seed: 9 } });
  for (const command of ["predict", "embed", "evaluate"]) {
    const options = [command, "--dataset", study.folder, "--quiet"];
    const result = async (from: string) => {
      if (command === "evaluate") return succeed(...options, "--model", from);
      return readFileSync(await written("tsv", [...options, "--model", from]), "utf8");
    };
    expect(await result(other)).not.toBe(await result(model));
    expect(await run(...options, "--output", "x")).toMatchObject({ code: 2 });
  }
});

describe.each(["predict", "embed"])("%s", (command) => {
  const metadata = () => (command === "predict" ? ["--metadata", study.metadata] : []);

  test("--table and --dataset with the same samples come to the same, and one must be given", async () => {
    const [files, dataset] = [
      await written("tsv", use(command, ...table(), ...metadata())),
      await written("tsv", use(command, "--dataset", study.folder)),
    ];
    expect(rows(files)).toEqual(rows(dataset));
    expect(rows(files).length).toBe(study.dataset.sampleCount + 1);
    const output = ["--output", scratch.path("x.tsv")];
    expect(await refusal(...use(command), ...output)).toContain("--table, or with --dataset");
  });

  showsOptions(["predict", "embed"], "--rep-seqs");
  test("--rep-seqs gives hashes their sequences", async () => {
    const { table: hashed, sequences } = hashedFiles(study, scratch);
    const input = ["--table", hashed, "--rarefy-depth", "none", ...metadata()];
    const output = ["--output", scratch.path("x.tsv")];
    expect(await refusal(...use(command, ...input), ...output)).toContain("--rep-seqs");
    expect(rows(await written("tsv", use(command, ...input, "--rep-seqs", sequences))).length).toBe(25);
  });

  test("--samples chooses, --format overrules what a name ends in", async () => {
    const ids = study.dataset.sampleIds.slice(3, 8);
    const chosen = scratch.write("chosen.txt", [...ids, "nobody"].join("\n"));
    const options = ["--dataset", study.folder, "--samples", chosen, "--format", "arrow"];
    const path = scratch.path("chosen.bin");
    const { error } = await run(...use(command, ...options, "--output", path));
    expect(error).toContain("1 ids of");
    expect([...tableFromIPC(readFileSync(path)).getChild("sample_id")!]).toEqual(ids);
  });

  test("--rarefy-depth says how many counts are drawn", async () => {
    const drawn = async (depth: string) =>
      rows(
        await written("tsv", use(command, "--table", study.table, "--rarefy-depth", depth, ...metadata())),
      );
    const [few, more] = [await drawn("20"), await drawn("none")];
    expect(few.map(([id]) => id)).toEqual(more.map(([id]) => id));
    expect(few).not.toEqual(more);
  });

  showsOptions(["predict", "embed"], "--threads");
  test("--threads, --quiet and --json", async () => {
    const options = [command, "--model", model, "--dataset", study.folder, "--output", scratch.path("o.tsv")];
    const usual = await run(...options, "--threads", "2");
    expect([usual.code, usual.threads]).toEqual([0, 2]);
    expect(usual.out).toContain("o.tsv");
    const quiet = await run(...options, "--threads", "1", "--quiet");
    expect([quiet.out, quiet.threads]).toEqual(["", 1]);
    for (const line of (await succeed(...options, "--json")).trimEnd().split("\n"))
      expect(JSON.parse(line)).toHaveProperty("event");
  });
});

describe("predict", () => {
  test("--metadata gives the categories that the model needs", async () => {
    const output = ["--output", scratch.path("x.tsv")];
    expect(await refusal(...use("predict", ...table()), ...output)).toContain("give --metadata");
  });

  showsOptions("predict", "--asv-sampling --prediction-passes --output-variance");
  test("--asv-sampling, --prediction-passes and --output-variance", async () => {
    const predicted = (...options: string[]) =>
      written("tsv", use("predict", "--dataset", study.folder, ...options)).then(rows);
    const first = await predicted();
    const abundance = await predicted("--asv-sampling", "abundance");
    expect(abundance).not.toEqual(first);
    const random = ["--asv-sampling", "random", "--prediction-passes"];
    const [once, often] = [
      await predicted(...random, "1"),
      await predicted(...random, "5", "--output-variance"),
    ];
    expect(often.slice(1).map(([, value]) => value)).not.toEqual(once.slice(1).map(([, value]) => value));
    expect([once[0].length, often[0].length]).toEqual([2, 3]);
    expect(often.slice(1).some(([, , deviation]) => Number(deviation) > 0)).toBe(true);
    const options = ["--dataset", study.folder, "--output", scratch.path("x.tsv"), "--output-variance"];
    expect(await refusal(...use("predict", ...options))).toContain("needs --prediction-passes");
  });

  test("--format and the endings of names: the same numbers in each", async () => {
    const input = use("predict", "--dataset", study.folder);
    const tsv = rows(await written("tsv", input)).slice(1);
    const csv = readFileSync(await written("csv", input), "utf8")
      .trimEnd()
      .split("\n")
      .slice(1);
    expect(csv).toEqual(tsv.map((cells) => cells.join()));
    const bytes = readFileSync(await written("dat", [...input, "--format", "parquet"]));
    const objects = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
    for (const [i, [id, value]] of tsv.entries()) {
      expect(objects[i]["sample_id"]).toBe(id);
      expect(objects[i]["prediction"]).toBeCloseTo(Number(value), 5);
    }
  });
});

test("what can be an artifact of QIIME 2 is one by its ending, and what has no type is refused", async () => {
  const type = (path: string) => openQzaBytes(new Uint8Array(readFileSync(path)), path).type;
  const input = use("predict", "--dataset", study.folder);
  expect(type(await written("qza", input))).toBe("SampleData[RegressorPredictions]");
  const embed = use("embed", "--dataset", study.folder);
  expect(type(await written("qza", embed, "--distances"))).toBe("DistanceMatrix");
  expect(type(await written("qza", embed, "--attention"))).toBe("FeatureTable[RelativeFrequency]");
  const both = [...input, "--output", scratch.path("both.qza"), "--format", "tsv"];
  expect(await refusal(...both)).toContain("both.qza contradict each other");
  for (const option of ["--output", "--asvs", "--positions"]) {
    const path = scratch.path("refused.qza");
    expect(await refusal(...embed, option, path)).toContain("QIIME 2 has no type for");
    expect(existsSync(path)).toBe(false);
  }
});

test("--taxonomy names ASVs where there is a table of them", async () => {
  const ids = study.dataset.asvIds();
  const lineages = ids.map((id, i) => `${id}\td__Bacteria; p__P; g__Genus${i}\n`).slice(1);
  const taxonomy = ["--taxonomy", scratch.write("taxonomy.tsv", lineages.join(""))];
  const embed = use("embed", "--dataset", study.folder);
  for (const option of ["--attention", "--asvs", "--positions"]) {
    const [header, ...body] = rows(await written("tsv", [...embed, ...taxonomy], option));
    const [asv, taxon] = [header.indexOf("asv_id"), header.indexOf("taxon")];
    expect(taxon).toBe(asv + 1);
    expect(new Set(body.map((cells) => cells[taxon])).size).toBeGreaterThan(3);
    for (const cells of body) {
      const at = ids.indexOf(cells[asv]);
      expect(cells[taxon]).toBe(at === 0 ? "" : `Genus${at}`);
    }
  }
  const predict = use("predict", "--dataset", study.folder, "--output", scratch.path("p.tsv"));
  const attention = scratch.path("attention.tsv");
  await succeed(...predict, "--attention", attention, ...taxonomy);
  expect(rows(attention)[0]).toEqual(["sample_id", "asv_id", "taxon", "count", "weight"]);
  const other = ["--taxonomy", scratch.write("other.tsv", "x\td__Bacteria; p__P\n")];
  expect(await refusal(...predict, "--attention", attention, ...other)).toContain("has none of the");
  expect(await refusal(...predict, ...taxonomy)).toContain("--taxonomy names the ASVs of --attention");
  const output = ["--output", scratch.path("e.tsv")];
  expect(await refusal(...embed, ...output, ...taxonomy)).toContain("--taxonomy names ASVs; give");
});

describe("predict --contributions", () => {
  let codes: string;
  beforeAll(async () => {
    codes = scratch.path("codes");
    await fineTuneStudy(study, codes, {
      model: { encoder: "set", codeDim: 8, wordDim: 8 },
      training: { epochs: 3, nucPenalty: 0, lr: 0.03 },
    });
  });
  const given = (from: string, ...options: string[]) => [
    ...["predict", "--model", from, "--quiet", "--threads", "1", "--device", "cpu"],
    ...["--output", scratch.path("predicted.tsv"), ...options],
  ];
  const predicted = () => new Map(rows(scratch.path("predicted.tsv")).slice(1) as [string, string][]);

  showsOptions("predict", "--contributions");
  test("writes rows that add up to each prediction, with names, of files as of a data set", async () => {
    const ids = study.dataset.asvIds();
    const taxonomy = scratch.write(
      "genera.tsv",
      ids.map((id, i) => `${id}\td__Bacteria; p__P; g__Genus${i}\n`).join(""),
    );
    const dataset = given(codes, "--dataset", study.folder, "--taxonomy", taxonomy);
    const [header, ...body] = rows(await written("tsv", dataset, "--contributions"));
    expect(header).toEqual(["sample_id", "asv_id", "taxon", "count", "contribution"]);
    const sums = new Map<string, number>();
    for (const [id, asv, taxon, count, value] of body) {
      sums.set(id, (sums.get(id) ?? 0) + Number(value));
      const sample = study.dataset.sample(study.dataset.sampleIndex(id));
      const row = ids.indexOf(asv);
      if (asv === "(base)") expect([taxon, count]).toEqual(["", ""]);
      else
        expect([taxon, Number(count)]).toEqual([`Genus${row}`, sample.counts[sample.asvs.indexOf(row)] ?? 0]);
    }
    expect(sums.size).toBe(study.dataset.sampleCount);
    for (const [id, value] of predicted()) expect(sums.get(id)).toBeCloseTo(Number(value), 3);
    const checkpoint = join(codes, "checkpoints/best.safetensors");
    const files = given(checkpoint, ...table(), "--taxonomy", taxonomy);
    const other = rows(await written("tsv", files, "--contributions")).slice(1);
    const plain = (all: string[][]) => all.map((cells) => cells.slice(0, 3).join(" ")).sort();
    expect(plain(other)).toEqual(plain(body));
  });

  test("has rows for each class, and no artifact; without the run's folder nothing is written", async () => {
    const sites = scratch.path("sites");
    await fineTuneStudy(study, sites, { target: { metadataColumn: ["site"] }, training: { epochs: 1 } });
    const input = given(sites, "--dataset", study.folder);
    const [header, ...body] = rows(await written("csv", input, "--contributions")).map((cells) =>
      cells[0].split(","),
    );
    expect(header).toEqual(["sample_id", "class", "asv_id", "count", "contribution"]);
    const [predictions, ...shares] = rows(scratch.path("predicted.tsv"));
    for (const [id, , ...own] of shares)
      own.forEach((share, c) => {
        const name = predictions[c + 2].slice(2);
        const some = body.filter((cells) => cells[0] === id && cells[1] === name);
        expect(some.reduce((sum, cells) => sum + Number(cells[4]), 0)).toBeCloseTo(Number(share), 3);
      });
    const path = scratch.path("contributions.qza");
    expect(await refusal(...input, "--contributions", path)).toContain(
      "QIIME 2 has no type for contributions",
    );
    const alone = scratch.path("alone.safetensors");
    cpSync(join(codes, "checkpoints/best.safetensors"), alone);
    const output = scratch.path("nothing.tsv");
    const refused = ["predict", "--model", alone, "--dataset", study.folder, "--output", output];
    expect(await refusal(...refused, "--contributions", scratch.path("c.tsv"))).toContain(
      "train_asvs.tsv is missing",
    );
    expect([existsSync(output), existsSync(path)]).toEqual([false, false]);
  });

  test("is what a model gives that adds ASVs up, instead of --attention, which is refused before any work", async () => {
    const output = scratch.path("no-attention.tsv");
    const input = ["predict", "--model", codes, "--dataset", study.folder, "--output", output];
    expect(await refusal(...input, "--attention", scratch.path("a.tsv"))).toContain(
      "this model adds ASVs up, which does not weigh ASVs one by one; leave it out, or give --contributions.",
    );
    expect(existsSync(output)).toBe(false);
  });
});

showsOptions("predict", "--probabilities");
test("--probabilities writes each class's share, which numbers have not", async () => {
  const output = ["--output", scratch.path("x.tsv")];
  const input = use(
    "predict",
    "--dataset",
    study.folder,
    ...output,
    "--probabilities",
    scratch.path("p.tsv"),
  );
  expect(await refusal(...input)).toContain("which have none");
  const classifier = scratch.path("classifier");
  await fineTuneStudy(study, classifier, {
    target: { metadataColumn: ["site"], classifier: true },
    training: { epochs: 1 },
  });
  const usual = ["predict", "--model", classifier, "--quiet", "--dataset", study.folder, ...output];
  const shares = rows(await written("tsv", usual, "--probabilities"));
  expect(shares[0][0]).toBe("SampleID");
  for (const [, ...values] of shares.slice(1))
    expect(values.reduce((sum, value) => sum + Number(value), 0)).toBeCloseTo(1, 5);
  const path = await written("qza", usual, "--probabilities");
  expect(openQzaBytes(new Uint8Array(readFileSync(path)), path).type).toBe("SampleData[Probabilities]");
});

describe("embed", () => {
  showsOptions("embed", "--positions");
  test("--asvs, --attention, --positions and --distances write what they are called, and one must be named", async () => {
    const input = use("embed", "--dataset", study.folder);
    expect(await refusal(...input)).toContain("Nothing to write is named");
    const [asvs, attention, positions, distances] = [
      rows(await written("tsv", input, "--asvs")),
      rows(await written("tsv", input, "--attention")),
      rows(await written("tsv", input, "--positions")),
      rows(await written("tsv", input, "--distances")),
    ];
    expect(asvs.length).toBe(study.dataset.asvCount + 1);
    expect(asvs[1].slice(1).map(Number).every(Number.isFinite)).toBe(true);
    const sums = new Map<string, number>();
    for (const [id, , , weight] of attention.slice(1)) sums.set(id, (sums.get(id) ?? 0) + Number(weight));
    expect(sums.size).toBe(study.dataset.sampleCount);
    for (const sum of sums.values()) expect(sum).toBeCloseTo(1, 4);
    expect(positions[0].slice(0, 3)).toEqual(["asv_id", "start", "1"]);
    expect(distances[0].slice(1)).toEqual([...study.dataset.sampleIds]);
    expect(Number(distances[1][2])).toBeGreaterThan(0);
  });
});

describe("evaluate", () => {
  const input = () => use("evaluate", ...table(), "--metadata", study.metadata);

  showsOptions("evaluate", "--tree");
  test("--metadata judges predictions, --tree distances, and one of them must be known", async () => {
    const without = use("evaluate", ...table());
    expect(await refusal(...without)).toContain("give --metadata");
    const [targets, both] = [await succeed(...input()), await succeed(...input(), "--tree", study.tree)];
    expect(targets).not.toContain("unifrac");
    expect(both).toContain("unifrac\n");
    expect(both).toStartWith(targets.trimEnd());
  });

  showsOptions("evaluate", "--rep-seqs");
  test("--samples, --rarefy-depth and --rep-seqs change what is judged", async () => {
    const usual = await succeed(...input());
    const chosen = scratch.write("few.txt", study.dataset.sampleIds.slice(0, 9).join("\n"));
    const { table: hashed, sequences } = hashedFiles(study, scratch);
    const hashes = ["--table", hashed, "--metadata", study.metadata];
    for (const other of [
      [...input(), "--samples", chosen],
      use("evaluate", "--table", study.table, "--rarefy-depth", "20", "--metadata", study.metadata),
    ])
      expect(await succeed(...other)).not.toBe(usual);
    expect(await refusal(...use("evaluate", ...hashes))).toContain("--rep-seqs");
    expect(await succeed(...use("evaluate", ...hashes, "--rep-seqs", sequences))).toContain("mae");
    expect(await succeed(...use("evaluate", "--dataset", study.folder))).toContain(usual.trimEnd());
  });

  test("--output keeps figures, predictions and plots; without it nothing is left behind", async () => {
    const usual = process.env["TMPDIR"];
    process.env["TMPDIR"] = scratch.path(".");
    const before = readdirSync(scratch.path("."));
    await succeed(...input());
    expect(readdirSync(scratch.path("."))).toEqual(before);
    expect(existsSync(".aam-cache")).toBe(false);
    if (usual === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = usual;
    const output = scratch.path("evaluation");
    await succeed(...input(), "--output", output);
    for (const name of ["metrics.json", "predictions.tsv"]) expect(existsSync(join(output, name))).toBe(true);
  });

  showsOptions("evaluate", "--threads");
  test("figures come without progress with --quiet, as JSON with --json, from --threads threads", async () => {
    const options = ["evaluate", "--model", model, ...table(), "--metadata", study.metadata];
    const usual = await run(...options, "--threads", "2");
    expect([usual.code, usual.threads]).toEqual([0, 2]);
    const quiet = await run(...options, "--threads", "1", "--quiet");
    expect(quiet.threads).toBe(1);
    expect(usual.out).toContain("Preparing");
    expect(quiet.out).toStartWith("targets\n");
    const json = (await succeed(...options, "--json")).trimEnd().split("\n");
    expect(JSON.parse(json.at(-1)!)).toMatchObject({
      event: "metrics",
      figures: { mae: expect.any(Number) },
    });
  });
});

showsOptions("report", "--output --no-baselines --colour --metadata --quiet");
test("report: --output, --no-baselines, --colour, --metadata and --quiet", async () => {
  const output = scratch.path("page.html");
  const page = async (...options: string[]) => {
    const printed = await succeed("report", model, "--output", output, ...options);
    return { printed, text: readFileSync(output, "utf8") };
  };
  const bare = await page("--no-baselines", "--colour", "plot", "--quiet");
  expect(bare.printed).toBe("");
  expect(bare.text).not.toContain("Nearest neighbours");
  const usual = await page();
  expect(usual.printed).toContain(`The report is ${output}`);
  expect(usual.text).toContain("Nearest neighbours");
  const columnsOf = (text: string) => {
    const json = /id="map-data">(.*?)<\/script>/.exec(text)?.[1] ?? "";
    const { columns, colour } = JSON.parse(json) as MapData;
    const names = columns.map(({ name }) => name);
    return { first: names[colour], names };
  };
  expect(columnsOf(bare.text).first).toBe("plot");
  expect(columnsOf(usual.text).first).toBe("depth");
  expect(columnsOf(usual.text).names).toContain("training or validation");
  expect(columnsOf(usual.text).names).not.toContain("batch");
  const ids = study.dataset.sampleIds;
  const batches = ids.map((id, i) => `${id}\tb${i % 3}`).join("\n");
  const metadata = scratch.write("batches.tsv", `sample-id\tbatch\n${batches}\n`);
  const more = await page("--no-baselines", "--metadata", metadata, "--colour", "batch");
  expect(columnsOf(more.text)).toMatchObject({
    first: "batch",
    names: expect.arrayContaining(["batch", "plot"]),
  });
  expect(existsSync(join(model, "report.html"))).toBe(false);
  const wrong = ["report", model, "--colour", "nothing", "--output", output];
  expect(await refusal(...wrong)).toContain('"nothing"');
  expect(await refusal(...wrong, "--metadata", metadata)).toContain("they have batch, ");
  const foreign = scratch.write("foreign.tsv", "sample-id\tbatch\nsomebody\tb0\n");
  expect(await refusal("report", model, "--metadata", foreign)).toContain("no sample id in common");
});

showsOptions("report", "--taxonomy --no-reasons");
test("report: the ASVs that carry predictions of held-out samples, with names by --taxonomy", async () => {
  const output = scratch.path("asvs.html");
  const tableOf = async (...options: string[]) => {
    await succeed("report", model, "--no-baselines", "--quiet", "--output", output, ...options);
    const text = readFileSync(output, "utf8");
    return { text, rows: JSON.parse(/id="asv-data">(.*?)<\/script>/.exec(text)![1]).rows as unknown[][] };
  };
  const usual = await tableOf();
  expect(usual.text).toContain("ASVs that carry depth");
  const ids = study.dataset.asvIds();
  const sizes = usual.rows.map(([id, importance]) => {
    expect(ids).toContain(id as string);
    return importance as number;
  });
  expect(sizes.length).toBeGreaterThan(3);
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  expect(usual.rows.some(([, , effect]) => effect !== null && effect !== 0)).toBe(true);
  const taxonomy = scratch.write(
    "genera.tsv",
    ids.map((id, i) => `${id}\td__Bacteria; p__P; g__Genus${i}\n`).join(""),
  );
  const named = await tableOf("--taxonomy", taxonomy);
  expect(named.rows.map(([id, , ...rest]) => [id, ...rest])).toEqual(usual.rows);
  for (const [id, name] of named.rows) expect(name).toBe(`Genus${ids.indexOf(id as string)}`);
  const without = ["report", model, "--no-baselines", "--no-reasons", "--output", output];
  expect(await succeed(...without)).not.toContain("what each ASV adds");
  expect(readFileSync(output, "utf8")).not.toContain("ASVs that carry depth");
  expect(await succeed("report", model, "--no-baselines", "--output", output)).toContain(
    "what each ASV adds to the predictions of the ",
  );
  expect(await refusal(...without, "--taxonomy", taxonomy)).toContain("--no-reasons leaves out");
  const encoder = scratch.path("encoder-to-report");
  await pretrainStudy(study, encoder, { training: { epochs: 1 } });
  expect(await refusal("report", encoder, "--taxonomy", taxonomy)).toContain("predicts nothing");
});

describe("rf-baseline", () => {
  let common: string[];
  let outputs = 0;
  const output = () => scratch.path(`forest-${outputs++}.tsv`);
  beforeAll(() => {
    const ids = study.dataset.sampleIds;
    const [train, validation] = [ids.slice(0, 16), ids.slice(16)].map((part, i) =>
      scratch.write(`half-${i}.txt`, part.join("\n")),
    );
    common = [
      "rf-baseline",
      "--metadata",
      study.metadata,
      "--train-samples",
      train,
      "--val-samples",
      validation,
    ];
  });

  test("every option for files changes what is predicted", async () => {
    const predicted = async (...options: string[]) => {
      const path = output();
      // A file is given once: another one takes its place.
      const at = common.indexOf(options[0]);
      const given = at < 0 ? [...common, ...options] : common.with(at + 1, options[1]);
      await succeed(
        ...given,
        "--table",
        study.table,
        "--output",
        path,
        "--n-estimators",
        "5",
        ...(options[0] === "--metadata-column" ? [] : ["--metadata-column", "depth"]),
      );
      return rows(path);
    };
    const usual = await predicted();
    const fewer = scratch.write("fewer.txt", study.dataset.sampleIds.slice(20).join("\n"));
    const other = scratch.write("other.txt", study.dataset.sampleIds.slice(0, 12).join("\n"));
    for (const option of [
      ["--metadata-column", "ph"],
      ["--random-seed", "7"],
      ["--train-samples", other],
      ["--val-samples", fewer],
    ])
      expect({ option, same: Bun.deepEquals(await predicted(...option), usual) }).toEqual({
        option,
        same: false,
      });
  });

  showsOptions("rf-baseline", "--rep-seqs");
  test("--rep-seqs gives hashes their sequences; each file must be given", async () => {
    const { table: hashed, sequences } = hashedFiles(study, scratch);
    const options = [...common, "--metadata-column", "depth", "--n-estimators", "5", "--table", hashed];
    expect(await refusal(...options)).toContain("--output is missing");
    expect(await refusal(...options, "--output", output())).toContain("--rep-seqs");
    await succeed(...options, "--output", output(), "--rep-seqs", sequences);
    expect(await refusal("rf-baseline", "--table", hashed)).toContain("--metadata is missing");
  });

  showsOptions("rf-baseline", "--run");
  test("--run has all of these; --quiet leaves the figures alone, --json is for programs", async () => {
    const options = ["rf-baseline", "--run", model, "--n-estimators", "5"];
    const [usual, quiet] = [await succeed(...options), await succeed(...options, "--quiet")];
    expect(quiet).toStartWith("Random forest");
    expect(usual).toContain(quiet);
    expect(usual).toContain(join(model, "baselines"));
    const json = (await succeed(...options, "--json")).trimEnd().split("\n");
    expect(json.map((line) => JSON.parse(line).event)).toEqual(Array(4).fill("baseline"));
    expect(await refusal(...options, "--random-seed", "1")).toContain("--run has its own");
  });

  test("--n-estimators and --max-features change the forest, which is the same without a change", async () => {
    const forest = async (...options: string[]) => {
      await succeed("rf-baseline", "--run", model, "--n-estimators", "5", ...options);
      return readFileSync(join(model, "baselines/random-forest.tsv"), "utf8");
    };
    const usual = await forest();
    expect(await forest()).toBe(usual);
    expect(await forest("--n-estimators", "6")).not.toBe(usual);
    expect(await forest("--max-features", "all")).not.toBe(usual);
  });
});

describe("convert", () => {
  const fixtures = join(import.meta.dir, "../../fixtures");
  const checkpoints = join(fixtures, "checkpoints");
  const [encoder, predictor] = ["bare_encoder.pt", "trainer_predictor.pt"].map((name) =>
    join(checkpoints, name),
  );
  const converted = async (input: string, ...options: string[]) => {
    const path = await written("safetensors", ["convert", "--input", input, ...options]);
    return readRunFacts(path);
  };

  showsOptions("convert", "--heads --activation --config");
  test("--heads, --activation and --config tell what weights do not", async () => {
    const { model: usual } = (await converted(encoder)).config;
    expect([usual.attentionHeads, usual.activation]).toEqual([4, "gelu"]);
    expect((await converted(encoder, "--heads", "2")).config.model.attentionHeads).toBe(2);
    expect((await converted(encoder, "--activation", "relu")).config.model.activation).toBe("relu");
    const file = scratch.write("arguments.json", '{"attention_heads": 1}');
    expect((await converted(encoder, "--config", file)).config.model.attentionHeads).toBe(1);
  });

  showsOptions("convert", "--targets --classes --output");
  test("--targets and --classes give names, and are refused where there is nothing to name", async () => {
    const { config } = await converted(predictor, "--targets", "age");
    expect(config).toMatchObject({ target: { metadataColumn: ["age"] } });
    const { description, tensors } = loadCase(join(fixtures, "parity/predictor-classes"));
    const state = withPrefix(tensors, "weights/");
    const classifier = scratch.path("classifier.pt");
    torch.savePickle(classifier, {
      model_state_dict: state,
      config: (description as ModelCase).config as torch.PickleInput,
    });
    expect(await converted(classifier)).toMatchObject({ targets: { classes: ["0", "1", "2"] } });
    const named = await converted(classifier, "--classes", "x,y,z", "--targets", "site");
    expect(named).toMatchObject({ targets: { column: "site", classes: ["x", "y", "z"] } });
    const to = ["--output", scratch.path("x.safetensors")];
    expect(await refusal("convert", predictor, ...to, "--classes", "a,b")).toContain("predicts numbers");
    expect(await refusal("convert", encoder, ...to, "--targets", "age")).toContain("is an encoder");
    expect(existsSync(to[1])).toBe(false);
  });

  showsOptions("convert", "--bare --input");
  test("--bare writes a state dict alone; options of the other way are refused", async () => {
    const encoderRun = scratch.path("encoder");
    await pretrainStudy(study, encoderRun, { training: { maxSteps: 1 } });
    const content = async (...options: string[]) =>
      torch.loadPickle(await written("pt", ["convert", encoderRun, ...options])) as Map<string, unknown>;
    expect((await content()).has("model_state_dict")).toBe(true);
    const bare = await content("--bare");
    expect(bare.has("model_state_dict")).toBe(false);
    expect(bare.size).toBeGreaterThan(10);
    const other = ["convert", encoderRun, scratch.path("x.pt"), "--heads", "2"];
    expect(await refusal(...other)).toContain("--heads has no effect");
    expect(await refusal("convert", encoder, scratch.path("x.safetensors"), "--bare")).toContain(
      "--bare has no effect",
    );
    expect(await refusal("convert", encoder, "--input", encoder)).toContain("given twice");
  });
});

/** Commands that compute on a device, with what else they need. */
const onDevices = {
  prep: "--table {table} --tree {tree} --output {out}",
  unifrac: "--table {table} --tree {tree} --output {out}.npy",
  pretrain: "--dataset {set} --output {out}",
  train: "--dataset {set} --metadata-column ph --output {out}",
  "train.ts": "--table {table} --tree {tree} --output {out}",
  "lr-finder": "--dataset {set} --output {out}",
  predict: "--model {model} --dataset {set} --output {out}.tsv",
  embed: "--model {model} --dataset {set} --output {out}.tsv",
  evaluate: "--model {model} --dataset {set}",
  report: "{model}",
  parity: "--cases tests/fixtures/parity",
  "bench step": "",
  "bench train": "",
  "bench predict": "",
  "bench scaling": "",
  "bench ops": "",
  "bench encoder": "",
  "bench unifrac": "",
};
for (const command of Object.keys(onDevices)) showsRows(command, [["--device"]]);
test.skipIf(torch.isCudaAvailable()).each(Object.entries(onDevices))(
  "%s refuses --device cuda in one sentence where there is no GPU",
  async (command, line) => {
    const { table, tree, folder: set } = study;
    const files: Record<string, string> = { table, tree, set, model, out: scratch.path("on-gpu") };
    const words = `${command} ${line}`.trim().split(" ");
    const args = words.map((word) => word.replace(/\{(\w+)\}/, (_, name) => files[name]));
    expect(await refusal(...args, "--device", "cuda")).toContain("no CUDA device");
  },
);
