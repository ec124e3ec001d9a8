import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that exists while the tests of a file run. */
export interface Scratch {
  readonly path: (name: string) => string;
  /** Writes a file and returns its path. */
  readonly write: (name: string, content: string | Uint8Array) => string;
}

export function useScratch(): Scratch {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "aam-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = (name: string) => join(folder, name);
  return {
    path,
    write(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
  };
}

/** The text of the `UserError` that `run` throws; anything else fails the test. */
export function userErrorOf(run: () => unknown): string {
  try {
    run();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "UserError") return cause.message;
    throw cause;
  }
  throw new Error("nothing was refused");
}
