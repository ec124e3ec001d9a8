/** Trees for UniFrac: what is doubtful about root and lengths is said. */
import { expect, test } from "bun:test";
import { readRootedTree } from "../../../src/data/tree/rootedTree.ts";
import { refusal, run } from "../../helpers/commandLine.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const tree = (text: string) => scratch.write("t.nwk", text);

test("a tree of two branches at its root with all lengths has no doubts", () => {
  expect(readRootedTree(tree("((a:1,b:2):1,(c:1,d:3):0.5);")).warnings).toEqual([]);
  expect(readRootedTree(tree("[&R](a:1,b:2,(c:1,d:3):0.5);")).warnings).toEqual([]);
});

test("three branches at the root are told, unless the tree says where its root is", () => {
  const three = tree("(a:1,b:2,(c:1,d:3):0.5);");
  expect(readRootedTree(three).warnings).toEqual([expect.stringMatching(/has 3 branches at its root/)]);
  expect(readRootedTree(three, { midpoint: "always" }).warnings).toEqual([]);
});

test("lengths that are not stated are told", () => {
  expect(readRootedTree(tree("((a:1,b):1,(c:1,d:3));")).warnings).toEqual([
    expect.stringMatching(/no length for 2 of its 6 branches, the first with a name above "b"/),
  ]);
});

test("an unrooted tree is refused or rooted halfway", () => {
  const path = tree("[&U](a:1,b:2,c:6);");
  expect(userErrorOf(() => readRootedTree(path))).toMatch(/says that it is unrooted.*; root it\.$/);
  const { tree: rooted, warnings } = readRootedTree(path, { midpoint: "unrooted" });
  expect(rooted.length[rooted.names.indexOf("c")]).toBe(4);
  expect(warnings).toEqual([expect.stringMatching(/put halfway/)]);
});

test("no command takes an unrooted tree for a rooted one", async () => {
  const table = scratch.write("t.tsv", "#OTU ID\tS1\tS2\tS3\na\t15\t10\t9\nb\t12\t14\t0\nc\t0\t20\t30\n");
  const metadata = scratch.write("m.tsv", "id\tg\nS1\tx\nS2\tx\nS3\ty\n");
  const out = scratch.path("o.tsv");
  const group = ["--metadata", metadata, "--column", "g"];
  for (const [command, ...options] of [
    ["unifrac", "-o", out],
    ["alpha", "-o", out],
    ["rarefaction", "-o", out],
    ["pcoa", "-o", out],
    ["permanova", ...group],
    ["anosim", ...group],
  ]) {
    const line = (text: string) => [command, "--table", table, "--tree", tree(text), ...options];
    expect(await refusal(...line("[&U](a:1,b:2,c:6);"))).toMatch(/says that it is unrooted/);
    const { code, error } = await run(...line("(a:1,b:2,c:6);"));
    expect([code, error]).toEqual([0, expect.stringMatching(/Warning: .*3 branches at its root/)]);
  }
});
