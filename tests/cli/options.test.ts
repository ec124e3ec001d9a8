/**
 * Every option of every command is shown by a test that would fail if the option did nothing. The list below tells which test shows
 * which option; an option that it does not name fails here, and so does a test in it that is not there or does not speak of the option.
 */
import { expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, type Option } from "commander";
import type { z } from "zod";
import { labCommands } from "../../lab/commands.ts";
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
import { fineTuneSchema, pretrainSchema } from "../../src/training/config/config.ts";
import { makeCommand } from "../helpers/commandLine.ts";

/** The test with this title shows these options of these commands: `places` stands for all whose place its table names. */
type Shown = readonly [title: string, ...options: string[]];

const device = [
  ..."prep unifrac pretrain train train.ts lr-finder predict embed evaluate report parity".split(" "),
  ..."ops step train predict scaling encoder unifrac".split(" ").map((subject) => `bench ${subject}`),
].map((command) => `${command} --device`);

/** What the same test shows of several commands. */
const of = (names: string, options: string) => names.split(" ").map((name) => `${name} ${options}`);
const ofBench = (subjects: string, options: string) =>
  subjects.split(" ").map((subject) => `bench ${subject} ${options}`);

const shown: Record<string, readonly Shown[]> = {
  "tests/cli/main.test.ts": [
    ["a user's mistake is its sentence alone, with the stack trace only on demand", "* --debug"],
    ["--version is the package's", "aam --version"],
  ],
  "tests/cli/commands/doctor.test.ts": [
    ["the doctor finds all that is needed, and says so in words and as JSON", "doctor --json"],
  ],
  "tests/cli/commands/prep.test.ts": [["info --json tells it as JSON", "info --json"]],
  "tests/cli/dataOptions.test.ts": [
    [
      "--tree, --metric, --alpha, --variance-adjusted and --precision decide the distances",
      "prep --tree --metric --alpha --variance-adjusted --precision",
    ],
    [
      "--rarefy-depth, --with-replacement and --seed decide what is drawn",
      "prep --rarefy-depth --with-replacement --seed",
    ],
    [
      "--distances, --distance-ids and --rep-seqs take what is there already",
      "prep --table --distances --distance-ids --rep-seqs",
    ],
    [
      "--metadata adds columns; --json is for programs, --quiet leaves warnings alone",
      "prep --metadata --json --quiet --output",
    ],
    [
      "every option of the distances changes them",
      "unifrac --metric --alpha --variance-adjusted --bypass-tips --absolute --precision --rarefy-depth",
    ],
    [
      "--seed and --with-replacement decide what --rarefy-depth draws; --threads is how many compute",
      "unifrac --seed --with-replacement --threads",
    ],
    [
      "simulate: every option changes the study",
      "simulate --output --samples --asvs --depth --richness --length --vary-length --seed",
    ],
    [
      "--case takes one case, --cases a folder of them; --brief leaves out what is within its tolerance",
      "parity --case --cases --brief",
    ],
    [
      "--against-python has --python draw --models models by --seed",
      "parity --against-python --python --models --seed",
    ],
  ],
  "tests/cli/commands/unifrac.test.ts": [
    [
      "matches tips that are sequences by representative sequences",
      "unifrac --table --tree --output --rep-seqs --quiet",
    ],
    ["asks for a root, or makes one", "unifrac --midpoint-root"],
    ["Faith's PD, for programs", "unifrac --json"],
  ],
  "tests/training/options.test.ts": [
    ["fine-tuning with %s = %j", "train places"],
    ["%s = %j changes how fine-tuning computes, but no figure", "train places"],
    ["numbers are classes where --classifier says so", "train --classifier"],
    ["a split is taken from files", "train --train-samples --val-samples"],
    [
      "come from files, rarefied as told",
      ...of("pretrain train lr-finder", "--table --tree --metadata --rarefy-depth --rarefy-seed"),
    ],
    [
      "may have distances of their own, ids in a file, and sequences for hashes",
      ...of("pretrain train lr-finder", "--rep-seqs --distances --distance-ids"),
    ],
    ["of two kinds, or none, are refused", ...of("pretrain train lr-finder", "--dataset")],
  ],
  "tests/training/tasks/fineTune.test.ts": [["%s", "train --no-classifier"]],
  "tests/training/pretrainOptions.test.ts": [
    ["pretraining with %s = %j", "pretrain places"],
    ["%s = %j changes how pretraining computes, but no figure", "pretrain places"],
    ["a search with %s = %j", "lr-finder places"],
    ["%s = %j changes how a search computes, but no loss", "lr-finder places"],
    ["a crash costs at most --save-minutes", ...of("pretrain train", "--save-minutes")],
    ["a split is taken from files", ...of("pretrain lr-finder", "--train-samples --val-samples")],
  ],
  "tests/training/loop/batchSize.test.ts": [
    [
      "trains with the size it found, which the run's configuration tells",
      ...of("pretrain train", "--auto-batch-size"),
    ],
    [
      "keeps to its share of the memory, and goes on with the size it began with",
      ...of("pretrain train", "--max-memory-fraction"),
    ],
    [
      "a wanted number of samples for a step is made of few equal batches",
      ...of("pretrain train", "--target-effective-batch-size"),
    ],
    [
      "--tf32 and --no-tf32 set how float32 matrices are multiplied, and --tf32 is refused on the CPU",
      ...of("pretrain train lr-finder", "--tf32 --no-tf32"),
    ],
  ],
  "tests/cli/options.test.ts": [
    [
      "older names of options do the same, and say what to write instead",
      ...of("pretrain train lr-finder train.ts", "--layers --heads --metric"),
      ...of("pretrain train lr-finder", "--unifrac-matrix"),
    ],
  ],
  "tests/cli/options/trainingOptions.test.ts": [
    [
      "--output names the run's folder, --output-dir does so too, and both are one too many",
      ...of("pretrain train train.ts", "--output --output-dir"),
    ],
    [
      "--config sets what options do not, --preset what neither does",
      ...of("pretrain train train.ts", "--config --preset"),
    ],
    [
      "--resume goes on, and without it a run is not overwritten",
      ...of("pretrain train train.ts", "--resume"),
    ],
    [
      "--threads and --deterministic decide how many threads compute, and which operators",
      ...of("pretrain train train.ts", "--threads --deterministic"),
    ],
    [
      "plots are drawn unless there is --no-plots, which then are not told of",
      ...of("pretrain train train.ts", "--no-plots"),
    ],
    ["--debug-nan says where a NaN arose", ...of("pretrain train train.ts", "--debug-nan")],
    [
      "--quiet leaves the result alone, --json makes every line JSON",
      ...of("pretrain train train.ts", "--quiet --json"),
    ],
    [
      "learns something else with %s %s",
      "train.ts --rarefy-depth --unifrac-metric --epochs --max-steps --max-minutes --batch-size --lr --embedding-dim --attention-layers --attention-heads",
      "train.ts --token-limit --seed",
    ],
    [
      "--table, --tree and --rep-seqs say where sequences and distances come from",
      "train.ts --table --tree --rep-seqs",
    ],
    ["--from, --to and --steps say which rates are tried", "lr-finder --from --to --steps --output"],
    [
      "--config sets the model, --threads the threads; --quiet leaves the result alone, --json is for programs",
      "lr-finder --config --threads --quiet --json",
    ],
  ],
  "tests/cli/options/modelOptions.test.ts": [
    [
      "--table and --dataset with the same samples come to the same, and one must be given",
      ...of("predict embed", "--table --dataset --output"),
    ],
    ["--rep-seqs gives hashes their sequences", ...of("predict embed", "--rep-seqs")],
    [
      "--samples chooses, --format overrules what a name ends in",
      ...of("predict embed", "--samples --format"),
    ],
    ["--rarefy-depth says how many counts are drawn", ...of("predict embed", "--rarefy-depth")],
    ["--threads, --quiet and --json", ...of("predict embed", "--threads --quiet --json")],
    ["--metadata gives the categories that the model needs", "predict --metadata"],
    [
      "a model must be named, and another one gives something else",
      ...of("predict embed evaluate", "--model"),
    ],
    [
      "--asv-sampling, --prediction-passes and --output-variance",
      "predict --asv-sampling --prediction-passes --output-variance",
    ],
    [
      "--asvs, --attention, --positions and --distances write what they are called, and one must be named",
      "embed --asvs --attention --positions --distances",
    ],
    [
      "--metadata judges predictions, --tree distances, and one of them must be known",
      "evaluate --metadata --tree",
    ],
    [
      "--samples, --rarefy-depth and --rep-seqs change what is judged",
      "evaluate --samples --rarefy-depth --rep-seqs --table --dataset",
    ],
    ["--output keeps figures, predictions and plots; without it nothing is left behind", "evaluate --output"],
    [
      "figures come without progress with --quiet, as JSON with --json, from --threads threads",
      "evaluate --threads --quiet --json",
    ],
    [
      "report: --output, --no-baselines, --colour and --quiet",
      "report --output --no-baselines --colour --quiet",
    ],
    [
      "every option for files changes what is predicted",
      "rf-baseline --metadata-column --random-seed --train-samples --val-samples --output",
    ],
    [
      "--rep-seqs gives hashes their sequences; each file must be given",
      "rf-baseline --rep-seqs --metadata --table",
    ],
    [
      "--run has all of these; --quiet leaves the figures alone, --json is for programs",
      "rf-baseline --run --quiet --json",
    ],
    [
      "--n-estimators and --max-features change the forest, which is the same without a change",
      "rf-baseline --n-estimators --max-features",
    ],
    ["--heads, --activation and --config tell what weights do not", "convert --heads --activation --config"],
    [
      "--targets and --classes give names, and are refused where there is nothing to name",
      "convert --targets --classes --output",
    ],
    ["--bare writes a state dict alone; options of the other way are refused", "convert --bare --input"],
    ["--device cuda is refused in one sentence where there is no GPU", ...device],
  ],
  "tests/cli/training.test.ts": [
    ["predictions can be Arrow, and attention adds up to 1 in every sample", "predict --attention"],
  ],
  "tests/lab/bench.test.ts": [
    [
      "bench step measures both sides on the same batches, and says how much each computes",
      "bench step --json",
    ],
  ],
  "tests/lab/benchOptions.test.ts": [
    [
      "tells them something else with %s",
      ...ofBench(
        "step train predict scaling",
        "--embedding-dim --layers --heads --token-limit --max-bp --threads",
      ),
      ...ofBench("step train scaling", "--gradient-checkpointing --mixed-precision"),
      "bench step --batch-size --rounds --nuc-share --micro-batch --no-partner --seed --reference",
      "bench predict --batch-size --batches --rounds --reference",
      "bench train --batch-size --minutes --same-shape --reference",
      "bench scaling --axes --batch-sizes --samples --reference-batch-sizes --rounds",
    ],
    [
      "takes --dataset, or --table with --tree",
      ...ofBench("step train predict scaling", "--dataset --table --tree"),
    ],
    [
      "bench predict, train and scaling print tables, or one JSON object with --json",
      ...ofBench("train predict scaling", "--json"),
    ],
    [
      "bench scaling: --richness and --dims are further axes, --memory is what batches must fit in, --output gets plots",
      "bench scaling --richness --dims --memory --output",
    ],
    ["bench scaling --from prints reports that are there instead of measuring", "bench scaling --from"],
    ["bench ops: --only, --rounds and --threads", "bench ops --only --rounds --threads --json"],
    [
      "bench encoder: each option changes what is computed, and how often",
      "bench encoder --table --asvs --embedding-dim --layers --heads --threads --rounds --json",
    ],
    [
      "bench data: each option changes what is read, opened or made, and how often",
      "bench data --table --tree --samples --tips --batch-size --rounds --python --json",
    ],
    [
      "each option changes what the programs are told",
      "bench unifrac --metrics --threads --rounds --python --tree",
    ],
    [
      "--table, --batch-size and --skbio-samples decide what is computed",
      "bench unifrac --table --batch-size --skbio-samples --json",
    ],
  ],
};

