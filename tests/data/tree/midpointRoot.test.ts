import { describe, expect, test } from "bun:test";
import { midpointRoot } from "../../../src/data/tree/midpointRoot.ts";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import { tipMask } from "../../../src/data/tree/shape.ts";
import type { Tree } from "../../../src/data/tree/tree.ts";
import { writeNewick } from "../../../src/data/tree/writeNewick.ts";
import cases from "../../fixtures/trees/midpoint.json";

const root = (text: string) => midpointRoot(parseNewick(text, "t.nwk"), "t.nwk");

function distanceToRoot(tree: Tree, node: number): number {
  let distance = 0;
  for (let at = node; at > 0; at = tree.parent[at]) distance += tree.length[at];
  return distance;
}

function distance(tree: Tree, a: number, b: number): number {
  let total = 0;
  for (let [x, y] = [a, b]; x !== y; ) {
    // The higher number cannot be an ancestor of the lower one.
    if (x > y) {
      total += tree.length[x];
      x = tree.parent[x];
    } else {
      total += tree.length[y];
      y = tree.parent[y];
    }
  }
  return total;
}

describe("midpointRoot", () => {
  test.each(cases)("agrees with scikit-bio on $newick", ({ newick, toRoot, cophenetic }) => {
    const tree = root(newick);
    const isTip = tipMask(tree);
    const tips = new Map(
      [...tree.names.entries()].filter(([node]) => isTip[node] === 1).map(([n, s]) => [s, n]),
    );
    expect(tips.size).toBe(Object.keys(toRoot).length);
    for (const [name, expected] of Object.entries(toRoot)) {
      expect(distanceToRoot(tree, tips.get(name)!)).toBeCloseTo(expected as number, 12);
    }
    for (const [pair, expected] of Object.entries(cophenetic)) {
      const [a, b] = pair.split(" ");
      expect(distance(tree, tips.get(a)!, tips.get(b)!)).toBeCloseTo(expected as number, 12);
    }
    for (let node = 1; node < tree.parent.length; node++) expect(tree.parent[node]).toBeLessThan(node);
  });

  test("puts the root on a branch, or on a node that is exactly halfway", () => {
    expect(writeNewick(root("((a:1,b:2):1,c:4);"))).toBe("(c:3.5,(a:1,b:2):1.5):0;\n");
    expect(writeNewick(root("(a:1,b:3)r;"))).toBe("(b:2,a:2):0;\n");
    expect(writeNewick(root("((a:1,b:2)x:1,c:3,d:1)r;"))).toBe("((a:1,b:2)x:1,c:3,d:1)r:0;\n");
  });

  test("merges the branches at an old root that joins only two, and drops a stem above the first fork", () => {
    expect(root("((a:4,b:1):1,c:1);").names).toHaveLength(5);
    expect(writeNewick(root("((((a:6,b:1)x:1,c:1)y:5)z:2)r:3;"))).toBe("(a:4,(b:1,c:2)x:2):0;\n");
  });

  test("leaves a tree of one tip alone, and is not confused by equal distances", () => {
    expect(writeNewick(root("(a:3)r:1;"))).toBe("(a:3)r:1;\n");
    expect(writeNewick(root("(a:1,b:1,c:1)r;"))).toBe("(a:1,b:1,c:1)r:0;\n");
  });

  test("refuses trees without lengths or with negative ones", () => {
    expect(() => root("((a,b),c);")).toThrow(
      "t.nwk cannot be rooted at its midpoint: it has no branch lengths",
    );
    expect(() => root("((a:1,b:-0.5):1,c:1);")).toThrow('the branch of "b" has the negative length -0.5');
  });

  test("roots a caterpillar of 50,000 levels", () => {
    const n = 50_000;
    const joints = Array.from({ length: n }, (_, i) => `,b${i}:1):1`).join("");
    const tree = root(`${"(".repeat(n)}a:1${joints};`);
    expect(tipMask(tree).reduce((sum, one) => sum + one, 0)).toBe(n + 1);
    expect(distanceToRoot(tree, tree.names.indexOf("a"))).toBe((n + 1) / 2);
  });
});
