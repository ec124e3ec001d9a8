/**
 * Ctrl-C in the midst of every command that computes for long: one sentence, exit code 130, and the folders
 * of outputs and of temporary files are as before.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fineTuneStudy, makeStudy, type Study } from "../../lab/material/study.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const table = () => scratch.path("large/table.biom");
const tree = () => scratch.path("large/tree.nwk");
const metadata = () => scratch.path("large/metadata.tsv");
const model = () => scratch.path("model");
const set = () => scratch.path("set");

beforeAll(async () => {
  // The samples are as deep as simulated ones get, for drawing counts of them takes long.
  writeSimulation(
    scratch.path("large"),
    simulate({ samples: 3000, asvs: 300, richness: 40, length: 24, depth: 5000, seed: 1 }),
  );
  const few = { table: table(), tree: tree(), metadata: metadata(), metrics: ["unweighted"] as const };
  await prepareDataset({ ...few, rarefyDepth: "none" }, set());
  const { sampleIds } = openDataset(set());
  scratch.write("first.txt", sampleIds.slice(0, 2000).join("\n"));
  scratch.write("rest.txt", sampleIds.slice(2000).join("\n"));
  const study: Study = await makeStudy(scratch.path("study"));
  await fineTuneStudy(study, model(), { target: { metadataColumn: ["ph"] } });
}, 120_000);

/** Everything below a folder. */
const entries = (folder: string) => readdirSync(folder, { recursive: true }).map(String).sort();

/** Whether a process has something to do for SIGINT by now. */
function isWatching(pid: number): boolean {
  const mask = /SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${mask}`) & 2n) !== 0n;
}

async function start(name: string, ...args: string[]) {
  const [work, temporary] = ["work", "temporary"].map((part) => scratch.path(`${name}/${part}`)) as [
    string,
    string,
  ];
  for (const folder of [work, temporary]) mkdirSync(folder, { recursive: true });
  const child = Bun.spawn([process.execPath, join(projectRoot, "scripts/aam.ts"), ...args], {
    cwd: work,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, TMPDIR: temporary },
  });
  while (!isWatching(child.pid)) await Bun.sleep(5);
  return { child, work, temporary };
}

/** What is left but what was prepared for another start, which is whole, and folds that are done. */
const outputsIn = (work: string) => entries(work).filter((path) => !/^\.aam-cache|^cv(\/|$)/.test(path));

/** Starts a command and interrupts it after some time, or sooner where a fast machine is done by then. */
async function interrupted(name: string, after: number, args: readonly string[]) {
  for (let wait = after, attempt = 0; ; wait /= 2, attempt++) {
    const started = await start(`${name}-${attempt}`, ...args);
    await Bun.sleep(wait);
    started.child.kill("SIGINT");
    await started.child.exited;
    const isDone = started.child.exitCode === 0 || outputsIn(started.work).length > 0;
    if (!isDone || wait < 20) return started;
  }
}

/**
 * Each with how long it computes until it is interrupted, in milliseconds: in another part of its work each.
 */
const rows: [name: string, after: number, args: () => string[]][] = [
  ["simulate", 500, () => ["simulate", "--samples", "200000", "--output", "study"]],
  ["prep, rarefying", 600, () => ["prep", "--table", table(), "--tree", tree(), "--output", "set"]],
  [
    "prep, computing",
    800,
    () => ["prep", "--table", table(), "--tree", tree(), "--output", "set", "--rarefy-depth", "none"],
  ],
  ["unifrac", 600, () => ["unifrac", "--table", table(), "--tree", tree(), "--output", "d.npy"]],
  ["predict", 600, () => ["predict", "--model", model(), "--table", table(), "--output", "p.tsv"]],
  ["embed", 800, () => ["embed", "--model", model(), "--table", table(), "--distances", "d.tsv"]],
  [
    "evaluate",
    700,
    () => ["evaluate", "--model", model(), "--table", table(), "--metadata", metadata(), "--output", "e"],
  ],
  ["report", 400, () => ["report", model(), "--output", "report.html"]],
  [
    "cross-validate",
    900,
    () => [
      "cross-validate",
      "--dataset",
      set(),
      "--metadata-column",
      "ph",
      "--output",
      "cv",
      "--workers",
      "2",
    ],
  ],
  ["lr-finder", 600, () => ["lr-finder", "--dataset", set(), "--output", "rates.svg"]],
  [
    "rf-baseline",
    800,
    () => [
      ...["rf-baseline", "--table", table(), "--metadata", metadata(), "--metadata-column", "ph"],
      ...["--train-samples", scratch.path("first.txt"), "--val-samples", scratch.path("rest.txt")],
      ...["--output", "forest.tsv"],
    ],
  ],
  [
    "pcoa",
    600,
    () => ["pcoa", "--table", table(), "--tree", tree(), "--output", "axes.tsv", "--method", "eigh"],
  ],
];

describe.skipIf(process.platform !== "linux")("SIGINT", () => {
  for (const [name, after, args] of rows) {
    test(name, async () => {
      const { child, work, temporary } = await interrupted(name, after, args());
      expect(await new Response(child.stderr).text()).toMatch(
        /^(Warning: .*\n)*Interrupted; no file was left half-written\.\n$/,
      );
      expect(child.exitCode).toBe(130);
      expect(outputsIn(work)).toEqual([]);
      expect(entries(work).filter((path) => /\.tmp|\.lock/.test(path))).toEqual([]);
      // Bun keeps the headers of its compiler in one folder for each user.
      expect(entries(temporary).filter((path) => !path.startsWith("bun-cc-"))).toEqual([]);
    });
  }

  test("a preparation that is killed, at whatever moment, leaves nothing that opens under its name", async () => {
    let killed = 0;
    for (const after of [300, 900, 1500, 2100]) {
      const { child, work } = await start(
        `killed-${after}`,
        ...["prep", "--table", table(), "--tree", tree(), "--output", "set", "--rarefy-depth", "none"],
      );
      await Bun.sleep(after);
      child.kill("SIGKILL");
      await child.exited;
      if (child.exitCode === 0) continue;
      killed++;
      const path = join(work, "set");
      if (existsSync(path)) expect(statSync(path).isDirectory() && openDataset(path).sampleCount).toBe(3000);
    }
    expect(killed).toBeGreaterThan(1);
  });
});
