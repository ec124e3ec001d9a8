/** What `--debug` does to a mistake, in every command: the stack trace comes with the sentence. */
import { expect, test } from "bun:test";
import { run } from "../helpers/commandLine.ts";
import { showsRows } from "../helpers/showsOptions.ts";

const table = "--table nowhere.biom";
const squares = "nowhere.tsv nowhere.tsv";
const bench = `${table} --tree nowhere.nwk`;
/** A mistake in a command line of each command. */
const mistakes: [command: string, line: string][] = [
  ["aam", "info nowhere.biom"],
  ["info", "nowhere.biom"],
  ["prep", `${table} --output never`],
  ["unifrac", `${table} --tree nowhere.nwk --output never.npy`],
  ["table", `filter ${table} --min-count 2 --output never.biom`],
  ["table filter", `${table} --min-count 2 --output never.biom`],
  ["table merge", `${table} ${table} --output never.biom`],
  ["table collapse", `${table} --taxonomy nowhere.tsv --level 2 --output never.biom`],
  ["table subsample", `${table} --depth 2 --output never.biom`],
  ["simulate", "--samples 2 --output package.json"],
  ["beta", `${table} --output never.tsv`],
  ["pcoa", "--distances nowhere.tsv --output never.tsv"],
  ["permanova", "--distances nowhere.tsv --metadata nowhere.tsv --column site"],
  ["anosim", "--distances nowhere.tsv --metadata nowhere.tsv --column site"],
  ["mantel", squares],
  ["procrustes", squares],
  ["alpha", `${table} --output never.tsv`],
  ["rarefaction", `${table} --output never.tsv`],
  ["pretrain", "--dataset nowhere"],
  ["train", "--dataset nowhere"],
  ["lr-finder", "--dataset nowhere --output never"],
  ["cross-validate", "--dataset nowhere --metadata-column age --output never"],
  ["search", "--dataset nowhere --metadata-column age --output never"],
  ["rf-baseline", "--quiet --run nowhere"],
  ["report", "nowhere"],
  ["predict", `--model nowhere ${table} --output never.tsv`],
  ["evaluate", `--model nowhere ${table}`],
  ["embed", `--model nowhere ${table} --output never.tsv`],
  ["convert", "nowhere.pt never.safetensors"],
  ["parity", "--case nowhere"],
  ["bench", `unifrac ${table}`],
  ["bench ops", "--only nothing"],
  ["bench step", table],
  ["bench train", table],
  ["bench predict", table],
  ["bench data", bench],
  ["bench unifrac", table],
  ["bench encoder", "--embedding-dim 8 --heads 3"],
  ["bench scaling", table],
  ["bench ranks", "--samples 3"],
  ["bench studies", "nowhere.yaml --data . --output never"],
];

for (const [command] of mistakes) showsRows(command, [["--debug"]]);
test.each(mistakes)("%s", async (command, line) => {
  const words = command === "aam" ? [] : command.split(" ");
  const plain = await run(...words, ...line.split(" "));
  const debugged = await run(...words, "--debug", ...line.split(" "));
  const sentence = /^Error: .+\n$/;
  expect([plain.code, plain.out, debugged.code]).toEqual([1, "", 1]);
  expect(plain.error).toMatch(sentence);
  expect(debugged.error).toStartWith(plain.error);
  expect(debugged.error).toMatch(/\n\s+at /);
});
