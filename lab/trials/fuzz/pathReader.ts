import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FuzzedReader } from "./fuzzReader.ts";

let folder: string | undefined;

/** A folder for inputs that lie in files; it goes when the process ends. */
export function inputFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "aam-fuzz-"));
    process.on("exit", () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

/** A reader that takes a path: each input is written to a file called `name`. */
export function pathReader<Result>(
  reader: Omit<FuzzedReader<Result>, "read" | "source"> & {
    readonly file: string;
    readonly readPath: (path: string) => Result | Promise<Result>;
  },
): FuzzedReader<Result> {
  const { file, readPath, ...rest } = reader;
  const source = join(inputFolder(), file);
  return {
    ...rest,
    source,
    read: (bytes) => {
      writeFileSync(source, bytes);
      return readPath(source);
    },
  };
}
