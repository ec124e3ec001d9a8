import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const projectRoot = resolve(import.meta.dir, "../..");

/**
 * Every file that belongs to the project: tracked, or new and not ignored. Paths are relative to the root.
 */
export function projectFiles(): string[] {
  const command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const run = Bun.spawnSync(command, { cwd: projectRoot, stdout: "pipe", stderr: "pipe" });
  if (!run.success) throw new Error(`git ls-files failed: ${run.stderr}`);
  const names = run.stdout.toString().split("\0");
  return names.filter((name) => name !== "" && existsSync(join(projectRoot, name)));
}

/** A file's text; undefined for a binary file. */
export function readProjectText(name: string): string | undefined {
  const bytes = readFileSync(join(projectRoot, name));
  return bytes.includes(0) ? undefined : bytes.toString("utf8");
}

/** `file:line` of each line of the project's text files that `pattern` matches. */
export function findLines(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((name) => {
    const lines = (readProjectText(name) ?? "").split("\n");
    return lines.flatMap((line, index) => (pattern.test(line) ? [`${name}:${index + 1}`] : []));
  });
}
