import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import { UserError } from "../../src/common/userError.ts";
import { findPython } from "../../src/torch/setup/findPython.ts";
import { type Contestant, interleave, type Run, runCommand, timed } from "./measure.ts";
import { compared, printReport, type Row } from "./printReport.ts";
import { benchScript } from "./python.ts";

interface UniFracBenchFlags {
  table?: string;
  tree?: string;
  metrics: string[];
  threads: number;
  device: "auto" | "cpu" | "cuda";
  rounds: number;
  batchSize: number;
  skbioSamples: number;
  python?: string;
  json: boolean;
}

const metricNames = ["unweighted", "weighted_normalized", "weighted_unnormalized", "generalized"];

export function makeCommand(): Command {
  return new Command("unifrac")
    .description(
      "UniFrac of all pairs, whole commands with the same threads: against ssu (Striped UniFrac, in unifrac-tools) and scikit-bio",
    )
    .option("--table <file>", "default: a simulated one of 1000 samples; needs --tree")
    .option("--tree <file>", "rooted Newick or QIIME 2 tree; needs --table")
    .addOption(
      new Option("--metrics <names...>", "which to compute (generalized: with alpha 0.5)")
        .choices(metricNames)
        .default(["unweighted", "weighted_normalized"]),
    )
    .option("--threads <n>", "of every program", positiveWholeNumber, availableParallelism())
    .addOption(
      new Option("--device <name>", "where ours computes").choices(["auto", "cpu", "cuda"]).default("cpu"),
    )
    .option("--rounds <n>", "how often each program runs after its first run", positiveWholeNumber, 3)
    .option(
      "--batch-size <n>",
      "samples of a batch, whose distances are computed at once",
      positiveWholeNumber,
      32,
    )
    .option(
      "--skbio-samples <n>",
      "scikit-bio, which is slow, computes the first so many samples",
      positiveWholeNumber,
      100,
    )
    .option("--python <file>", "a Python with scikit-bio and biom-format")
    .action(run);
}

