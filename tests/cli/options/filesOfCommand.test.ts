/** No command writes over what it reads, or reads one of two files without a word. */
import { beforeEach, expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { refusal, succeed } from "../../helpers/commandLine.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const text = "#OTU ID\tS1\tS2\na\t5\t1\nb\t1\t4\n";
let table: string;
let tree: string;
beforeEach(() => {
  table = scratch.write("t.tsv", text);
  tree = scratch.write("t.nwk", "(a:1,b:2);");
});

test("an output that is an input is refused, by whatever path, and the input stays", async () => {
  const link = scratch.path("link.tsv");
  symlinkSync(table, link);
  const lines = [
    ["unifrac", "--table", table, "--tree", tree, "-o", table],
    ["alpha", "--table", table, "-o", link],
    ["beta", "--table", link, "-o", table],
    ["table", "filter", "--table", table, "--min-depth", "1", "-o", table.replace("/t.tsv", "/./t.tsv")],
    ["pcoa", "--table", table, "-o", table],
  ];
  for (const line of lines) {
    expect(await refusal(...line)).toMatch(/^Error: --output would write over \S+\.tsv \(--table\); give it/);
    expect(readFileSync(table, "utf8")).toBe(text);
  }
  const distances = scratch.path("d.tsv");
  await succeed("beta", "--table", table, "-o", distances);
  expect(await refusal("mantel", distances, distances, "-o", distances)).toMatch(/\(which is read\)/);
  // An earlier result is no input.
  await succeed("beta", "--table", table, "-o", distances);
});

test("two outputs of one name are refused", async () => {
  const out = scratch.path("both.tsv");
  expect(await refusal("pcoa", "--table", table, "-o", out, "--plot", out)).toMatch(
    /^Error: --plot would write over \S+both\.tsv \(--output\)/,
  );
});

test("a second table is refused where one is taken, and taken where several are", async () => {
  const other = scratch.write("u.tsv", text.replaceAll("S", "T"));
  const out = scratch.path("o.tsv");
  expect(await refusal("alpha", "--table", table, "--table", other, "-o", out)).toBe(
    `Error: --table is given twice, as ${table} and as ${other}, and takes one file here; leave one out.`,
  );
  await succeed("alpha", "--table", table, "--table", table, "-o", out);
  await succeed("table", "merge", "--table", table, "--table", other, "-o", out);
  const script = await refusal("train.ts", "--table", table, "--tree", tree, "--tree", other);
  expect(script).toMatch(/^Error: --tree is given twice/);
});
