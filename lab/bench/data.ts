import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import type { LoaderOptions } from "../../src/data/batches/loader.ts";
import { findPython } from "../../src/torch/setup/findPython.ts";
import { type Contestant, interleave, type Run, timed } from "./measure.ts";
import { compared, printReport, type Row } from "./printReport.ts";
import { PythonPeer } from "./python.ts";

interface DataBenchFlags {
  table?: string;
  tree?: string;
  samples: number;
  tips: number;
  batchSize: number;
  pcoaSamples: number;
  rounds: number;
  python?: string;
  json: boolean;
}

export function makeCommand(): Command {
  return new Command("data")
    .description(
      "Reading tables against biom-format, reading trees against scikit-bio, finding principal coordinates against scikit-bio, opening a large data set, and making batches",
    )
    .option("--table <file>", "BIOM table to read; default: a simulated one of 2000 samples")
    .option("--tree <file>", "tree to read; default: a simulated one")
    .option("--samples <n>", "of the simulated data set that is opened", positiveWholeNumber, 100_000)
    .option(
      "--tips <n>",
      "of the simulated large tree, which only this program reads",
      positiveWholeNumber,
      217_407,
    )
    .option("--batch-size <n>", "of the batches that are made", positiveWholeNumber, 32)
    .option("--pcoa-samples <n>", "of the matrix whose first axes are found", positiveWholeNumber, 2000)
    .option("--rounds <n>", "how often each part is measured after its first run", positiveWholeNumber, 7)
    .option("--python <file>", "a Python with biom-format and scikit-bio")
    .action(run);
}

