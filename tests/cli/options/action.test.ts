/** Provenance knows which files a command read, and which it wrote. */
import { expect, test } from "bun:test";
import { actionOf } from "../../../src/cli/options/action.ts";
import { describeSource } from "../../../src/data/prepare/provenance.ts";
import { makeCommand } from "../../helpers/commandLine.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

test("options are sorted into what is read, what is written and parameters", async () => {
  const command = await makeCommand("unifrac");
  const [table, tree, old] = ["t.biom", "t.nwk", "old.qza"].map((name) => scratch.write(name, "x"));
  command.action(() => undefined);
  await command.parseAsync(["--table", table, "--tree", tree, "-o", old, "--rarefy-depth", "9", "--quiet"], {
    from: "user",
  });
  const { name, inputs, outputs, parameters } = actionOf(command);
  expect(name).toBe("unifrac");
  expect(inputs()).toEqual([
    ["table", table],
    ["tree", tree],
  ]);
  // Also where it is there already: it is about to be replaced.
  expect(outputs).toEqual([["output", old]]);
  expect(parameters).toMatchObject({ rarefy_depth: 9, metric: "unweighted", midpoint_root: false });
  expect(Object.keys(parameters)).not.toContain("quiet");
});

test("a run that is an argument, and inputs that are given more than once", async () => {
  const report = await makeCommand("report");
  report.action(() => undefined);
  await report.parseAsync([scratch.path(".")], { from: "user" });
  const { inputs, parameters } = actionOf(report);
  expect(inputs()).toEqual([["run", scratch.path(".")]]);
  expect(parameters).toMatchObject({ baselines: true });
  const [a, b] = [scratch.write("a.h5", ""), scratch.write("b.h5", "")];
  const unifrac = await makeCommand("unifrac");
  unifrac.action(() => undefined);
  await unifrac.parseAsync(["--merge", a, "--merge", b, "-o", "m.h5"], { from: "user" });
  expect(actionOf(unifrac).inputs()).toEqual([
    ["merge", a],
    ["merge", b],
  ]);
});

test("what a run is made from, as long as it is there unchanged", async () => {
  const [table, changed] = [scratch.write("source.qza", "table"), scratch.write("changed.nwk", "before")];
  const sources = [describeSource("table", table), describeSource("rep-seqs", changed)];
  scratch.write("changed.nwk", "after");
  scratch.write("run.json", JSON.stringify({ dataset: { sources } }));
  const report = await makeCommand("report");
  report.action(() => undefined);
  await report.parseAsync([scratch.path(".")], { from: "user" });
  expect(actionOf(report).inputs()).toEqual([
    ["run", scratch.path(".")],
    ["run_table", table],
  ]);
});
