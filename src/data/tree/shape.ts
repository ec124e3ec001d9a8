import { UserError } from "../../common/userError.ts";
import type { Tree } from "./tree.ts";

/**
 * Children of all nodes as compressed rows: those of node `i` are
 * `nodes[start[i] .. start[i + 1]]`, in order.
 */
export interface Children {
  readonly start: Int32Array;
  readonly nodes: Int32Array;
}

export function childrenOf(tree: Tree): Children {
  const count = tree.parent.length;
  const start = new Int32Array(count + 1);
  for (let node = 1; node < count; node++) start[tree.parent[node] + 1]++;
  for (let node = 0; node < count; node++) start[node + 1] += start[node];
  const next = start.slice(0, count);
  const nodes = new Int32Array(Math.max(0, count - 1));
  for (let node = 1; node < count; node++) nodes[next[tree.parent[node]]++] = node;
  return { start, nodes };
}

/** 1 for every node without children. */
export function tipMask(tree: Tree): Uint8Array {
  const mask = new Uint8Array(tree.parent.length).fill(1);
  for (let node = 1; node < mask.length; node++) mask[tree.parent[node]] = 0;
  return mask;
}

/** What `info` tells about a tree. */
export interface TreeSummary {
  readonly tips: number;
  readonly nodes: number;
  /** Sum of all lengths, that of the root included. */
  readonly totalLength: number;
  /** Children of the root; more than two suggest an unrooted tree. */
  readonly rootChildren: number;
  /** Branches between the root and the farthest tip. */
  readonly depth: number;
  readonly unnamedTips: number;
  /** Names that more than one tip bears, at most five of them. */
  readonly repeatedTipNames: readonly string[];
  readonly negativeLengths: number;
}

export function summarizeTree(tree: Tree): TreeSummary {
  const isTip = tipMask(tree);
  const depths = new Int32Array(isTip.length);
  const names = new Set<string>();
  const repeated = new Set<string>();
  const totals = { tips: 0, totalLength: 0, rootChildren: 0, depth: 0, unnamedTips: 0, negativeLengths: 0 };
  for (let node = 0; node < isTip.length; node++) {
    totals.totalLength += tree.length[node];
    if (tree.length[node] < 0) totals.negativeLengths++;
    if (node > 0) {
      depths[node] = depths[tree.parent[node]] + 1;
      if (tree.parent[node] === 0) totals.rootChildren++;
      if (depths[node] > totals.depth) totals.depth = depths[node];
    }
    if (isTip[node] === 0) continue;
    totals.tips++;
    const name = tree.names[node];
    if (name === "") totals.unnamedTips++;
    else if (names.has(name)) repeated.add(name);
    else names.add(name);
  }
  return { ...totals, nodes: isTip.length, repeatedTipNames: [...repeated].slice(0, 5) };
}

/**
 * Node number of every named tip. `source` names the tree in errors.
 * @throws UserError if two tips bear one name.
 */
export function indexTips(tree: Tree, source: string): Map<string, number> {
  const isTip = tipMask(tree);
  const index = new Map<string, number>();
  for (let node = 0; node < isTip.length; node++) {
    if (isTip[node] === 0 || tree.names[node] === "") continue;
    if (index.has(tree.names[node])) {
      throw new UserError(
        `${source} has two tips named "${tree.names[node]}"; make the names of its tips unique.`,
      );
    }
    index.set(tree.names[node], node);
  }
  return index;
}