async function run(flags: DataBenchFlags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
  try {
    const inputs = await chooseInputs(flags, folder);
    const rows = [
      await reading("table", "biom-format", "biom", inputs.table, flags),
      await reading("tree", "scikit-bio", "skbio", inputs.tree, flags),
      await readingLargeTree(flags, folder),
      await findingAxes(flags, folder),
      ...(await usingDataset(flags, folder)),
    ];
    printReport("data", { table: inputs.table, tree: inputs.tree, rounds: flags.rounds }, rows, flags.json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function chooseInputs(flags: DataBenchFlags, folder: string): Promise<{ table: string; tree: string }> {
  if (flags.table !== undefined && flags.tree !== undefined) return { table: flags.table, tree: flags.tree };
  const { simulate, writeSimulation } = await import("../../src/data/simulate/simulate.ts");
  const { table, tree } = writeSimulation(join(folder, "study"), simulate({ samples: 2000, asvs: 5000 }));
  return { table: flags.table ?? table, tree: flags.tree ?? tree };
}

/** Reads a file again and again, in turn with a Python module that does the same in a process of its own. */
async function reading(
  kind: "table" | "tree",
  peer: string,
  module: string,
  path: string,
  flags: DataBenchFlags,
): Promise<Row> {
  const { readTable } = await import("../../src/data/table/read.ts");
  const { readTree } = await import("../../src/data/tree/read.ts");
  const read = kind === "table" ? readTable : readTree;
  const contestants: Contestant[] = [{ name: "ours", run: () => timed(() => read(path)) }];
  const python = findPython([module], flags.python);
  using other = python === undefined ? undefined : new PythonPeer(python, "data_peer.py");
  if (other) contestants.push({ name: peer, run: () => other.run({ do: kind, path }) });
  const timings = await interleave(contestants, flags.rounds);
  const what = `read a ${kind}`;
  if (!other) return { what, ours: timings["ours"], facts: { [peer]: "not found (see --python)" } };
  return compared(what, timings["ours"], peer, timings[peer]);
}

async function readingLargeTree({ tips, rounds }: DataBenchFlags, folder: string): Promise<Row> {
  const { Random } = await import("../../src/common/random/random.ts");
  const { simulatePhylogeny, tipsOf } = await import("../../src/data/simulate/phylogeny.ts");
  const { writeNewick } = await import("../../src/data/tree/writeNewick.ts");
  const { readTree } = await import("../../src/data/tree/read.ts");
  const { writeFileAtomic } = await import("../../src/common/files/atomicFile.ts");
  const tree = simulatePhylogeny(tips, 0.35, new Random(0));
  const names = [...tree.names];
  tipsOf(tree).forEach((tip, i) => {
    names[tip] = `tip${i}`;
  });
  const path = join(folder, "large.nwk");
  writeFileAtomic(path, writeNewick({ ...tree, names }));
  let read = tree;
  const one = () =>
    timed(() => {
      read = readTree(path);
    });
  const { ours } = await interleave([{ name: "ours", run: one }], rounds);
  return { what: `read a tree of ${tipsOf(read).length} tips`, ours };
}

/**
 * Reads a matrix of Bray-Curtis distances and finds its first ten axes by random products, as scikit-bio's
 * method of that name does.
 */
async function findingAxes(flags: DataBenchFlags, folder: string): Promise<Row> {
  const { simulate } = await import("../../src/data/simulate/simulate.ts");
  const { betaDiversity } = await import("../../src/data/statistics/betaDiversity.ts");
  const { squareOf, writeSquareNpy } = await import("../../src/data/distances/write.ts");
  const { readDistances } = await import("../../src/data/distances/read.ts");
  const { pcoa } = await import("../../src/data/statistics/pcoa.ts");
  const { table } = simulate({ samples: flags.pcoaSamples, asvs: 2000, depth: 1000 });
  const { ids, values } = betaDiversity(table, { metric: "braycurtis" });
  const path = join(folder, "distances.npy");
  writeSquareNpy(path, squareOf({ ids, values: Float32Array.from(values) }));
  const find = () => pcoa(readDistances(path, { sampleOrder: ids }), { method: "fsvd" });
  const contestants: Contestant[] = [{ name: "ours", run: () => timed(find) }];
  const peer = "scikit-bio";
  const python = findPython(["skbio"], flags.python);
  using other = python === undefined ? undefined : new PythonPeer(python, "data_peer.py");
  if (other) contestants.push({ name: peer, run: () => other.run({ do: "pcoa", path }) });
  const timings = await interleave(contestants, flags.rounds);
  const what = `10 axes of ${ids.length} samples' distances`;
  if (!other) return { what, ours: timings["ours"], facts: { [peer]: "not found (see --python)" } };
  return compared(what, timings["ours"], peer, timings[peer]);
}

async function usingDataset(flags: DataBenchFlags, folder: string): Promise<Row[]> {
  const { simulate } = await import("../../src/data/simulate/simulate.ts");
  const { writeDataset } = await import("../../src/data/dataset/write.ts");
  const { openDataset } = await import("../../src/data/dataset/dataset.ts");
  const path = join(folder, "dataset");
  const { table } = simulate({ samples: flags.samples, asvs: 5000, richness: 60, depth: 2000 });
  const provenance = { sources: [], parameters: {}, dropped: [], warnings: [] };
  writeDataset(path, { table, provenance });
  const open = async (): Promise<Run> =>
    timed(() => {
      using _dataset = openDataset(path);
    });
  const { ours } = await interleave([{ name: "ours", run: open }], flags.rounds);
  const what = `open a data set of ${table.sampleIds.length} samples`;
  const inOwn = await interleave([{ name: "ours", run: () => openInOwnProcess(path) }], flags.rounds);
  const size = { ASVs: table.asvIds.length };
  return [
    { what, ours, facts: size },
    { what: `${what}, for the first time in a process`, ours: inOwn["ours"] },
    await batches(path, flags, { worker: false }),
    await batches(path, flags, { worker: true }),
  ];
}

/** Opens a data set in a new process, which measures only the opening, not its start. */
function openInOwnProcess(path: string): Run {
  const module = JSON.stringify(join(import.meta.dir, "../../src/data/dataset/dataset.ts"));
  const program =
    `const { openDataset } = await import(${module}); const start = performance.now(); ` +
    `openDataset(${JSON.stringify(path)}); console.log((performance.now() - start) / 1000);`;
  const { cmd, env } = bunProcess(["-e", program]);
  const done = Bun.spawnSync(cmd, { env, stdout: "pipe", stderr: "inherit" });
  return { seconds: Number(done.stdout.toString()) };
}

/** Batches one after another, of samples in random order. */
async function batches(
  path: string,
  flags: DataBenchFlags,
  options: Pick<LoaderOptions, "worker">,
): Promise<Row> {
  const { openDataset } = await import("../../src/data/dataset/dataset.ts");
  const { Loader } = await import("../../src/data/batches/loader.ts");
  using dataset = openDataset(path);
  using loader = new Loader(dataset, { batchSize: flags.batchSize, ...options });
  const perRound = Math.min(200, loader.batchesPerEpoch);
  const oneRound = async (): Promise<void> => {
    let count = 0;
    for await (const _ of loader.epoch()) if (++count === perRound) break;
  };
  const { ours } = await interleave([{ name: "ours", run: () => timed(oneRound) }], flags.rounds);
  const where = options.worker ? "a worker" : "this thread";
  const perSecond = perRound / ours.medianSeconds;
  return {
    what: `${perRound} batches of ${flags.batchSize}, made in ${where}`,
    ours,
    facts: { "batches/s": perSecond },
  };
}
