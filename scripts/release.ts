/**
 * Makes a release: `bun scripts/release.ts 0.3.0`. The working tree must be clean and the changelog must
 * have something under "Unreleased". Writes the version, runs the whole check, packs, commits and tags; it
 * pushes and publishes nothing.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../src/common/files/atomicFile.ts";

const root = resolve(import.meta.dir, "..");
const version = process.argv[2] ?? "";

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

function run(...command: string[]): string {
  const done = Bun.spawnSync(command, { cwd: root, stdout: "pipe", stderr: "inherit", stdin: "ignore" });
  if (done.exitCode !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${done.exitCode}`);
  return done.stdout.toString().trim();
}

if (!/^\d+\.\d+\.\d+$/.test(version)) refuse("Give the version, as in `bun scripts/release.ts 0.3.0`.");
if (run("git", "status", "--porcelain") !== "")
  refuse("The working tree has changes; commit or stash them first.");
if (run("git", "tag", "--list", `v${version}`) !== "")
  refuse(`v${version} exists already; choose the next version.`);

const changelog = join(root, "CHANGELOG.md");
const text = readFileSync(changelog, "utf8");
if (!/^## Unreleased\n+(-|### )/m.test(text))
  refuse("CHANGELOG.md says nothing under `## Unreleased`; write what users notice.");
const date = new Date().toISOString().slice(0, 10);
const citation = join(root, "CITATION.cff");
try {
  writeFileAtomic(changelog, text.replace("## Unreleased", `## Unreleased\n\n## ${version} (${date})`));
  writeFileAtomic(citation, readFileSync(citation, "utf8").replace(/^version: .*$/m, `version: ${version}`));
  run("npm", "version", version, "--no-git-tag-version");
  console.log(run("npm", "test").split("\n").at(-1));
  console.log(run("npm", "run", "pack-packages"));
  run("git", "commit", "--all", "--message", `Release ${version}`);
} catch (error) {
  // The tree was clean: whatever was changed so far is this script's.
  run("git", "checkout", "--", ".");
  refuse(`${(error as Error).message}; nothing was released and every file is as it was.`);
}
run("git", "tag", `v${version}`);
console.log(`v${version} is committed and tagged; push it with \`git push --follow-tags\`.`);
