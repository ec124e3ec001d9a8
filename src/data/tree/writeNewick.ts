import type { Tree } from "./tree.ts";

/**
 * The tree as one line of Newick text that ends with `;` and a line break. Every length is written (shortest
 * decimal that reads back as the same number) unless `lengthMissing` marks it; labels that other programs
 * could misread (blanks, underscores, brackets, quotes) are quoted.
 */
export function writeNewick(tree: Tree & { readonly lengthMissing?: Uint8Array }): string {
  const count = tree.parent.length;
  const parts: string[] = [];
  const open: number[] = [];
  const close = (node: number): void => {
    parts.push(describe(tree, node));
  };
  for (let node = 0; node < count; node++) {
    // Leave the groups that do not hold this node.
    while (open.length > 0 && open[open.length - 1] !== tree.parent[node]) {
      parts.push(")");
      close(open.pop()!);
    }
    if (node > 0 && node - 1 !== tree.parent[node]) parts.push(",");
    if (tree.parent[node + 1] === node) {
      parts.push("(");
      open.push(node);
    } else {
      close(node);
    }
  }
  while (open.length > 0) {
    parts.push(")");
    close(open.pop()!);
  }
  parts.push(";\n");
  return parts.join("");
}

function describe(tree: Tree & { readonly lengthMissing?: Uint8Array }, node: number): string {
  const label = quoteLabel(tree.names[node]);
  return tree.lengthMissing?.[node] === 1 ? label : `${label}:${tree.length[node]}`;
}

function quoteLabel(name: string): string {
  return /[\s()[\]{}:;,'_]/.test(name) ? `'${name.replaceAll("'", "''")}'` : name;
}
