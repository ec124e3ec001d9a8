/**
 * Every option of every command has a test that would fail if the option did nothing. For a
 * new option, do one of two:
 *
 * - add a row to tests/helpers/optionRows.ts, which runs: what the command says and writes with the option is
 *   compared with what it does without;
 * - or write the test where it belongs, and say so in the line before it:
 *   `showsOptions("prep", "--tree --metric")`. A test that runs a table of options with and without each says
 *   `showsRows`; an option that sets a place of the configuration is a row of tests/helpers/optionEffects.ts.
 *
 * The last test here takes all options from the commands' definitions and fails for one without either.
 */
import { beforeAll, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, type Option } from "commander";
import type { z } from "zod";
import { labCommands } from "../../lab/commands.ts";
import {
  fineTuneStudy,
  hashedFiles,
  outcomeOf as learnedBy,
  makeStudy,
  pretrainStudy,
  smallModel,
} from "../../lab/material/study.ts";
import { lrFinderOptions } from "../../src/cli/commands/lrFinder.ts";
import { trainOptions } from "../../src/cli/commands/train.ts";
import { commands } from "../../src/cli/main.ts";
import {
  addSchemaOptions,
  configOf,
  type SchemaOption,
  valueAt,
} from "../../src/cli/options/schemaOptions.ts";
import { firstRunOptions, pretrainOptions } from "../../src/cli/options/trainingOptions.ts";
import { readTable } from "../../src/data/table/read.ts";
import { loadCase, type ModelCase, withPrefix } from "../../src/reference/parity/caseFile.ts";
import * as torch from "../../src/torch/index.ts";
import { fineTuneSchema, pretrainSchema } from "../../src/training/config/config.ts";
import { makeCommand, run, succeed } from "../helpers/commandLine.ts";
import { optionRows } from "../helpers/optionRows.ts";
import { projectFiles, projectRoot, readProjectText } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();

