import type { Random } from "../../common/random/random.ts";
import type { Tree } from "../tree/tree.ts";

/** Standard deviation of the logarithm of a branch's rate: how far lineages are from a common clock. */
const rateSpread = 0.3;

/**
 * A random rooted binary tree with `tips` tips: a pure birth process (Yule 1925), in which every lineage is
 * equally likely to split next, with a rate of its own for each branch. Lengths are expected substitutions
 * per site, `depth` from the root to a tip on average. Nodes have no names yet.
 */
export function simulatePhylogeny(tips: number, depth: number, random: Random): Tree {
  const birth = pureBirth(tips, random);
  const order = preorder(birth.children);
  const nodes = birth.parent.length;
  const position = new Int32Array(nodes);
  order.forEach((node, i) => {
    position[node] = i;
  });
  const parent = new Int32Array(nodes).fill(-1);
  const length = new Float64Array(nodes);
  const scale = depth / birth.age;
  for (let i = 1; i < nodes; i++) {
    const node = order[i];
    parent[i] = position[birth.parent[node]];
    const rate = Math.exp(rateSpread * random.normal() - rateSpread ** 2 / 2);
    length[i] = (birth.end[node] - birth.end[birth.parent[node]]) * scale * rate;
  }
  return { parent, length, names: new Array<string>(nodes).fill("") };
}

interface Birth {
  readonly parent: Int32Array;
  /** First child of each node, -1 for a tip; the second one is the next number. */
  readonly children: Int32Array;
  /** When each node split, or `age` for a tip. */
  readonly end: Float64Array;
  readonly age: number;
}

function pureBirth(tips: number, random: Random): Birth {
  const nodes = 2 * tips - 1;
  const parent = new Int32Array(nodes).fill(-1);
  const children = new Int32Array(nodes).fill(-1);
  const end = new Float64Array(nodes);
  const living = new Int32Array(tips);
  let time = 0;
  for (let count = 1, next = 1; count < tips; count++, next += 2) {
    if (count > 1) time -= Math.log(1 - random.float()) / count;
    const which = random.integer(count);
    const node = living[which];
    end[node] = time;
    children[node] = next;
    parent[next] = node;
    parent[next + 1] = node;
    living[which] = next;
    living[count] = next + 1;
  }
  const age = tips === 1 ? 1 : time - Math.log(1 - random.float()) / tips;
  for (let node = 0; node < nodes; node++) if (children[node] < 0) end[node] = age;
  return { parent, children, end, age };
}

function preorder(children: Int32Array): Int32Array {
  const order = new Int32Array(children.length);
  const open = [0];
  for (let i = 0; i < order.length; i++) {
    const node = open.pop()!;
    order[i] = node;
    if (children[node] >= 0) open.push(children[node] + 1, children[node]);
  }
  return order;
}

/** The nodes without children, in preorder. */
export function tipsOf(tree: Tree): Int32Array {
  const isParent = new Uint8Array(tree.parent.length);
  for (let node = 1; node < isParent.length; node++) isParent[tree.parent[node]] = 1;
  return Int32Array.from(isParent.keys().filter((node) => isParent[node] === 0));
}

/**
 * A trait that evolved along a tree by Brownian motion, so that relatives are alike, at each of `tips`; mean
 * 0 and standard deviation 1 over them (all 0 for a single tip).
 */
export function simulateTrait(tree: Tree, tips: Int32Array, random: Random): Float64Array {
  const values = new Float64Array(tree.parent.length);
  for (let node = 1; node < values.length; node++) {
    values[node] = values[tree.parent[node]] + Math.sqrt(tree.length[node]) * random.normal();
  }
  const trait = Float64Array.from(tips, (tip) => values[tip]);
  const mean = trait.reduce((sum, value) => sum + value, 0) / trait.length;
  const variance = trait.reduce((sum, value) => sum + (value - mean) ** 2, 0) / trait.length;
  const deviation = Math.sqrt(variance) || 1;
  return trait.map((value) => (value - mean) / deviation);
}
