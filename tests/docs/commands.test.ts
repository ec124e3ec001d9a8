/** Command lines in the documentation name commands and options that there are. */
import { expect, test } from "bun:test";
import { commands } from "../../src/cli/main.ts";
import { projectFiles, readProjectText } from "../helpers/projectFiles.ts";

/** Each `bun run NAME ...` or `aam NAME ...` in the blocks of a page, with continued lines joined. */
function linesOf(text: string): string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) =>
    block
      .replace(/\\\n\s*/g, " ")
      .split("\n")
      .filter((line) => /^(?:bun run|aam) \w/.test(line)),
  );
}

/** What is wrong with a command line; null where nothing is. */
async function slipOf(line: string): Promise<string | null> {
  const [name, ...words] = line
    .replace(/^(?:bun run|aam) /, "")
    .replace(/\s#.*/, "")
    .split(/\s+/);
  const entry = commands.find((one) => one.name === name);
  if (!entry) return null;
  let command = (await entry.load()).makeCommand();
  command = command.commands.find((one) => one.name() === words[0]) ?? command;
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  const unknown = words.find((word) => /^--?[a-z]/.test(word) && !known.has(word.split("=")[0]));
  return unknown === undefined ? null : `${line}: ${name} has no ${unknown}`;
}

test("their options exist", async () => {
  expect(await slipOf("bun run search --dataset set --spaces lr=1..2")).toContain("no --spaces");
  expect(await slipOf("bun run table filter --table a --min-samples 2")).toBeNull();
  const pages = projectFiles().filter((file) => /^(?:README\.md|docs\/[^/]+\.md)$/.test(file));
  const lines = pages.flatMap((page) => linesOf(readProjectText(page) ?? ""));
  expect(lines.length).toBeGreaterThan(40);
  const slips = await Promise.all(lines.map(slipOf));
  expect(slips.filter((slip) => slip !== null)).toEqual([]);
});
