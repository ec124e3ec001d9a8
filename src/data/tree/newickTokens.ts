const tab = 9;
const lineFeed = 10;
const carriageReturn = 13;
const blank = 32;
export const quoteCode = 39;
export const open = 40;
export const close = 41;
export const comma = 44;
export const colon = 58;
export const semicolon = 59;
export const openComment = 91;
export const closeComment = 93;

export function isBlank(code: number): boolean {
  return code === blank || code === lineFeed || code === carriageReturn || code === tab;
}

/**
 * The offset after a comment that starts at `at`, -1 if it is not closed. Comments nest;
 * `'[` inside one does not.
 */
export function skipComment(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === openComment && (depth === 0 || text.charCodeAt(i - 1) !== quoteCode)) depth++;
    else if (code === closeComment && --depth === 0) return i + 1;
  }
  return -1;
}

export function endOfBareText(text: string, at: number): number {
  let i = at;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // All delimiters lie below 64 but for the comment's bracket.
    if (code < 64) {
      if (code === comma || code === close || code === colon || code === open || code === semicolon) break;
      if (isBlank(code)) break;
    } else if (code === openComment || code === closeComment) break;
  }
  return i;
}

export function endOfQuotedText(text: string, at: number): number {
  for (let end = text.indexOf("'", at + 1); end >= 0; end = text.indexOf("'", end + 2)) {
    if (text.charCodeAt(end + 1) !== quoteCode) return end + 1;
  }
  return -1;
}
