/**
 * Writes the reference of `aam-torch` to build/docs: every function and class with its doc comment, the pages
 * of docs/toolkit, and a search over all of it. `npm run docs`; what makes it (typedoc) is installed into
 * packaging/docs at the first call.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const folder = join(root, "packaging/docs");
const typedoc = join(folder, "node_modules/.bin/typedoc");

function run(command: string[]): void {
  const { exitCode } = Bun.spawnSync(command, {
    cwd: folder,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  if (exitCode === 0) return;
  console.error(`Error: \`${command.join(" ")}\` failed in ${folder}; its messages are above.`);
  process.exit(1);
}

if (!existsSync(typedoc)) run(["npm", "ci", "--no-audit", "--no-fund"]);
run([typedoc, "--options", "typedoc.json"]);
console.log(`The reference begins at ${join(root, "build/docs/index.html")}`);
