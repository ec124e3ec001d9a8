/**
 * `source, line 3, column 14 (near "…text…")`: where `offset` is in a text, for error
 * messages. Counted from 1.
 */
export function locate(text: string, offset: number, source: string): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  const nextBreak = text.indexOf("\n", offset);
  const lineEnd = nextBreak < 0 ? text.length : nextBreak;
  const from = Math.max(lineStart, offset - 20);
  const to = Math.min(lineEnd, offset + 20);
  const excerpt = text.slice(from, to).trimEnd();
  const place = `${source}, line ${line}, column ${offset - lineStart + 1}`;
  if (excerpt === "") return place;
  return `${place} (near "${from > lineStart ? "…" : ""}${excerpt}${to < lineEnd ? "…" : ""}")`;
}
