// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be replaced
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]|\p{Surrogate}/gu;

/**
 * Puts the replacement character where XML and HTML allow none, not even escaped (NUL,
 * half a surrogate pair, ...).
 */
export function replaceForbidden(text: string): string {
  return text.replace(forbidden, "\ufffd");
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Makes any text safe as content or as a quoted attribute value of XML and HTML. */
export function escapeXml(text: string): string {
  return replaceForbidden(text).replace(/[&<>"']/g, (character) => entities[character]);
}
