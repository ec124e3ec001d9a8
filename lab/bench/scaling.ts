import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { nameList, positiveNumber, positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { median } from "../../src/common/median.ts";
import { UserError } from "../../src/common/userError.ts";
import type { Batch } from "../../src/data/batches/batch.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import type { DataFlags } from "./benchData.ts";
import { encoderOperations, keptBytes, lengthsOf, stepFactor } from "./flops.ts";
import {
  type Axis,
  mergeReports,
  type Point,
  printScaling,
  type ReferencePoint,
  type ScalingReport,
  savePlots,
} from "./scalingReport.ts";
import { addShapeOptions, modelOf, type ShapeFlags } from "./shapeOptions.ts";
import { startOurs, startReference } from "./startProcesses.ts";

interface ScalingFlags extends DataFlags, ShapeFlags {
  axes: string[];
  batchSizes: number[];
  richness: number[];
  dims: number[];
  samples: number[];
  referenceBatchSizes: number[];
  rounds: number;
  memory: number;
  output?: string;
  from?: string[];
  json: boolean;
}

const axisNames = ["batch", "richness", "dim", "samples", "reference"];
/** Samples of a step where something else than their number varies. */
const usualBatch = 8;

function sizes(text: string): number[] {
  return nameList(text).map(positiveWholeNumber);
}

function axes(text: string): string[] {
  const names = nameList(text);
  const unknown = names.find((name) => !axisNames.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no axis "${unknown}"; there are ${axisNames.join(", ")}.`);
  return names;
}

export function makeCommand(): Command {
  const command = new Command("scaling")
    .description(
      "How time and memory of pretraining steps grow with the batch, the ASVs of a sample and the embedding, those of embedding a table with its samples; each point in a process of its own",
    )
    .option("--axes <names>", `what varies: of ${axisNames.join(", ")}`, axes, axisNames)
    .option("--batch-sizes <list>", "samples of a step", sizes, [4, 8, 16, 32, 64, 128])
    .option(
      "--richness <list>",
      "draws of ASVs for a simulated sample, which has somewhat fewer",
      sizes,
      [25, 50, 100, 200, 400],
    )
    .option("--dims <list>", "sizes of the embedding", sizes, [32, 64, 128, 256, 512])
    .option("--samples <list>", "samples that are embedded", sizes, [80, 160, 320, 640, 1280])
    .option(
      "--reference-batch-sizes <list>",
      "samples of a step of the original AAM, whose memory is measured",
      sizes,
      [2, 4, 6],
    )
    .option("--rounds <n>", "steps that count at each point, after a first one", positiveWholeNumber, 2)
    .option("--memory <gibibytes>", "the memory that a batch is to fit in", positiveNumber, 20)
    .option("--output <folder>", "write the plots there, as SVG and PNG")
    .option(
      "--from <files...>",
      "measure nothing: show what earlier runs printed with --json, all points together",
    );
  return addShapeOptions(command).action(async (flags: ScalingFlags) => {
    const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
    try {
      const report = flags.from ? readReports(flags.from) : await measureScaling(flags, folder);
      if (flags.output !== undefined) await savePlots(report, flags.output);
      printScaling(report, flags.json);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** @throws UserError for files that hold no report of this benchmark. */
function readReports(paths: readonly string[]): ScalingReport {
  return mergeReports(
    paths.map((path) => {
      try {
        const report = JSON.parse(readFileSync(path, "utf8")) as ScalingReport;
        if (report.subject === "scaling") return report;
      } catch (cause) {
        throw new UserError(
          `${path} cannot be read as JSON: ${cause instanceof Error ? cause.message : cause}.`,
        );
      }
      throw new UserError(`${path} is no report of \`bench scaling --json\`.`);
    }),
  );
}

interface Place {
  readonly folder: string;
  readonly device: "cpu" | "cuda";
  readonly threads: number;
}

