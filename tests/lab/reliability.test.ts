import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { judge } from "../../lab/trials/longRuns.ts";
import type { SoakSample } from "../../lab/trials/soak.ts";
import { isFailure, summaryText, tableText } from "../../lab/trials/table.ts";

test("the short form loses and leaks nothing", () => {
  const script = join(resolve(import.meta.dir, "../.."), "scripts/reliability.ts");
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, script, "--short"], {
    stdin: "ignore",
  });
  const output = stdout.toString();
  expect(`${exitCode === 0 ? "" : output}${exitCode === 0 ? "" : stderr}`).toBe("");
  expect(output).toMatch(/\d tried, 0 lost, 0 leaked/);
}, 600_000);

test("losses, leaks and trials of nothing are failures, and are told", () => {
  const trial = { area: "a", what: "w" };
  const row = (tried: number, lost: string[], leaked: string[]) => ({
    trial,
    outcome: { tried, lost, leaked },
    seconds: 1,
  });
  const rows = [row(3, ["x is gone"], []), row(3, [], ["y grew"]), row(0, [], [])];
  expect(rows.map(({ outcome }) => isFailure(outcome))).toEqual([true, true, true]);
  expect(summaryText(rows)).toContain("lost, w: x is gone\nleaked, w: y grew\nw: nothing was tried");
  expect(tableText(rows).split("\n").length).toBe(4);
  expect(isFailure({ tried: 0, lost: [], leaked: [], skipped: "no browser" })).toBe(false);
});

test("growing memory, handles and steps are told apart from steady ones", () => {
  const run = (change: (i: number) => Partial<SoakSample>) =>
    judge(
      Array.from({ length: 40 }, (_, i) => ({
        ...{
          done: 10 * i,
          residentBytes: 1e9,
          liveTensors: 7,
          openFiles: 9,
          mappings: 100,
          processorMs: 20 * i,
        },
        ...change(i),
      })),
      { memory: 0.02, speed: 0.2 },
    ).leaked;
  expect(run(() => ({}))).toEqual([]);
  expect(run((i) => ({ residentBytes: 1e9 + 1e7 * i }))).toHaveLength(1);
  expect(run((i) => ({ liveTensors: 7 + i }))).toHaveLength(1);
  expect(run((i) => ({ openFiles: 9 + i }))).toHaveLength(1);
  expect(run((i) => ({ processorMs: i * i }))).toHaveLength(1);
});
