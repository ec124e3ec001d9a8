import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { midpointRoot } from "./midpointRoot.ts";
import type { ParsedTree } from "./newick.ts";
import { readTree } from "./read.ts";
import { summarizeTree } from "./shape.ts";
import type { Tree } from "./tree.ts";

/** A tree whose root counts, and what is doubtful about it, each a sentence. */
export interface RootedTree {
  readonly tree: Tree;
  readonly warnings: readonly string[];
}

/**
 * Reads a tree for UniFrac or Faith's PD, which depend on its root. With `midpoint` "always" it is rooted
 * halfway between the two most distant tips, with "unrooted" where it says that it is unrooted; by
 * default such a tree is refused, with `cure` for the end of the sentence.
 * @throws UserError as `readTree` and `midpointRoot` do
 */
export function readRootedTree(
  path: string,
  { midpoint, cure = "root it" }: { readonly midpoint?: "always" | "unrooted"; readonly cure?: string } = {},
): RootedTree {
  const tree = readTree(path);
  const warnings = missingLengths(tree, path);
  if (midpoint === "always") return { tree: midpointRoot(tree, path), warnings };
  if (tree.rooted !== false) return { tree, warnings: [...warnings, ...perhapsUnrooted(tree, path)] };
  if (midpoint !== "unrooted")
    throw new UserError(`${path} says that it is unrooted, but UniFrac depends on the root; ${cure}.`);
  const rooted =
    "says that it is unrooted, but UniFrac depends on the root: it was put halfway between the two most distant tips.";
  return { tree: midpointRoot(tree, path), warnings: [...warnings, `${path} ${rooted}`] };
}

/** Programs that infer trees without a root write three or more branches at the place where they begin. */
function perhapsUnrooted(tree: ParsedTree, path: string): string[] {
  const { rootChildren } = summarizeTree(tree);
  if (tree.rooted === true || rootChildren < 3) return [];
  return [
    `${path} has ${rootChildren} branches at its root, as trees without a root have that FastTree, RAxML and IQ-TREE write, ` +
      "and UniFrac depends on the root: if it is unrooted, root it first (`aam unifrac` has --midpoint-root, and `prep` roots a tree that begins with [&U]).",
  ];
}

function missingLengths({ lengthMissing, names }: ParsedTree, path: string): string[] {
  const lacking = [...lengthMissing.keys()].filter((node) => node > 0 && lengthMissing[node] === 1);
  // A tree without any is refused by what needs them.
  if (lacking.length === 0 || lacking.length === names.length - 1) return [];
  const named = lacking.find((node) => names[node] !== "");
  const first = named === undefined ? "" : `, the first with a name above ${quote(names[named])}`;
  return [
    `${path} states no length for ${lacking.length} of its ${names.length - 1} branches${first}: they were taken for 0.`,
  ];
}