/** A program that does as Python and draws one case: `of`, or `other` where it is told a seed or a number. */
function makePython(name: string, of: string, other: string): string {
  const draw = `case "$*" in *"--seed 0 --models 40"*) from="${of}";; *) from="${other}";; esac`;
  const copy = 'mkdir -p "$2/drawn" && cp -r "$from" "$2/drawn/float32"';
  const path = scratch.write(name, `#!/bin/sh\n${draw}\n${copy}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The files that the rows name. */
async function makeMaterial(): Promise<Record<string, string>> {
  const study = await makeStudy(scratch.path("study"), 12);
  const { table, tree, metadata, folder, dataset } = study;
  const { sampleIds } = dataset;
  const asvs = (await readTable(table)).asvIds;
  const lines = readFileSync(metadata, "utf8").trimEnd().split("\n");
  const taxonomy = (phylum: (row: number) => string) =>
    `Feature ID\tTaxon\n${asvs.map((id, row) => `${id}\tk__Bacteria; p__${phylum(row)}\n`).join("")}`;
  const list = (name: string, ids: readonly string[]) => scratch.write(`material-${name}`, ids.join("\n"));
  const made = (name: string) => scratch.path(`material-${name}`);
  const hashed = hashedFiles(study, scratch);
  const parity = join(projectRoot, "tests/fixtures/parity");
  const checkpoints = join(projectRoot, "tests/fixtures/checkpoints");
  const material = {
    table,
    tree,
    metadata,
    dataset: folder,
    // Each sample has its successor's values.
    otherMetadata: scratch.write(
      "material-other.tsv",
      `${lines.map((line, i) => (i === 0 ? line : [line.split("\t")[0], ...(lines[i + 1] ?? lines[1]).split("\t").slice(1)].join("\t"))).join("\n")}\n`,
    ),
    taxonomy: scratch.write(
      "material-taxonomy.tsv",
      taxonomy((row) => (row % 2 ? "Firmicutes" : "Bacteroidota")),
    ),
    otherTaxonomy: scratch.write(
      "material-taxa.tsv",
      taxonomy((row) => (row % 3 ? "Firmicutes" : "Chloroflexota")),
    ),
    samples: list("samples.txt", sampleIds.slice(0, 7)),
    fewSamples: list("few-samples.txt", sampleIds.slice(0, 6)),
    others: list("others.txt", sampleIds.slice(7)),
    fewOthers: list("few-others.txt", sampleIds.slice(8)),
    asvs: list("asvs.txt", asvs.slice(0, 15)),
    otherTree: scratch.write("material-other.nwk", readFileSync(tree, "utf8").replace(/:[\d.e-]+/, ":7")),
    unrooted: scratch.write("material-unrooted.nwk", `[&U] ${readFileSync(tree, "utf8")}`),
    otherTable: made("other.biom"),
    unevenTable: made("uneven.tsv"),
    distances: made("distances.tsv"),
    weighted: made("weighted.tsv"),
    rotated: made("rotated.tsv"),
    encoder: made("encoder"),
    square: made("square.npy"),
    fewDistances: made("few.tsv"),
    order: list("order.txt", sampleIds.toReversed()),
    hashed: hashed.table,
    sequences: hashed.sequences,
    settings: scratch.write("material-settings.yaml", "training: { maxGradNorm: 1e-4, optimizer: sgd }"),
    batches: scratch.write(
      "material-batches.tsv",
      `sample-id\tbatch\n${sampleIds.map((id, i) => `${id}\tb${i % 3}\n`).join("")}`,
    ),
    bareEncoder: join(checkpoints, "bare_encoder.pt"),
    predictor: join(checkpoints, "trainer_predictor.pt"),
    oneHead: scratch.write("material-head.json", '{"attention_heads": 1}'),
    parityCase: join(parity, "encoder-count-add"),
    parityCases: made("cases"),
    shortRun: made("short-run"),
    classes: made("classes"),
    categorical: made("categorical"),
    run: made("run"),
    otherRun: made("other-run"),
    wild: scratch.write(
      "material-wild.json",
      '{"training":{"lr":1e30,"maxGradNorm":null,"scheduler":"constant","epochs":9,"maxSteps":9}}',
    ),
    "classes-settings": scratch.write("material-classes.json", '{"target":{"classifier":true}}'),
    folds: made("folds"),
    fewTable: made("few.biom"),
    oldTable: made("old.biom"),
    part: made("part.h5"),
    classifier: made("classifier.pt"),
    python: makePython("python", join(parity, "encoder-count-add"), join(parity, "encoder-count-film")),
    otherPython: makePython("other", join(parity, "encoder-count-film"), join(parity, "encoder-count-add")),
  };
  await succeed("table", "filter", "--table", table, "--min-count", "20", "--output", material.otherTable);
  await succeed("table", "filter", "--table", table, "--min-count", "60", "--output", material.unevenTable);
  const inputs = ["--table", table, "--tree", tree];
  await succeed("unifrac", ...inputs, "--output", material.distances);
  await succeed("unifrac", ...inputs, "--output", material.square);
  const ofFew = ["--table", table, "--samples", material.samples, "--output", material.fewTable];
  await succeed("table", "filter", ...ofFew);
  await succeed(
    "table",
    "filter",
    "--table",
    table,
    "--samples",
    material.others,
    "--output",
    material.oldTable,
  );
  await succeed("unifrac", "--table", material.fewTable, "--tree", tree, "--output", material.fewDistances);
  await succeed("unifrac", ...inputs, "--rows", "0:12", "--output", material.part);
  cpSync(material.parityCase, join(material.parityCases, "one"), { recursive: true });
  const { description, tensors } = loadCase(join(parity, "predictor-classes"));
  torch.savePickle(material.classifier, {
    model_state_dict: withPrefix(tensors, "weights/"),
    config: (description as ModelCase).config as torch.PickleInput,
  });
  const predictor = "--metadata-column depth --predictor ridge --folds 3 --inner-folds 2".split(" ");
  await succeed("cross-validate", "--dataset", folder, ...predictor, "--output", material.folds);
  await succeed("unifrac", ...inputs, "--metric", "weighted_normalized", "--output", material.weighted);
  const rows = readFileSync(material.weighted, "utf8").trimEnd().split("\n");
  const ids = rows[0].split("\t").slice(1);
  const moved = [...ids.slice(5), ...ids.slice(0, 5)];
  const body = rows.slice(1).map((row, i) => [moved[i], ...row.split("\t").slice(1)].join("\t"));
  writeFileSync(material.rotated, `${[["", ...moved].join("\t"), ...body].join("\n")}\n`);
  const model = { ...smallModel, encoder: "aam" } as const;
  const training = { epochs: 1 };
  await pretrainStudy(study, material.encoder, { model, training });
  const target = { metadataColumn: ["depth"] };
  await fineTuneStudy(study, material.run, { model, training, target });
  const short = { ...model, tokenLimit: 4, asvSampling: "abundance" } as const;
  await fineTuneStudy(study, material.shortRun, { model: short, training, target });
  await fineTuneStudy(study, material.classes, { model, training, target: { metadataColumn: ["site"] } });
  const categories = { columns: ["site"] };
  await fineTuneStudy(study, material.categorical, { model, training, target, categorical: categories });
  await fineTuneStudy(study, material.otherRun, { model, training: { epochs: 2 }, target });
  return material;
}

let material: Record<string, string>;
beforeAll(async () => {
  material = await makeMaterial();
});

/**
 * What a command said and wrote, without paths and times, which are others each time, and without what a
 * manifest says of the options themselves. `{begun:run}` is a copy of this material, in which the command
 * goes on. `ends` is the exit code that must come of it.
 */
async function outcomeOf(command: string, words: readonly string[], ends?: number): Promise<unknown> {
  const folder = scratch.path(`out-${paths++}`);
  mkdirSync(folder);
  const filled = words.map((word) =>
    word.replace(/\{(?:(begun):)?([\w-]+)\}/, (_, begun, name) => {
      if (begun) cpSync(material[name], join(folder, "out"), { recursive: true });
      return begun || name === "out" ? join(folder, "out") : material[name];
    }),
  );
  const called = command === "aam" ? [] : command.split(" ");
  const { code, out, error, threads, deterministic } = await run(...called, ...filled.filter(Boolean));
  expect({ code, error, filled, isMeant: ends === undefined ? code <= 2 : code === ends }).toMatchObject({
    isMeant: true,
  });
  // Plots number their clipping paths through all that one process draws.
  const changing = new RegExp(
    [
      /\b[\d.]+(?=( m?s| seconds?| samples\/s)\b)/,
      /(?<=\b(clip|gradient)_?)\d+/,
      /\d+:\d\d(:\d\d)?(\.\d+Z)?/,
      // What is free changes from one moment to the next.
      /[\d.]+ \w+ of the [\d.]+ \w+(?= allowed)|[\d.]+ GiB(?= free)/,
      /(?<=seconds":|Seconds of all folds<\/dt><dd>)[\d.]+/,
      /^--\S+ is now called.*\n/,
    ]
      .map(({ source }) => source)
      .join("|"),
    "gm",
  );
  const plain = (text: string) => text.replaceAll(folder, "").replace(changing, "");
  const isRun = existsSync(join(folder, "out/config.json"));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^(manifest|events)\b/.test(entry.name))
    .filter(({ parentPath }) => !parentPath.includes(".aam-cache"))
    .map(({ parentPath, name }) => [
      name,
      isRun || name.endsWith(".qza") ? "" : plain(readFileSync(join(parentPath, name)).toString("latin1")),
    ])
    .sort();
  const learned = existsSync(join(folder, "out/history.json")) ? learnedBy(join(folder, "out")) : "";
  return { said: plain(`${out}\n${error}`), threads, deterministic, learned, files };
}
let paths = 0;
const rows = optionRows.flatMap(({ command, given, options, ends = 0 }) =>
  options.map((row) => {
    const [option, more = ""] = row.split(" | ");
    return { command, option, ends, given: withWords(given.split(" "), more) };
  }),
);

/** Words with options put in: one that is there gets the new value. */
function withWords(words: readonly string[], more: string): string[] {
  const result = [...words];
  for (const option of more.split(/ (?=--)/).filter(Boolean)) {
    const [flag, ...values] = option.split(" ");
    const at = result.lastIndexOf(flag);
    if (at < 0) result.push(flag, ...values);
    else result.splice(at + 1, values.length, ...values);
  }
  return result;
}

describe("with the option and without", () => {
  const usual = new Map<string, Promise<unknown>>();
  const usualOf = (command: string, words: readonly string[]) => {
    const line = `${command} ${words.join(" ")}`;
    const known = usual.get(line) ?? twice(command, words);
    usual.set(line, known);
    return known;
  };
  /** What comes to something else each time shows nothing. */
  const twice = async (command: string, words: readonly string[]) => {
    const first = await outcomeOf(command, words);
    expect(await outcomeOf(command, words)).toEqual(first);
    return first;
  };
  test.each(rows.map((row) => [`${row.command} ${row.option}`, row] as const))(
    "%s",
    async (_, { command, option, given, ends }) => {
      const before = await usualOf(command, given);
      expect(await outcomeOf(command, withWords(given, option), ends)).not.toEqual(before);
    },
  );
});

/** The options of a command that set places of a configuration, and its schema. */
const settings: Record<string, { options: readonly SchemaOption[]; schema: z.ZodType }> = {
  pretrain: { options: pretrainOptions, schema: pretrainSchema },
  train: { options: trainOptions, schema: fineTuneSchema },
  "lr-finder": { options: lrFinderOptions, schema: pretrainSchema },
  "train.ts": { options: firstRunOptions, schema: pretrainSchema },
};

/** All options in all helps: `bench step --seed`. */
async function allOptions(): Promise<string[]> {
  const named: [string, Command][] = [];
  for (const name of [...[...commands, ...labCommands].map((entry) => entry.name), "train.ts"]) {
    const command = await makeCommand(name);
    if (name === commands[0].name) named.push(["aam", command.parent!]);
    named.push(
      [name, command],
      ...command.commands.map((one) => [`${name} ${one.name()}`, one] as [string, Command]),
    );
  }
  return named.flatMap(([name, command]) => command.options.map(({ long }: Option) => `${name} ${long}`));
}
const options = await allOptions();

/**
 * What tests say that they show, by `showsOptions` and `showsRows`: the files are loaded,
 * their tests are not run.
 */
function shownByTests(): string[] {
  const list = scratch.write("shown.txt", "");
  const files = projectFiles().filter(
    (name) => name.endsWith(".test.ts") && readProjectText(name)?.includes("helpers/showsOptions.ts"),
  );
  const none = ["--test-name-pattern", "^$."];
  const { stderr } = Bun.spawnSync([process.execPath, "test", ...none, ...files.map((name) => `./${name}`)], {
    cwd: projectRoot,
    env: { ...process.env, AAM_OPTION_LIST: list },
    stdin: "ignore",
    stderr: "pipe",
    timeout: 240_000,
  });
  const lines = readFileSync(list, "utf8").split("\n").filter(Boolean);
  if (lines.length < 100) throw new Error(`The tests could not be loaded: ${stderr}`);
  return lines;
}

test("every option of every command is shown by a test", () => {
  expect(options.length).toBeGreaterThan(350);
  // A setting may have an old name besides its own.
  const flagsOf = (command: string, place: string) =>
    (settings[command]?.options ?? [])
      .filter(({ path }) => path === place)
      .map(({ flags }) => flags.split(" ")[0] ?? "");
  const ofRows = new Set(rows.map(({ command, option }) => `${command} ${option.split(" ")[0]}`));
  const shown = new Set<string>();
  const unknown: string[] = [];
  for (const line of shownByTests()) {
    const [, how = "", command = "", name = ""] = /^(\w+) (.*) (\S+)$/.exec(line) ?? [];
    const isFlag = name.startsWith("--");
    const flags = isFlag ? [name] : flagsOf(command, name);
    const meant = options.filter((option) =>
      flags.some((flag) => (command === "*" ? option.endsWith(` ${flag}`) : option === `${command} ${flag}`)),
    );
    // The configuration has places that no option of a command sets.
    if (meant.length === 0 && isFlag) unknown.push(line);
    for (const option of meant) (how === "row" ? ofRows : shown).add(option);
  }
  expect(unknown).toEqual([]);
  expect(options.filter((option) => !shown.has(option) && !ofRows.has(option))).toEqual([]);
  // What is shown by a row is run with the option and without; a test that says so may be wrong.
  expect(ofRows.size / options.length).toBeGreaterThan(0.85);
});

/** Places of a configuration whose values are not the same. */
function differences(a: unknown, b: unknown, at = ""): string[] {
  const isSection = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isSection(a) || !isSection(b)) return Bun.deepEquals(a, b) ? [] : [at.slice(1)];
  return Object.keys({ ...a, ...b }).flatMap((key) =>
    differences(valueAt(a, key), valueAt(b, key), `${at}.${key}`),
  );
}

test.each(Object.entries(settings))(
  "each setting of %s has its own place, and no other",
  (_name, settable) => {
    const { options: given, schema } = settable;
    const command = new Command("x").exitOverride().configureOutput({ writeErr: () => {} });
    addSchemaOptions(command, schema, given);
    const configured = (line: string[]) => {
      command.parse(line, { from: "user" });
      return configOf(command, schema, given);
    };
    const usual = configured([]);
    for (const { flags, path } of given) {
      const [flag, value] = flags.split(" ");
      const { description } = command.options.find(({ long }) => long === flag)!;
      // One of these will do; choices are in the description.
      const choices = (description.match(/[\w-]+(?=[,;)])/g) ?? []).toReversed();
      const values = ["0.7", "3", "70", "0.2,0.4", "a=mae", "a=3", ...choices, "a"];
      const changed = (value === undefined ? [[flag]] : values.map((text) => [flag, text])).map((line) => {
        try {
          return differences(configured(line), usual);
        } catch {
          return [];
        }
      });
      expect({ flag, changed: changed.find((places) => places.length > 0) }).toEqual({
        flag,
        changed: [path],
      });
    }
  },
);

showsOptions(["pretrain", "train", "lr-finder", "train.ts"], "--layers --heads --metric");
showsOptions(["pretrain", "train", "lr-finder"], "--unifrac-matrix");
test("older names of options do the same, and say what to write instead", () => {
  const older = { "--layers": "3", "--heads": "3", "--metric": "weighted", "--unifrac-matrix": "d.npy" };
  const said = spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    for (const { options: given, schema } of Object.values(settings)) {
      const configured = (...line: string[]) => {
        const command = new Command("x").exitOverride();
        addSchemaOptions(command, schema, given);
        command.parse(line, { from: "user" });
        return configOf(command, schema, given);
      };
      for (const [old, value] of Object.entries(older)) {
        const option = given.find(({ formerly }) => formerly === old);
        if (!option) {
          expect(given).toBe(firstRunOptions);
          continue;
        }
        const present = option.flags.split(" ")[0];
        said.mockClear();
        const config = configured(present, value);
        expect(said).not.toHaveBeenCalled();
        expect(configured(old, value)).toEqual(config);
        expect(config).not.toEqual(configured());
        expect(said.mock.calls.map(([text]) => text)).toEqual([
          `${old} is now called ${present}; the old name still works.\n`,
        ]);
        expect(() => configured(old, value, present, value)).toThrow(/are the same/);
      }
    }
  } finally {
    said.mockRestore();
  }
});
