/**
 * Every option of every command has a test that would fail if the option did nothing. For a
 * new option, do one of two:
 *
 * - add a row to `rows` below, which runs: the command is called without the option and with
 *   it, and `judge` compares;
 * - or write the test where it belongs, and say so in the line before it:
 *   `showsOptions("prep", "--tree --metric")`. An option that sets a place of the configuration is a row of
 *   an effects table (tests/helpers/optionEffects.ts).
 *
 * The last test here takes all options from the commands' definitions and fails for one without either.
 */
import { beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Command, type Option } from "commander";
import type { z } from "zod";
import { labCommands } from "../../lab/commands.ts";
import { makeStudy, type Study } from "../../lab/material/study.ts";
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
import { makeCommand, type Outcome, run } from "../helpers/commandLine.ts";
import { projectFiles, projectRoot, readProjectText } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

/** One option of one command, and what must come of it. */
interface Row {
  /** The command's name, e.g. `prep` or `bench step`. */
  readonly command: string;
  /** The option, with its value as a second word. */
  readonly flag: string;
  /** What else the command needs; `newPath` names a file or folder that is not there yet. */
  readonly given: (study: Study, newPath: (name: string) => string) => readonly string[];
  /** Compares what came of the command with the option and without. Both have succeeded. */
  readonly judge: (changed: Outcome, usual: Outcome) => void;
}

const isJson = (text: string) => {
  for (const line of text.trim().split("\n")) {
    try {
      JSON.parse(line);
    } catch {
      return false;
    }
  }
  return true;
};

const rows: readonly Row[] = [
  {
    command: "info",
    flag: "--json",
    given: ({ table }) => [table],
    judge(changed, usual) {
      expect([isJson(changed.out), isJson(usual.out)]).toEqual([true, false]);
      expect(JSON.parse(changed.out)).toMatchObject({ samples: 12 });
    },
  },
];

const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 12);
});

describe("with the option and without", () => {
  let paths = 0;
  const newPath = (name: string) => scratch.path(`${paths++}-${name}`);
  test.each(rows.map((row) => [`${row.command} ${row.flag}`, row] as const))("%s", async (_, row) => {
    const call = async (...more: string[]) => {
      const outcome = await run(...row.command.split(" "), ...row.given(study, newPath), ...more);
      expect({ code: outcome.code, error: outcome.error }).toMatchObject({ code: 0 });
      return outcome;
    };
    const usual = await call();
    row.judge(await call(...row.flag.split(" ")), usual);
  });
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
 * What tests say that they show, by `showsOptions` and `showsPlaces`: the files are loaded,
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
  const shown = new Set(rows.map(({ command, flag }) => `${command} ${flag.split(" ")[0]}`));
  const unknown: string[] = [];
  for (const line of shownByTests()) {
    const [, command = "", name = ""] = /^(.*) (\S+)$/.exec(line) ?? [];
    const isFlag = name.startsWith("--");
    const flags = isFlag ? [name] : flagsOf(command, name);
    const meant = options.filter((option) =>
      flags.some((flag) => (command === "*" ? option.endsWith(` ${flag}`) : option === `${command} ${flag}`)),
    );
    // The configuration has places that no option of a command sets.
    if (meant.length === 0 && isFlag) unknown.push(line);
    for (const option of meant) shown.add(option);
  }
  expect(unknown).toEqual([]);
  expect(options.filter((option) => !shown.has(option))).toEqual([]);
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
