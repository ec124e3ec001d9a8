import { cc } from "bun:ffi";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

/**
 * What an interrupted command leaves. JavaScript's own signal events come only between two turns of the event
 * loop, which a computation may not reach for minutes; so the signal is handled natively, at once.
 */
const sentence = "Interrupted; no file was left half-written.";

function compile() {
  return cc({
    source: fileURLToPath(new URL("./interrupt.c", import.meta.url)),
    symbols: {
      watch: { args: ["ptr"], returns: "void" },
      holdPath: { args: ["ptr"], returns: "int" },
      holdProcess: { args: ["int"], returns: "int" },
      releasePath: { args: ["int"], returns: "void" },
      releaseProcess: { args: ["int"], returns: "void" },
    },
  }).symbols;
}

let native: ReturnType<typeof compile> | undefined;

const bytesOf = (text: string) => new TextEncoder().encode(`${text}\0`);

/**
 * From now on SIGINT and SIGTERM end this process with one sentence and exit code 130 or 143; processes of
 * `endOnInterrupt` end and files of `removeOnInterrupt` go. To be called again by whoever has listened to
 * these signals otherwise. Where nothing can be compiled at run time (in a compiled program, say) the
 * system's default stays, and what an interrupted program leaves is removed by the next writer of the same
 * file.
 */
export function watchInterrupts(): void {
  if (!isMainThread) return;
  try {
    native ??= compile();
    // The bar of a terminal stays on its line.
    native.watch(bytesOf(`${isatty(2) ? "\n" : ""}${sentence}\n`));
  } catch {
    // See above.
  }
}

/** A file or folder that an interrupt removes, until the returned function is called. */
export function removeOnInterrupt(path: string): () => void {
  const slot = native?.holdPath(bytesOf(path)) ?? -1;
  return () => {
    if (slot >= 0) native?.releasePath(slot);
  };
}

/** A process that an interrupt ends, until the returned function is called. */
export function endOnInterrupt(process: number): () => void {
  const slot = native?.holdProcess(process) ?? -1;
  return () => {
    if (slot >= 0) native?.releaseProcess(slot);
  };
}
