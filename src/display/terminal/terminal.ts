import { writeSync } from "node:fs";

/** Where lines go. */
export interface Terminal {
  readonly columns: number;
  /** Standard output. */
  write(text: string): void;
  /** Standard error. */
  writeError(text: string): void;
}

/**
 * The process's own output. Written at once, as a training loop may not return to the event loop for long; a
 * reader that went away (`| head`) ends the output, not the training.
 */
export function standardTerminal(): Terminal {
  const gone = new Set<number>();
  const writeTo = (descriptor: number, text: string): void => {
    if (gone.has(descriptor)) return;
    const bytes = new TextEncoder().encode(text);
    for (let offset = 0; offset < bytes.length; ) {
      try {
        offset += writeSync(descriptor, bytes, offset);
      } catch (cause) {
        if ((cause as { code?: string }).code !== "EAGAIN") {
          gone.add(descriptor);
          return;
        }
        Bun.sleepSync(1);
      }
    }
  };
  return {
    get columns() {
      // A terminal that does not know its size says 0.
      return process.stdout.columns || 80;
    },
    write: (text) => writeTo(1, text),
    writeError: (text) => writeTo(2, text),
  };
}

/** Of a process that shows nothing: another one shows the same. */
export const silentTerminal: Terminal = { columns: 80, write: () => {}, writeError: () => {} };
