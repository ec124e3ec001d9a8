import { parseNumberAt } from "../../common/parseNumber.ts";
import { UserError } from "../../common/userError.ts";
import { locate } from "../../formats/textPlace.ts";
import { TreeBuilder } from "./builder.ts";
import {
  close,
  closeComment,
  colon,
  comma,
  endOfBareText,
  endOfQuotedText,
  isBlank,
  open,
  openComment,
  quoteCode,
  semicolon,
  skipComment,
} from "./newickTokens.ts";
import { refuseDecimalCommas, refuseOtherTreeFormats } from "./notNewick.ts";
import type { Tree } from "./tree.ts";

/** A tree with what its text says beyond `Tree`. */
export interface ParsedTree extends Tree {
  /** 1 for nodes whose text states no length (their `length` is 0). */
  readonly lengthMissing: Uint8Array;
  /**
   * What the text or artifact declares (`[&R]`, `[&U]`, `Phylogeny[Rooted]`);
   * undefined where it says nothing.
   */
  readonly rooted: boolean | undefined;
}

// What has been read of the node at hand.
const nothing = 0;
const children = 1;
const label = 2;
const length = 3;

/**
 * Parses one Newick tree. `source` names the text in errors.
 *
 * Labels are kept as they are written: an underscore stays an underscore (as QIIME 2 and unifrac-binaries
 * do). Quoted labels (`''` is a quote), nested comments, lengths in scientific notation, missing lengths,
 * unnamed nodes, single-child nodes and multifurcations are read; depth is bounded by memory only. Unlike
 * scikit-bio this refuses a second length (`a:1:2`), text or a second tree after the semicolon, and the
 * lengths `nan` and `inf`, and `''` is an empty name. Negative lengths, unnamed tips and tips of the same
 * name are read: whoever needs better asks `summarizeTree` or `indexTips`.
 *
 * @throws UserError that names line, column and cure.
 */
export function parseNewick(text: string, source: string): ParsedTree {
  const nodes = new TreeBuilder(Math.min(2 ** 20, 16 + (text.length >>> 3)));
  let rooted: boolean | undefined;
  let seen = nothing;
  let node = -1;
  let parent = -1;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  refuseOtherTreeFormats(text, source);

  const refuse = (offset: number, problem: string): UserError =>
    new UserError(`${locate(text, offset, source)}: ${problem}.`);

  for (;;) {
    const code = at < text.length ? text.charCodeAt(at) : -1;
    if (isBlank(code)) {
      at++;
      continue;
    }
    if (code === openComment) {
      const end = skipComment(text, at);
      if (end < 0) throw refuse(at, unclosedComment);
      if (node < 0 && parent < 0) rooted = declaredRooting(text, at, end) ?? rooted;
      at = end;
      continue;
    }
    if (code === open) {
      if (seen !== nothing) {
        const after = seen === children ? "a closed group" : seen === label ? "a label" : "a length";
        throw refuse(at, `"(" cannot follow ${after}; put a comma between siblings`);
      }
      parent = nodes.add(parent);
      at++;
      continue;
    }
    if (code < 0) throw refuse(at, describeEnd(text, nodes.count, parent, nodes));
    if (code === closeComment) throw refuse(at, '"]" has no matching "["; quote a label that contains it');
    if (parent < 0 && (code === comma || code === close)) {
      const what =
        code === comma
          ? "a comma stands outside all parentheses; put the tree in parentheses"
          : 'this ")" has no matching "("; remove it or add what is missing';
      throw refuse(at, what);
    }
    if (seen === nothing) node = nodes.add(parent);

    if (code === comma) {
      seen = nothing;
      at++;
    } else if (code === close) {
      node = parent;
      parent = nodes.parentOf(parent);
      seen = children;
      at++;
    } else if (code === semicolon) {
      if (parent >= 0) {
        if (/^;\w+=/.test(text.slice(at, at + 40)))
          throw refuse(
            at,
            'a label goes on with ";" (as in ;size=12), which ends a tree; quote the label, or cut it there',
          );
        throw refuse(
          at,
          `${openGroups(nodes, parent)} still open at the end of the tree; add the missing ")"`,
        );
      }
      at++;
      break;
    } else if (code === colon) {
      if (seen === length) throw refuse(at, "this node has a second length; keep one");
      at = startOfLength(text, at + 1, refuse);
      const end = endOfBareText(text, at);
      const value = parseNumberAt(text, at, end);
      if (Number.isNaN(value)) throw refuse(at, describeLength(text.slice(at, end)));
      nodes.setLength(node, value);
      seen = length;
      at = end;
    } else {
      const end = code === quoteCode ? endOfQuotedText(text, at) : endOfBareText(text, at);
      if (end < 0)
        throw refuse(at, "this quoted label is not closed; add the missing quote, or double a quote inside");
      if (seen === label || seen === length) throw refuse(at, describeStrayLabel(text, at, end, seen));
      nodes.setName(node, readLabel(text, at, end, refuse));
      seen = label;
      at = end;
    }
  }
  refuseRest(text, at, refuse);
  const tree = nodes.finish();
  refuseDecimalCommas(tree, source);
  return { ...tree, rooted };
}

