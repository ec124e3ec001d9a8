/** What is said while data are prepared, and where they were before. */
import { expect, test } from "bun:test";
import { makeStudy } from "../../lab/material/study.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { prepareShown } from "../../src/training/run/prepareShown.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

test("the table of rarefaction depths is shown once, when the data set is made; later one line tells where it is", async () => {
  const { table, tree } = await makeStudy(scratch.path("study"));
  const prepare = async (rarefyDepth: number | "auto" | "none") => {
    let said = "";
    const terminal = { columns: 80, write: (text: string) => void (said += text), writeError: () => {} };
    const display = new ProgressDisplay("lines", terminal);
    const dataset = await prepareShown({ table, tree, rarefyDepth }, scratch.path("cache"), display);
    dataset.close();
    return said;
  };
  const first = await prepare("auto");
  expect(first).toContain("Preparing: Reading the table\n");
  expect(first).toMatch(/Rarefying to\ncounts each .*ASVs seen in samples kept, of all .*\n/);
  const again = await prepare("auto");
  expect(again).toMatch(/^Prepared before from the same files, rarefied to \d+: \S+\/cache\/[0-9a-f]+\n$/);
  await prepare("none");
  expect(await prepare("none")).toMatch(/^Prepared before from the same files: \S+\n$/);
});