async function run(given: UniFracBenchFlags): Promise<void> {
  const flags = { ...given, device: await chooseDevice(given.device) };
  const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
  try {
    const inputs = await chooseInputs(flags, folder);
    const { samples, asvs } = inputs;
    const rows: Row[] = [];
    for (const metric of flags.metrics) {
      rows.push(await againstSsu(metric, inputs, flags, folder));
      rows.push(await againstScikitBio(metric, inputs, flags, folder));
      rows.push(await batch(metric, inputs, flags));
    }
    printReport("unifrac", { samples, asvs, threads: flags.threads, device: flags.device }, rows, flags.json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Inputs {
  readonly table: string;
  readonly tree: string;
  /** The first samples of the table. */
  readonly fewTable: string;
  readonly fewSamples: number;
  readonly samples: number;
  readonly asvs: number;
}

async function chooseInputs(flags: UniFracBenchFlags, folder: string): Promise<Inputs> {
  if ((flags.table === undefined) !== (flags.tree === undefined)) {
    throw new UserError("--table and --tree go together: give both, or none for simulated ones.");
  }
  const { readTable } = await import("../../src/data/table/read.ts");
  const { selectSamples } = await import("../../src/data/table/select.ts");
  const { dropEmpty } = await import("../../src/data/table/dropEmpty.ts");
  const { writeBiom } = await import("../../src/data/table/writeBiom.ts");
  let [path, tree] = [flags.table ?? "", flags.tree ?? ""];
  if (flags.table === undefined) {
    const { simulate, writeSimulation } = await import("../../src/data/simulate/simulate.ts");
    const files = writeSimulation(folder, simulate({ samples: 1000, asvs: 3000 }));
    [path, tree] = [files.table, files.tree];
  }
  const table = await readTable(path);
  // ssu reads HDF5 only.
  const plainTable = join(folder, "all.biom");
  writeBiom(plainTable, table);
  const fewTable = join(folder, "few.biom");
  const fewSamples = Math.min(flags.skbioSamples, table.sampleIds.length);
  writeBiom(
    fewTable,
    dropEmpty(
      selectSamples(
        table,
        Array.from({ length: fewSamples }, (_, i) => i),
      ),
    ),
  );
  const [samples, asvs] = [table.sampleIds.length, table.asvIds.length];
  return { table: plainTable, tree, fewTable, fewSamples, samples, asvs };
}

/** Our whole command. */
function ourCommand(
  metric: string,
  table: string,
  tree: string,
  output: string,
  { threads, device }: UniFracBenchFlags,
): Contestant {
  const program = join(import.meta.dir, "../../scripts/aam.ts");
  const options = ["--metric", metric, "--threads", String(threads), "--device", device, "--output", output];
  if (metric === "generalized") options.push("--alpha", "0.5");
  const { cmd, env } = bunProcess([program, "unifrac", "--table", table, "--tree", tree, ...options]);
  return { name: "ours", run: () => runCommand(cmd, threads, env) };
}

async function againstSsu(
  metric: string,
  inputs: Inputs,
  flags: UniFracBenchFlags,
  folder: string,
): Promise<Row> {
  const what = `${metric}, ${inputs.samples} samples, float32`;
  const ssu = Bun.which("ssu");
  const [ours, theirs] = [join(folder, "ours.h5"), join(folder, "theirs.h5")];
  if (ssu === null) {
    const own = ourCommand(metric, inputs.table, inputs.tree, ours, flags);
    const timings = await interleave([own], flags.rounds);
    return { what, ours: timings["ours"], facts: { ssu: "not on the PATH (Debian: unifrac-tools)" } };
  }
  const command = [ssu, "-i", inputs.table, "-t", inputs.tree, "-m", `${metric}_fp32`, "-o", theirs];
  command.push("--format", "hdf5_fp32", "--pcoa", "0");
  if (metric === "generalized") command.push("-a", "0.5");
  const timings = await interleave(
    [
      ourCommand(metric, inputs.table, inputs.tree, ours, flags),
      { name: "ssu", run: () => runCommand(command, flags.threads) },
    ],
    flags.rounds,
  );
  const facts = { "largest difference": await largestDifference(ours, theirs, inputs.table) };
  return compared(what, timings["ours"], "ssu", timings["ssu"], facts);
}

async function againstScikitBio(
  metric: string,
  inputs: Inputs,
  flags: UniFracBenchFlags,
  folder: string,
): Promise<Row> {
  const what = `${metric}, ${inputs.fewSamples} samples`;
  if (metric === "generalized") return { what, skipped: "scikit-bio has no generalized UniFrac" };
  const python = findPython(["skbio", "biom"], flags.python);
  if (python === undefined)
    return { what, skipped: "no Python with scikit-bio (Debian: python3-skbio; see --python)" };
  const [ours, theirs] = [join(folder, "ours.npy"), join(folder, "theirs.npy")];
  const command = [python, benchScript("unifrac_peer.py"), inputs.fewTable, inputs.tree, metric, theirs];
  const timings = await interleave(
    [
      ourCommand(metric, inputs.fewTable, inputs.tree, ours, flags),
      { name: "scikit-bio", run: () => runCommand(command, flags.threads) },
    ],
    flags.rounds,
  );
  const facts = { "largest difference": await largestDifference(ours, theirs, inputs.fewTable) };
  return compared(what, timings["ours"], "scikit-bio", timings["scikit-bio"], facts);
}

async function largestDifference(ours: string, theirs: string, table: string): Promise<number> {
  const { readDistances } = await import("../../src/data/distances/read.ts");
  const { readTable } = await import("../../src/data/table/read.ts");
  const { sampleIds } = await readTable(table);
  const [a, b] = [ours, theirs].map((path) =>
    readDistances(path, { sampleOrder: sampleIds, allowUnknown: true }),
  );
  if (a.ids.some((id, i) => id !== b.ids[i])) return Number.NaN;
  let largest = 0;
  for (let i = 0; i < a.values.length; i++) largest = Math.max(largest, Math.abs(a.values[i] - b.values[i]));
  return largest;
}

/** Distances within a batch in this process, with the tree cut down to the table before. */
async function batch(metric: string, inputs: Inputs, { batchSize }: UniFracBenchFlags): Promise<Row> {
  const { readTable } = await import("../../src/data/table/read.ts");
  const { readTree } = await import("../../src/data/tree/read.ts");
  const { selectSamples } = await import("../../src/data/table/select.ts");
  const { checkMetric, shearTree, uniFracOfBatch } = await import("../../src/data/unifrac/index.ts");
  const table = await readTable(inputs.table);
  const tree = shearTree(readTree(inputs.tree), table.asvIds, inputs.tree);
  const size = Math.min(batchSize, inputs.samples);
  let from = 0;
  const one = (): Promise<Run> => {
    const samples = Array.from({ length: size }, (_, i) => (from + i) % inputs.samples).sort((a, b) => a - b);
    from += size;
    return timed(() =>
      uniFracOfBatch(selectSamples(table, samples), tree, { metric: checkMetric(metric), alpha: 0.5 }),
    );
  };
  const { ours } = await interleave([{ name: "ours", run: one }], 50);
  return { what: `${metric}, a batch of ${size} in memory`, ours };
}
