/**
 * The reports that are kept: whole, of the size that a repository can carry, and without paths of
 * the machine they came from.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";

const folder = join(projectRoot, "debug/reports");
const reports = readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory());
const textOf = (name: string, file: string) => readFileSync(join(folder, name, file), "utf8");

test.each(reports)("%s: question, figures against thresholds, plots, no path of a machine", (name) => {
  const report = textOf(name, "report.md");
  for (const part of ["**Question.**", "**Answer.**", "## Verdict", `\`bun run debug/${name}.ts`])
    expect(report).toContain(part);
  const { verdicts } = JSON.parse(textOf(name, "numbers.json")) as { verdicts: { name: string }[] };
  expect(verdicts).not.toEqual([]);
  for (const verdict of verdicts) expect(report).toContain(verdict.name);
  const drawn = [...report.matchAll(/\]\(([^)]+\.png)\)/g)].map(([, file]) => file).sort();
  const there = readdirSync(join(folder, name)).filter((file) => file.endsWith(".png"));
  expect(there.sort()).toEqual(drawn);
  for (const file of ["report.md", "numbers.json"])
    expect(textOf(name, file)).not.toMatch(/(^|[\s"'`(])(\/\w|[A-Z]:\\)/m);
});

test("together they are small, and the README names each", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  expect(bytes).toBeLessThan(1.5e6);
  const readme = readFileSync(join(projectRoot, "debug/README.md"), "utf8");
  for (const name of reports) expect(readme).toContain(`(reports/${name}/report.md)`);
});
