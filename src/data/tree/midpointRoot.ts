import { UserError } from "../../common/userError.ts";
import { type Children, childrenOf, tipMask } from "./shape.ts";
import type { Tree } from "./tree.ts";

/**
 * Roots a tree halfway between its two most distant tips (Farris 1972). Where several pairs are equally
 * distant the first in the tree's order decides. If the midpoint falls on a node, that node becomes the root;
 * otherwise a new, unnamed one is put on the branch. The old root stays only if it still joins more than two
 * branches; a length on it means nothing in an unrooted tree and is dropped. A tree of fewer than two tips is
 * returned as it is. `source` names the tree in errors.
 *
 * @throws UserError if the lengths are all 0 or one is negative: there is no midpoint then.
 */
export function midpointRoot(tree: Tree, source: string): Tree {
  const isTip = tipMask(tree);
  const tips = isTip.reduce((sum, one) => sum + one, 0);
  if (tips < 2) return tree;
  const negative = tree.length.findIndex((length, node) => node > 0 && length < 0);
  if (negative > 0) {
    throw new UserError(
      `${source} cannot be rooted at its midpoint: the branch of ${nameOf(tree, negative)} has the negative length ${tree.length[negative]}; set it to 0 or root the tree with another program.`,
    );
  }
  const children = childrenOf(tree);
  // A stem of single children above the first fork joins nothing once the tree is seen as unrooted.
  let fork = 0;
  while (children.start[fork + 1] - children.start[fork] === 1) fork++;

  const path = farthestTips(tree, isTip);
  if (path.distance === 0) {
    throw new UserError(
      `${source} cannot be rooted at its midpoint: it has no branch lengths; give a tree with lengths or one that is rooted.`,
    );
  }
  // From the deeper tip towards the other: the branch above `below` holds the midpoint.
  const half = path.distance / 2;
  let below = path.tip;
  let climbed = 0;
  while (climbed + tree.length[below] < half && tree.parent[below] > fork) {
    climbed += tree.length[below];
    below = tree.parent[below];
  }
  const beneath = Math.min(half - climbed, tree.length[below]);
  return reroot(tree, children, fork, below, beneath);
}

/**
 * The longest path between two tips: its length, and the end of it that lies farther
 * from their common ancestor.
 */
function farthestTips(tree: Tree, isTip: Uint8Array): { distance: number; tip: number } {
  const count = isTip.length;
  const reach = new Float64Array(count);
  const reachTip = new Int32Array(count);
  const hasReach = Uint8Array.from(isTip);
  for (let node = 0; node < count; node++) reachTip[node] = node;
  let best = { distance: -1, tip: -1 };
  // Backwards through the preorder the later siblings come first, so `>=` prefers the first of equals.
  for (let node = count - 1; node > 0; node--) {
    const parent = tree.parent[node];
    const through = reach[node] + tree.length[node];
    if (hasReach[parent] === 1) {
      const distance = through + reach[parent];
      if (distance >= best.distance) {
        best = { distance, tip: reach[parent] > through ? reachTip[parent] : reachTip[node] };
      }
    }
    if (hasReach[parent] === 0 || through >= reach[parent]) {
      hasReach[parent] = 1;
      reach[parent] = through;
      reachTip[parent] = reachTip[node];
    }
  }
  return best;
}

/**
 * Roots the tree, whose root is `fork` so far, on the branch above `below`, at distance
 * `beneath` from that node.
 */
function reroot(tree: Tree, children: Children, fork: number, below: number, beneath: number): Tree {
  const onNode = beneath === tree.length[below];
  const top = tree.parent[below];

  // Walks the tree as seen from the new root. `from` is the neighbour a node was
  // reached from, in old numbers.
  const parent: number[] = [];
  const length: number[] = [];
  const names: string[] = [];
  const stack: { node: number; from: number; parent: number; length: number }[] = [];
  if (onNode) {
    stack.push({ node: top, from: -1, parent: -1, length: 0 });
  } else {
    parent.push(-1);
    length.push(0);
    names.push("");
    stack.push({ node: top, from: below, parent: 0, length: tree.length[below] - beneath });
    stack.push({ node: below, from: top, parent: 0, length: beneath });
  }
  const neighbours: number[] = [];
  while (stack.length > 0) {
    const step = stack.pop()!;
    neighbours.length = 0;
    for (let i = children.start[step.node]; i < children.start[step.node + 1]; i++) {
      if (children.nodes[i] !== step.from) neighbours.push(children.nodes[i]);
    }
    const up = step.node === fork ? -1 : tree.parent[step.node];
    if (up >= 0 && up !== step.from) neighbours.push(up);

    const lengthTo = (neighbour: number): number => tree.length[neighbour === up ? step.node : neighbour];
    if (step.node === fork && step.parent >= 0 && neighbours.length === 1) {
      // The old root joins only two branches now: they become one.
      const [node] = neighbours;
      stack.push({ node, from: fork, parent: step.parent, length: step.length + lengthTo(node) });
      continue;
    }
    const number = parent.length;
    parent.push(step.parent);
    length.push(step.length);
    names.push(tree.names[step.node]);
    for (let i = neighbours.length - 1; i >= 0; i--) {
      stack.push({ node: neighbours[i], from: step.node, parent: number, length: lengthTo(neighbours[i]) });
    }
  }
  return { parent: Int32Array.from(parent), length: Float64Array.from(length), names };
}

function nameOf(tree: Tree, node: number): string {
  return tree.names[node] === "" ? `node ${node}` : `"${tree.names[node]}"`;
}