async function measureScaling(flags: ScalingFlags, folder: string): Promise<ScalingReport> {
  const { openBenchData } = await import("./benchData.ts");
  const device = await chooseDevice(flags.device);
  const threads = flags.threads ?? availableParallelism();
  const opened = await openBenchData(flags, folder);
  using dataset = opened.dataset;
  const place = { folder, device, threads };
  const wanted = new Set(flags.axes);
  const measured: Axis[] = [];
  const add = async (
    name: Axis["name"],
    values: readonly number[],
    at: (value: number) => Promise<Point>,
  ) => {
    const points: Point[] = [];
    for (const value of wanted.has(name) ? values : []) points.push(await at(value));
    if (points.length > 0) measured.push({ name, points });
  };
  const fitting = (values: readonly number[]) => values.filter((value) => value <= dataset.sampleCount);
  await add("batch", fitting(flags.batchSizes), (size) => stepPoint(dataset, size, size, flags, place));
  await add("richness", flags.richness, (richness) => richnessPoint(richness, flags, place));
  await add("dim", flags.dims, (embeddingDim) =>
    stepPoint(
      dataset,
      Math.min(usualBatch, dataset.sampleCount),
      embeddingDim,
      { ...flags, embeddingDim },
      place,
    ),
  );
  await add("samples", fitting(flags.samples), (count) => embedPoint(dataset, count, flags, place));
  const reference: ReferencePoint[] = [];
  for (const size of wanted.has("reference") ? fitting(flags.referenceBatchSizes) : [])
    reference.push(await referencePoint(dataset, size, flags, place));
  const { embeddingDim, layers, heads, tokenLimit, maxBp } = flags;
  return {
    subject: "scaling",
    settings: {
      data: opened.source,
      device,
      threads,
      dim: embeddingDim,
      layers,
      heads,
      token_limit: tokenLimit,
      max_bp: maxBp,
      rounds: flags.rounds,
    },
    axes: measured,
    reference,
    memory_bytes: flags.memory * 2 ** 30,
    /** What a batch of so many samples keeps, found without computing it. */
    kept: await keptByBatch(dataset, flags),
  };
}

/** Steps over batches of `size` samples. `at` is the point's place on its axis. */
async function stepPoint(
  dataset: Dataset,
  size: number,
  at: number,
  flags: ScalingFlags,
  { folder, device, threads }: Place,
): Promise<Point> {
  const { drawBatches, writeReferenceBatches } = await import("./benchData.ts");
  const { tokenLimit, maxBp, rounds } = flags;
  const samples = drawBatches(dataset, { batchSize: size, count: rounds + 1, seed: 1 });
  const file = join(folder, "batches.safetensors");
  const batches = writeReferenceBatches(file, dataset, samples, { tokenLimit, maxBp });
  await using ours = await startOurs({
    dataset: dataset.path,
    samples: samples.map((rows) => [...rows]),
    config: { ...modelOf(flags), nucShare: 1 },
    device,
    threads,
  });
  const atStart = ours.peakBytes() ?? 0;
  const steps: Record<string, number>[] = [];
  for (let round = 0; round <= rounds; round++)
    steps.push((await ours.ask(`step ${round}`)) as Record<string, number>);
  const counted = steps.slice(1);
  const shape = { dim: flags.embeddingDim, layers: flags.layers };
  const mean = (of: (batch: Batch) => number) =>
    batches.slice(1).reduce((sum, batch) => sum + of(batch), 0) / rounds;
  const seconds = median(counted.map((step) => step["seconds"]));
  const operations =
    stepFactor[flags.gradientCheckpointing ? "recomputed" : "kept"] *
    mean((batch) => encoderOperations(lengthsOf(batch), shape));
  return {
    at,
    seconds,
    first_seconds: steps[0]["seconds"],
    peak_bytes: device === "cpu" ? ours.peakBytes() : undefined,
    start_bytes: atStart,
    live_bytes: Math.max(...counted.map((step) => step["live_bytes"])),
    kept_bytes: Math.max(...batches.slice(1).map((batch) => keptBytes(lengthsOf(batch), shape))),
    occurrences: mean((batch) => lengthsOf(batch).samples.reduce((sum, length) => sum + length, 0)),
    distinct: mean((batch) => batch.distinct),
    gflop: operations / 1e9,
    gflops: operations / seconds / 1e9,
  };
}

