import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../alikeIds.ts";
import { tipMask } from "../tree/shape.ts";
import type { Tree } from "../tree/tree.ts";

/** The part of a tree that a table touches, nodes in preorder as in `Tree`. */
export interface ShearedTree {
  readonly parent: Int32Array;
  /**
   * Branch lengths; nodes with a single remaining child are merged into it and their
   * lengths added. The root's is 0.
   */
  readonly length: Float64Array;
  /** The node of each ASV of the table. */
  readonly tipOfAsv: Int32Array;
}

const shown = (ids: readonly string[]): string =>
  ids
    .slice(0, 5)
    .map((id) => quote(id.length > 40 ? `${id.slice(0, 37)}...` : id))
    .join(", ") + (ids.length > 5 ? ", ..." : "");

function nameAt(tree: Tree, node: number): string {
  return tree.names[node] === "" ? "" : ` above "${tree.names[node]}"`;
}

/**
 * The tree's tip of each ASV.
 * @throws UserError for ASVs without a tip, or with more than one, and for repeated ASVs.
 */
function matchTips(tree: Tree, asvIds: readonly string[], source: string): Int32Array {
  const isTip = tipMask(tree);
  const wanted = new Map(asvIds.map((id, asv) => [id, asv]));
  if (wanted.size < asvIds.length) {
    const again = asvIds.filter((id, asv) => wanted.get(id) !== asv);
    throw new UserError(`The table has more than one ASV named ${shown(again)}; make the names unique.`);
  }
  const nodeOfAsv = new Int32Array(asvIds.length).fill(-1);
  const repeated: string[] = [];
  for (let node = 0; node < tree.parent.length; node++) {
    if (!isTip[node]) continue;
    const asv = wanted.get(tree.names[node]);
    if (asv === undefined) continue;
    if (nodeOfAsv[asv] >= 0) repeated.push(tree.names[node]);
    nodeOfAsv[asv] = node;
  }
  if (repeated.length > 0) {
    throw new UserError(
      `${source} has more than one tip named ${shown(repeated)}; every ASV needs exactly one tip: make the names unique.`,
    );
  }
  const missing = asvIds.filter((_, asv) => nodeOfAsv[asv] < 0);
  if (missing.length > 0) {
    const none = missing.length === asvIds.length;
    const tipNames = () => tree.names.filter((name, node) => isTip[node] === 1 && !wanted.has(name));
    throw new UserError(
      `${source} has ${none ? "none" : `no tip for ${missing.length}`} of the table's ${asvIds.length} ASVs${none ? " as a tip" : ""} ` +
        `(${shown(missing)})${alikeIds(missing, tipNames())}; use the tree that was made from this table's sequences.`,
    );
  }
  return nodeOfAsv;
}

/**
 * Cuts a tree down to the ASVs of a table: branches without any are left out, chains become one branch.
 * A length on the root itself does not count; a stem between the root and the last common ancestor
 * does, as in unifrac-binaries.
 * @throws UserError if an ASV is no tip of the tree, if a name repeats, if no branch has a
 * length or if one is negative.
 */
export function shearTree(tree: Tree, asvIds: readonly string[], source = "The tree"): ShearedTree {
  const nodeOfAsv = matchTips(tree, asvIds, source);
  const count = tree.parent.length;
  const needed = new Uint8Array(count);
  const neededChildren = new Int32Array(count);
  for (const node of nodeOfAsv) needed[node] = 1;
  for (let node = count - 1; node > 0; node--) {
    if (!needed[node]) continue;
    needed[tree.parent[node]] = 1;
    neededChildren[tree.parent[node]]++;
  }
  // Node of the sheared tree for each old one; a merged node has its only child's, found from
  // the last node backwards.
  const isKept = (node: number) => node === 0 || (needed[node] === 1 && neededChildren[node] !== 1);
  const newNode = new Int32Array(count).fill(-1);
  const parent: number[] = [];
  const length: number[] = [];
  // Per old node: the kept node above it, and the length between that node and it.
  const keptAbove = new Int32Array(count);
  const lengthAbove = new Float64Array(count);
  for (let node = 0; node < count; node++) {
    if (!needed[node] && node !== 0) continue;
    const above = tree.parent[node];
    if (node > 0 && !(tree.length[node] >= 0 && tree.length[node] < Number.POSITIVE_INFINITY)) {
      throw new UserError(
        `${source} has a branch of length ${tree.length[node]}${nameAt(tree, node)}; UniFrac needs lengths that are finite and at least 0: ` +
          "set negative ones to 0.",
      );
    }
    const branch = node === 0 ? 0 : lengthAbove[above] + tree.length[node];
    if (isKept(node)) {
      newNode[node] = parent.length;
      parent.push(node === 0 ? -1 : keptAbove[above]);
      length.push(branch);
      keptAbove[node] = newNode[node];
      lengthAbove[node] = 0;
    } else {
      keptAbove[node] = keptAbove[above];
      lengthAbove[node] = branch;
    }
  }
  if (asvIds.length > 0 && !length.some((value) => value !== 0)) {
    throw new UserError(
      `${source} has no branch lengths (or only zeros) above the table's ASVs; UniFrac needs a tree with branch lengths.`,
    );
  }
  const tipOfAsv = nodeOfAsv.map((node) => newNode[node]);
  return { parent: Int32Array.from(parent), length: Float64Array.from(length), tipOfAsv };
}