/** The options of a command that set places of a configuration, and its schema. */
const settings: Record<string, { options: readonly SchemaOption[]; schema: z.ZodType }> = {
  pretrain: { options: pretrainOptions, schema: pretrainSchema },
  train: { options: trainOptions, schema: fineTuneSchema },
  "lr-finder": { options: lrFinderOptions, schema: pretrainSchema },
  "train.ts": { options: firstRunOptions, schema: pretrainSchema },
};

const root = resolve(import.meta.dir, "../..");
const optionEffects = readFileSync(join(root, "tests/helpers/optionEffects.ts"), "utf8");

/** The tables that `text` names in `each(...)`, and those that are spread into them. */
function tablesOf(text: string, source: string): string {
  const found = new Map<string, string>();
  const named = [...text.matchAll(/\.each\(([^()]*)/g)].flatMap(([, words]) => words.match(/\w+/g) ?? []);
  // What is found on the way is looked at, too.
  for (const name of named) {
    const table = new RegExp(`^ *(?:export )?const ${name}\\b[^]*?\\](?: as const)?;$`, "m").exec(
      source,
    )?.[0];
    if (table === undefined || found.has(name)) continue;
    found.set(name, table);
    named.push(...[...table.matchAll(/\.\.\.(\w+)/g)].map(([, spread]) => spread));
  }
  return [...found.values()].join("\n");
}

/** The text of a test with the tables that it goes through; null if there is no test of this title. */
function textOf(file: string, title: string): string | null {
  const source = readFileSync(join(root, file), "utf8");
  const at = source.indexOf(`${JSON.stringify(title)},`);
  if (at < 0) return null;
  const starts = [...source.matchAll(/^ *(test|describe)[.(]/gm)].map(({ index }) => index);
  const own = source.slice(
    starts.findLast((start) => start < at),
    starts.find((start) => start > at),
  );
  const around = [...source.slice(0, at).matchAll(/^describe.*$/gm)].at(-1)?.[0] ?? "";
  return own + tablesOf(`${around}\n${own}`, `${source}\n${optionEffects}`);
}

/** Whether a test speaks of an option: by its flag, or by the setting that it is. */
function speaksOf(text: string, flag: string, place: string | undefined): boolean {
  if (new RegExp(`(?<![\\w-])${flag}(?![\\w-])`).test(text)) return true;
  return place !== undefined && new RegExp(`"${place}"|\\b${place.split(".").at(-1)}\\b`).test(text);
}

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

/** The options that the list says are shown by a test, and what is wrong with its saying so. */
function claims(): { claimed: Set<string>; wrong: string[] } {
  const claimed = new Set<string>();
  const wrong: string[] = [];
  const tests = Object.entries(shown).flatMap(([file, own]) => own.map((one) => [file, ...one] as const));
  for (const [file, title, ...groups] of tests) {
    const text = textOf(file, title);
    if (text === null) {
      wrong.push(`${file} has no test "${title}"`);
      continue;
    }
    for (const group of groups) {
      const [, name, words] = /^(.*?) (places|--.*)$/.exec(group)!;
      const own = settings[name]?.options ?? [];
      const placeOf = new Map(own.map(({ flags, path }) => [flags.split(" ")[0], path]));
      const inTable = () => [...placeOf.keys()].filter((flag) => text.includes(`"${placeOf.get(flag)}"`));
      for (const flag of words === "places" ? inTable() : words.split(" ")) {
        if (!speaksOf(text, flag, placeOf.get(flag))) wrong.push(`"${title}" does not speak of ${flag}`);
        const meant = options.filter((one) =>
          name === "*" ? one.endsWith(` ${flag}`) : one === `${name} ${flag}`,
        );
        if (meant.length === 0) wrong.push(`"${title}": there is no ${name} ${flag}`);
        for (const option of meant) claimed.add(option);
      }
    }
  }
  return { claimed, wrong };
}

test("every option of every command is shown by a test", () => {
  expect(options.length).toBeGreaterThan(350);
  const { claimed, wrong } = claims();
  expect(wrong).toEqual([]);
  expect(options.filter((option) => !claimed.has(option))).toEqual([]);
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
