import { readRootedTree } from "../../data/tree/rootedTree.ts";
import type { Tree } from "../../data/tree/tree.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";

/** `readRootedTree`, whose warnings are shown. */
export function rootedTree(
  path: string,
  display: ProgressDisplay,
  options?: Parameters<typeof readRootedTree>[1],
): Tree {
  const { tree, warnings } = readRootedTree(path, options);
  for (const warning of warnings) display.warn(warning);
  return tree;
}
