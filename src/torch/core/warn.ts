const said = new Set<string>();

/**
 * Tells what is allowed and probably not meant, once per text, as Python's `warnings.warn` does: Node's
 * process warnings (`process.on("warning", ...)` sees them) of the name TorchWarning.
 */
export function warn(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  process.emitWarning(text, "TorchWarning");
}
