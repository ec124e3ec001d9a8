/** TypeScript blocks of Markdown pages as modules that check what their comments say. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";

export interface Snippet {
  /** The name of its module. */
  file: string;
  source: string;
  /** `page:line` of each value that a comment gives. */
  checks: string[];
  /** Blocks with a file name of their own (a Worker's) are not run by themselves. */
  isNamed: boolean;
}

const prelude = 'import * as torch from "aam-bun/torch"; import { nn, optim } from "aam-bun/torch";';
const looksLikeValue = /^(throws\b|true\b|false\b|null\b|[-\d"[{])/;
const statement =
  /^(\s*)(?!(?:const|let|using|await using|return|import|for|if|class|function)\b)(\S.*);\s*$/;

/**
 * The ```` ```ts ```` blocks of a page. An expression followed by a comment that is JSON is checked to have
 * that value; `// throws "text"` expects an error whose message holds the text.
 * @throws Error for a comment that looks like a value but is none.
 */
export function snippetsOf(page: string): Snippet[] {
  const lines = readFileSync(join(projectRoot, page), "utf8").split("\n");
  const snippets: Snippet[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^```ts(?: (\S+))?$/.exec(lines[i]);
    if (!fence) continue;
    const first = i + 1;
    while (lines[++i] !== "```")
      if (i >= lines.length) throw new Error(`${page}:${first}: the block has no end`);
    const body = lines.slice(first, i);
    const checks: string[] = [];
    const code = body.map((line, at) => checked(line, `${page}:${first + at + 1}`, checks));
    const start = body.some((line) => /from "aam-(bun\/)?torch"/.test(line)) ? "" : prelude;
    const head = `import { expectThrow, expectValue } from "snippet-checks"; ${start}`;
    const file = fence[1] ?? `${basename(page, ".md")}-${first}.ts`;
    snippets.push({ file, source: [head, ...code, ""].join("\n"), checks, isNamed: fence[1] !== undefined });
  }
  return snippets;
}

function checked(line: string, place: string, checks: string[]): string {
  const parts = /^(.*?\S)\s*\/\/ (.*)$/.exec(line);
  if (!parts || !looksLikeValue.test(parts[2])) return line;
  const [, before, comment] = parts;
  const isThrow = comment.startsWith("throws ");
  const expression = statement.exec(before);
  let expected: unknown;
  try {
    expected = JSON.parse(isThrow ? comment.slice("throws ".length) : comment);
  } catch {
    throw new Error(`${place}: "${comment}" looks like a value, but is not JSON`);
  }
  if (!expression) throw new Error(`${place}: a value stands after something that is not an expression`);
  checks.push(place);
  const where = JSON.stringify(place);
  return isThrow
    ? `${expression[1]}expectThrow(() => (${expression[2]}), ${JSON.stringify(expected)}, ${where});`
    : `${expression[1]}expectValue((${expression[2]}), ${JSON.stringify(expected)}, ${where});`;
}
