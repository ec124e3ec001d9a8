import { UserError } from "../../common/userError.ts";
import type { Tree } from "./tree.ts";

/** What a text is that begins like another format than Newick, and what to do about it. */
function otherFormat(text: string): readonly [what: string, cure: string] | undefined {
  const head = text
    .slice(0, 4096)
    .replace(/^\ufeff/, "")
    .trimStart();
  const asNewick = "export its tree as Newick";
  if (/^#NEXUS/i.test(head)) return ["a NEXUS file", asNewick];
  if (head.startsWith(">")) return ["a FASTA file", "give the tree that was made of its sequences"];
  if (head.startsWith("{") && text.includes('"placements"')) {
    return [
      "a placement file (.jplace of SEPP, EPA-ng or pplacer)",
      "graft the placed sequences onto its tree, with gappa (examine graft), guppy (tog) or QIIME 2's fragment-insertion, and give that tree",
    ];
  }
  if (head.startsWith("{")) return ["JSON", asNewick];
  if (!head.startsWith("<")) return undefined;
  const name = /phyloxml/i.test(head)
    ? "a PhyloXML file"
    : /nexml/i.test(head)
      ? "a NeXML file"
      : "XML or HTML";
  return [name, asNewick];
}

/** @throws UserError for a text that begins as NEXUS, placement files, PhyloXML, NeXML or FASTA do. */
export function refuseOtherTreeFormats(text: string, source: string): void {
  const other = otherFormat(text);
  if (other !== undefined) throw new UserError(`${source} is ${other[0]}, not a Newick tree; ${other[1]}.`);
}

/**
 * `(a:0,5,b:0,7)` is Newick, of the tips "a", "5", "b" and "7", but nobody means it so.
 * @throws UserError if most lengths are whole numbers that a sibling without a length
 * follows whose name is a number.
 */
export function refuseDecimalCommas(
  { names, length, parent, lengthMissing }: Tree & { readonly lengthMissing: Uint8Array },
  source: string,
): void {
  const siblingBefore = new Int32Array(names.length).fill(-1);
  let [lengths, fractions] = [0, 0];
  for (let node = 1; node < names.length; node++) {
    if (lengthMissing[node] === 0) lengths++;
    const before = siblingBefore[parent[node]];
    siblingBefore[parent[node]] = node;
    if (lengthMissing[node] === 0 || before < 0 || lengthMissing[before] === 1) continue;
    if (Number.isInteger(length[before]) && /^\d+(e-?\d+)?$/i.test(names[node])) fractions++;
  }
  if (fractions < 2 || 2 * fractions < lengths) return;
  throw new UserError(
    `${source} has branch lengths with decimal commas (${fractions} whole lengths with a number behind the comma); write decimal points.`,
  );
}