const unclosedComment = 'this comment is not closed; add the missing "]"';

type Refuse = (offset: number, problem: string) => UserError;

/** Programs write annotations between the colon and the length: `a:[&rate=1]0.5`. */
function startOfLength(text: string, from: number, refuse: Refuse): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (isBlank(code)) at++;
    else if (code === openComment) {
      const end = skipComment(text, at);
      if (end < 0) throw refuse(at, unclosedComment);
      at = end;
    } else return at;
  }
}

function declaredRooting(text: string, at: number, end: number): boolean | undefined {
  if (end - at > 8) return undefined;
  const comment = text.slice(at, end).toUpperCase();
  return comment === "[&R]" ? true : comment === "[&U]" ? false : undefined;
}

function readLabel(text: string, at: number, end: number, refuse: Refuse): string {
  if (text.charCodeAt(at) === quoteCode) return text.slice(at + 1, end - 1).replaceAll("''", "'");
  const bare = text.slice(at, end);
  if (!bare.includes("'")) return bare;
  if (bare.replaceAll("''", "").includes("'")) {
    throw refuse(
      at + bare.indexOf("'"),
      "a quote stands inside a label; double it, or quote the whole label",
    );
  }
  return bare.replaceAll("''", "'");
}

function describeLength(written: string): string {
  if (written === "") return "there is no length after the colon; write a number or remove the colon";
  if (/\{\d+\}$/.test(written)) {
    return `the length "${written}" carries an edge number as in placement files; export the tree as plain Newick`;
  }
  return `the length "${written.slice(0, 40)}" is not a finite decimal number; write one such as 0.05 or 1e-9`;
}

function describeStrayLabel(text: string, at: number, end: number, seen: number): string {
  const found = `"${text.slice(at, Math.min(end, at + 40))}"`;
  return seen === length
    ? `${found} follows a length; a label stands before the colon, and siblings need a comma between them`
    : `${found} follows a label; quote a label with blanks ('like this'), or put a comma between siblings`;
}

function openGroups(nodes: TreeBuilder, parent: number): string {
  let count = 0;
  for (let node = parent; node >= 0; node = nodes.parentOf(node)) count++;
  return count === 1 ? "1 parenthesis is" : `${count} parentheses are`;
}

function describeEnd(text: string, count: number, parent: number, nodes: TreeBuilder): string {
  if (text.trim() === "") return "there is no tree, the text is empty; give a Newick tree";
  if (parent >= 0) {
    return `the text ends while ${openGroups(nodes, parent)} still open; it is cut off or not Newick, obtain it again`;
  }
  if (count === 0)
    return 'there is no tree before the end of the text; give a Newick tree that ends with ";"';
  return 'the ";" at the end of the tree is missing; if the file is complete, add it';
}

/** Only blanks and comments may follow a tree. */
function refuseRest(text: string, from: number, refuse: Refuse): void {
  for (let at = from; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (isBlank(code)) at++;
    else if (code === openComment) {
      const end = skipComment(text, at);
      if (end < 0) throw refuse(at, unclosedComment);
      at = end;
    } else {
      throw refuse(at, 'text follows the ";" that ends the tree; keep one tree in the file');
    }
  }
}
