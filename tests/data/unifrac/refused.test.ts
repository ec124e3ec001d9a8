import { expect, test } from "bun:test";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import {
  checkMetric,
  faithPd,
  type UniFracOptions,
  uniFracAllPairs,
} from "../../../src/data/unifrac/index.ts";
import { tableOf } from "../../helpers/uniFracTables.ts";

const counts = [
  [1, 2],
  [3, 0],
];

async function refusal(
  newick: string,
  asvIds = ["a", "b"],
  rows = counts,
  options: UniFracOptions = {},
): Promise<string> {
  const tree = parseNewick(newick, "tree.nwk");
  try {
    await uniFracAllPairs(tableOf(rows, asvIds), tree, { treeSource: "tree.nwk", ...options });
  } catch (cause) {
    if (cause instanceof Error && cause.name === "UserError") return cause.message;
    throw cause;
  }
  return "nothing";
}

test("a table and a tree that do not fit are refused with the names at fault", async () => {
  expect(await refusal("(a:1,c:2);")).toMatch(
    /^tree.nwk has no tip for 1 of the table's 2 ASVs \("b"\); use the tree/,
  );
  expect(await refusal("(x:1,(y:2,z:1)b:1);")).toMatch(
    /^tree.nwk has none of the table's 2 ASVs as a tip \("a", "b"\)/,
  );
  expect(await refusal("((a:1,b:2):1,a:1);")).toMatch(/^tree.nwk has more than one tip named "a"/);
  expect(await refusal("(a:1,b:2);", ["a", "a"])).toMatch(/^The table has more than one ASV named "a"/);
});

test("a tree without usable lengths is refused", async () => {
  expect(await refusal("((a,b),c);")).toMatch(/^tree.nwk has no branch lengths/);
  expect(await refusal("((a:0,b:0):0,c:5):7;")).toMatch(
    /^tree.nwk has no branch lengths \(or only zeros\) above the table's ASVs/,
  );
  expect(await refusal("((a:1,b:-0.5):1,c:5);")).toMatch(
    /^tree.nwk has a branch of length -0.5 above "b"; .* set negative ones to 0/,
  );
  expect(await refusal("((a:1,b:1):-1,c:5);")).toMatch(/^tree.nwk has a branch of length -1; /);
});

test("what does not touch the table's ASVs is ignored", async () => {
  expect(await refusal("((a:1,b:1):1,(c:-5,c:5),:1);")).toBe("nothing");
});

test("counts that cannot be are refused with their place", async () => {
  const message =
    /^The count of ASV "b" in sample "sample 1" is (-3|NaN|Infinity); UniFrac and Faith's PD need counts/;
  for (const count of [-3, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(
      await refusal(
        "(a:1,b:1);",
        ["a", "b"],
        [
          [1, 2],
          [0, count],
        ],
      ),
    ).toMatch(message);
  }
  expect(() =>
    faithPd(
      tableOf(
        [
          [1, 2],
          [0, -3],
        ],
        ["a", "b"],
      ),
      parseNewick("(a:1,b:1);", "tree"),
    ),
  ).toThrow(message);
});

test("options that make no sense are refused", async () => {
  for (const alpha of [-0.1, 1.5, Number.NaN]) {
    expect(await refusal("(a:1,b:1);", ["a", "b"], counts, { metric: "generalized", alpha })).toBe(
      `alpha must be between 0 and 1, got ${alpha}.`,
    );
  }
  expect(checkMetric("weighted")).toBe("weighted_normalized");
  expect(() => checkMetric("braycurtis")).toThrow(
    /"braycurtis" is not a UniFrac metric; choose one of unweighted, /,
  );
});

test("a table without samples or with one has no distances", async () => {
  const tree = parseNewick("(a:1,b:1);", "tree");
  expect((await uniFracAllPairs(tableOf([], ["a", "b"]), tree)).length).toBe(0);
  expect((await uniFracAllPairs(tableOf([[1, 2]], ["a", "b"]), tree, { denseShare: 0 })).length).toBe(0);
  expect([
    ...faithPd(
      tableOf(
        [
          [1, 0],
          [0, 0],
        ],
        ["a", "b"],
      ),
      tree,
    ),
  ]).toEqual([1, 0]);
});

test("a very deep tree needs no recursion", async () => {
  const depth = 100_000;
  const newick = `${"(".repeat(depth)}a:1${",b:1):1".repeat(1)}${",:1):1".repeat(depth - 1)};`;
  const tree = parseNewick(newick, "tree");
  expect(await uniFracAllPairs(tableOf(counts, ["a", "b"]), tree, { precision: "float64" })).toEqual(
    Float64Array.of(1 / (depth + 1)),
  );
});
