/** Which held-out samples a report explains. */
import { expect, test } from "bun:test";
import { fineTuneStudy, makeStudy, pretrainStudy } from "../../../lab/material/study.ts";
import { asvsOfRun } from "../../../src/training/report/asvsOfRun.ts";
import { openRun } from "../../../src/training/run/open.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

test("a report explains at most 100 held-out samples, drawn by the seed, and says so", async () => {
  const { dataset, ...study } = await makeStudy(scratch.path("study"));
  const encoder = scratch.path("encoder");
  await pretrainStudy({ ...study, dataset }, encoder, { training: { epochs: 1 } });
  await fineTuneStudy({ ...study, dataset }, scratch.path("run"), {
    ...{ pretrainedEncoder: encoder, freezeBase: true, training: { epochs: 1 } },
    target: { metadataColumn: ["ph"], pooling: "sum", sumFeatures: 64 },
  });
  const run = openRun(scratch.path("run"), "cpu");
  const train = Int32Array.from({ length: 24 }, (_, i) => i);
  const reported = async (heldOut: number, seed: number) => {
    const validation = Int32Array.from({ length: heldOut }, (_, i) => i % 36);
    const texts: string[] = [];
    const [stages, say] = [new Set<unknown>(), (text: string) => void texts.push(text)];
    const section = await asvsOfRun(
      run,
      dataset,
      { train, validation },
      {
        ...{ device: "cpu", categories: null, taxonomy: null, seed, say },
        onProgress: (stage, amount) => stages.add(stage === "Explaining samples" ? amount?.total : stage),
      },
    );
    return { text: texts.join(), note: section?.note, rows: section?.rows, totals: stages };
  };
  const some = await reported(110, 1);
  const drawn = "100 of the 110 held-out samples (drawn by the run's seed)";
  expect(some.text).toBe(`Computing what each ASV adds to the predictions of ${drawn}`);
  expect(some.note).toContain(`predictions of ${drawn} owe`);
  expect(some.totals).toContain(100);
  expect((await reported(110, 1)).rows).toEqual(some.rows);
  expect((await reported(110, 2)).rows).not.toEqual(some.rows);
  const all = await reported(36, 1);
  expect(all.text).toEndWith("of the 36 held-out samples");
  expect(all.totals).toContain(36);
}, 120_000);