/** Steps over a simulated study whose samples have about so many ASVs. */
async function richnessPoint(richness: number, flags: ScalingFlags, place: Place): Promise<Point> {
  const { simulate, writeSimulation } = await import("../../src/data/simulate/simulate.ts");
  const { prepareDataset } = await import("../../src/data/prepare/prepare.ts");
  const { openDataset } = await import("../../src/data/dataset/dataset.ts");
  const path = join(place.folder, `richness-${richness}`);
  const study = simulate({
    samples: 4 * usualBatch,
    asvs: 10 * richness,
    richness,
    length: 100,
    depth: 20_000,
  });
  const files = writeSimulation(join(path, "study"), study);
  await prepareDataset({ ...files, metrics: ["unweighted"] }, join(path, "dataset"));
  using dataset = openDataset(join(path, "dataset"));
  const point = await stepPoint(dataset, usualBatch, richness, flags, place);
  return { ...point, at: point.occurrences / usualBatch };
}

async function embedPoint(
  dataset: Dataset,
  count: number,
  flags: ScalingFlags,
  { device, threads }: Place,
): Promise<Point> {
  await using ours = await startOurs({
    dataset: dataset.path,
    samples: [],
    config: modelOf(flags),
    device,
    threads,
  });
  const atStart = ours.peakBytes() ?? 0;
  const first = (await ours.ask(`embed ${count}`))["seconds"] as number;
  const later: number[] = [];
  for (let round = 0; round < flags.rounds; round++)
    later.push((await ours.ask(`embed ${count}`))["seconds"] as number);
  const distinct = new Set<number>();
  let occurrences = 0;
  for (let row = 0; row < count; row++) {
    const { asvs } = dataset.sample(row);
    occurrences += asvs.length;
    for (const asv of asvs) distinct.add(asv);
  }
  return {
    at: count,
    seconds: median(later),
    first_seconds: first,
    peak_bytes: device === "cpu" ? ours.peakBytes() : undefined,
    start_bytes: atStart,
    occurrences,
    distinct: distinct.size,
  };
}

/** One step of the other side: only its memory counts, which the first step tells. */
async function referencePoint(
  dataset: Dataset,
  size: number,
  flags: ScalingFlags,
  { folder, device, threads }: Place,
): Promise<ReferencePoint> {
  const { drawBatches, writeReferenceBatches } = await import("./benchData.ts");
  const { tokenLimit, maxBp } = flags;
  const file = join(folder, "batches.safetensors");
  const samples = drawBatches(dataset, { batchSize: size, count: 1, seed: 1 });
  writeReferenceBatches(file, dataset, samples, { tokenLimit, maxBp, distance: "unweighted" });
  const facts = { file, device, threads, batchSize: size, microBatch: size };
  await using other = await startReference("step", flags, facts);
  const atStart = other.peakBytes() ?? 0;
  const step = (await other.ask("step 0")) as Record<string, number>;
  const peak = device === "cpu" ? (other.peakBytes() ?? step["memory"]) : step["memory"];
  return { at: size, seconds: step["seconds"], peak_bytes: peak, start_bytes: atStart };
}

/** For batches of growing size, what their first pass keeps; all samples last. */
async function keptByBatch(dataset: Dataset, flags: ScalingFlags): Promise<{ at: number; bytes: number }[]> {
  const { drawBatches } = await import("./benchData.ts");
  const { BatchBuilder } = await import("../../src/data/batches/batch.ts");
  const { Random } = await import("../../src/common/random/random.ts");
  const builder = new BatchBuilder(dataset, { tokenLimit: flags.tokenLimit, maxBp: flags.maxBp });
  const shape = { dim: flags.embeddingDim, layers: flags.layers };
  const found: { at: number; bytes: number }[] = [];
  const steps = 24;
  const counts = Array.from({ length: steps }, (_, i) =>
    Math.round(dataset.sampleCount ** ((i + 1) / steps)),
  );
  for (const at of new Set(counts)) {
    const [rows] = drawBatches(dataset, { batchSize: at, count: 1, seed: 2 });
    found.push({ at, bytes: keptBytes(lengthsOf(builder.build(rows, new Random(0))), shape) });
  }
  return found;
}
