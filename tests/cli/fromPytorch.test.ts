/**
 * docs/from-pytorch-aam.md against the options of the original AAM (names alone,
 * tests/fixtures/pytorchOptions.json) and against our own commands: whatever is added, renamed or taken away
 * here has to be told there.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../src/cli/main.ts";
import theirOptions from "../fixtures/pytorchOptions.json" with { type: "json" };
import { makeCommand } from "../helpers/commandLine.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/from-pytorch-aam.md"), "utf8");
const optionName = /--[a-z][\w-]*/g;
const namesIn = (text: string): string[] => text.match(optionName) ?? [];

/**
 * Sections of the page that explain options, the list of theirs that each is about, and the commands of ours.
 */
const sections = [
  {
    heading: "Options of `pretrain` and `train`",
    theirs: theirOptions["pretrain and train"],
    ours: ["pretrain", "train"],
  },
  { heading: "Options of `train` only", theirs: theirOptions.train, ours: ["train"] },
  { heading: "`predict`", theirs: theirOptions.predict, ours: ["predict"] },
  { heading: "`rf-baseline`", theirs: theirOptions["rf-baseline"], ours: ["rf-baseline"] },
].map(({ heading, theirs, ours }) => {
  const text = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  // The paragraph that starts with "New": what the original AAM does not have.
  const news = text.match(/\nNew.*?(?=\n\n|$)/s)?.[0] ?? "";
  return { heading, theirs: theirs.split(" ").map((name) => `--${name}`), ours, rows, news };
});

/** Options of a command, hidden names and help left out. */
async function optionsOf(name: string): Promise<string[]> {
  const command = await makeCommand(name);
  return command.options.filter(({ hidden }) => !hidden).map(({ long }) => long!);
}
const ourCommands = new Map(
  await Promise.all(commands.map(async ({ name }) => [name, await optionsOf(name)] as const)),
);
const ofCommands = (names: readonly string[]) => new Set(names.flatMap((name) => ourCommands.get(name)!));

describe.each(sections)("$heading", ({ theirs, ours, rows, news }) => {
  const explained = rows.flatMap((cells) => namesIn(cells[1]));

  test("explains every option of the original AAM once, and no other", () => {
    expect([...explained].sort()).toEqual([...theirs].sort());
  });

  test("says of each what became of it, and why, where it is not the same", () => {
    for (const cells of rows) {
      expect(cells.length).toBe(5);
      const [, , here, why] = cells;
      expect(here).not.toBe("");
      if (here !== "same" && here !== cells[1]) expect(why).not.toBe("");
    }
  });

  test("calls the same what these commands have by that name", () => {
    const own = ofCommands(ours);
    const same = rows.filter((cells) => cells[2] === "same").flatMap((cells) => namesIn(cells[1]));
    expect(same.filter((name) => !own.has(name))).toEqual([]);
    expect(rows.flatMap((cells) => namesIn(cells[2])).filter((name) => !own.has(name))).toEqual([]);
  });

  test("calls new what these commands have and the original AAM's has not", () => {
    const own = ofCommands(ours);
    const names = namesIn(news);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !own.has(name))).toEqual([]);
    expect(names.filter((name) => theirs.includes(name))).toEqual([]);
  });
});

test.each(["pretrain", "train", "predict", "rf-baseline"])("every option of our %s is told", (command) => {
  const told = sections
    .filter(({ ours }) => ours.includes(command))
    .flatMap(({ rows, news }) => [
      ...rows.filter((cells) => cells[2] === "same").flatMap((cells) => namesIn(cells[1])),
      ...rows.flatMap((cells) => namesIn(cells[2])),
      ...namesIn(news),
    ]);
  const untold = [...ofCommands([command])].filter((name) => !told.includes(name) && name !== "--debug");
  expect(untold).toEqual([]);
});

test("every option that the page speaks of exists, here or there", () => {
  const known = new Set([
    ...ofCommands([...ourCommands.keys()]),
    ...sections.flatMap(({ theirs }) => theirs),
  ]);
  for (const name of ["--help", "--output-dir", "--unifrac-matrix"]) known.add(name);
  expect([...new Set(namesIn(page))].filter((name) => !known.has(name))).toEqual([]);
});
