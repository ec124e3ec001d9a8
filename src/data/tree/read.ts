import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { type ParsedTree, parseNewick } from "./newick.ts";

/**
 * Reads a tree: Newick text, gzipped or not, or a QIIME 2 artifact of type `Phylogeny[Rooted]` or
 * `Phylogeny[Unrooted]`. The content decides, not the file's name.
 * @throws UserError for a file that is missing, damaged or no tree, with line and column where there are any.
 */
export function readTree(path: string): ParsedTree {
  const bytes = readFileBytes(path);
  if (!isZip(bytes)) return parseNewick(decodeText(gunzipIfNeeded(bytes, path), path), path);

  const artifact = openQzaBytes(bytes, path);
  const kind = /^Phylogeny\[(Rooted|Unrooted)\]( %|$)/.exec(artifact.type)?.[1];
  if (kind === undefined) {
    throw new UserError(
      `${path} is a QIIME 2 artifact of type ${artifact.type}, not a tree; give one of type Phylogeny[Rooted] or Phylogeny[Unrooted].`,
    );
  }
  const source = `${path} (data/tree.nwk)`;
  const tree = parseNewick(decodeText(artifact.file("tree.nwk"), source), source);
  return { ...tree, rooted: kind === "Rooted" };
}
