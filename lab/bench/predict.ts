import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { bytesText } from "../../src/common/bytesText.ts";
import { median } from "../../src/common/median.ts";
import type { DataFlags } from "./benchData.ts";
import { secondsText } from "./printReport.ts";
import { addShapeOptions, modelOf, type ShapeFlags } from "./shapeOptions.ts";
import { startOurs, startReference } from "./startProcesses.ts";

interface PredictFlags extends DataFlags, ShapeFlags {
  batchSize: number;
  batches: number;
  rounds: number;
  reference?: string;
  json: boolean;
}

export function makeCommand(): Command {
  const command = new Command("predict")
    .description(
      "Embedding a whole table: ours, each ASV once, against a plain PyTorch implementation of the original AAM, which is timed on some batches; its time for the table is in proportion to its samples",
    )
    .option("--batch-size <n>", "samples that the other side encodes at a time", positiveWholeNumber, 8)
    .option("--batches <n>", "of the other side that count, after a first one", positiveWholeNumber, 4)
    .option(
      "--rounds <n>",
      "how often ours encodes the whole table, after a first time",
      positiveWholeNumber,
      2,
    )
    .option("--reference <folder>", "a checkout of the original AAM, instead of the plain implementation");
  return addShapeOptions(command, { trains: false }).action(async (flags: PredictFlags) => {
    const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
    try {
      const report = await measurePrediction(flags, folder);
      process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : reportText(report));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function measurePrediction(flags: PredictFlags, folder: string) {
  const { openBenchData, drawBatches, writeReferenceBatches } = await import("./benchData.ts");
  const device = await chooseDevice(flags.device);
  const opened = await openBenchData(flags, folder);
  using dataset = opened.dataset;
  const threads = flags.threads ?? availableParallelism();
  const { batchSize, batches, rounds, tokenLimit, maxBp } = flags;
  const drawn = drawBatches(dataset, { batchSize, count: batches + 1, seed: 1 });
  const file = join(folder, "batches.safetensors");
  const built = writeReferenceBatches(file, dataset, drawn, { tokenLimit, maxBp });
  const ours: number[] = [];
  const theirs: number[] = [];
  await using own = await startOurs({
    dataset: dataset.path,
    samples: [],
    config: modelOf(flags),
    device,
    threads,
  });
  await using other = await startReference("predict", flags, {
    file,
    device,
    threads,
    batchSize,
    microBatch: batchSize,
  });
  for (let turn = 0; turn <= Math.max(batches, rounds); turn++) {
    if (turn <= rounds) ours.push((await own.ask("embed"))["seconds"] as number);
    if (turn <= batches) theirs.push((await other.ask(`predict ${turn}`))["seconds"] as number);
  }
  const samples = dataset.sampleCount;
  const measured = theirs.slice(1);
  const perSample = measured.reduce((sum, seconds) => sum + seconds, 0) / (batches * batchSize);
  const ourMedian = median(ours.slice(1));
  const occurrences = (rows: Iterable<number>) => {
    let [sum, count] = [0, 0];
    for (const row of rows) {
      sum += Math.min(tokenLimit, dataset.sample(row).asvs.length);
      count++;
    }
    return sum / count;
  };
  return {
    subject: "predict",
    settings: {
      data: opened.source,
      device,
      threads,
      dim: flags.embeddingDim,
      layers: flags.layers,
      heads: flags.heads,
      token_limit: tokenLimit,
      max_bp: maxBp,
      reference: flags.reference ?? "plain PyTorch",
    },
    samples,
    distinct: dataset.asvCount,
    ours: {
      median_s: ourMedian,
      first_s: ours[0],
      samples_per_second: samples / ourMedian,
      peak_bytes: own.peakBytes(),
    },
    reference: {
      /** In proportion: seconds per sample of the batches that were timed, times all samples. */
      median_s: perSample * samples,
      samples_per_second: 1 / perSample,
      peak_bytes: other.peakBytes(),
      timed_samples: batches * batchSize,
      timed_s: perSample * batches * batchSize,
      asvs_per_timed_sample: occurrences(drawn.slice(1).flatMap((rows) => [...rows])),
      asvs_per_sample: occurrences(dataset.sampleIds.keys()),
      padded_to: built[0].samples * tokenLimit,
    },
    ratio: (perSample * samples) / ourMedian,
  };
}

function reportText(report: Awaited<ReturnType<typeof measurePrediction>>): string {
  const { settings, samples, distinct, ours, reference, ratio } = report;
  const gib = (bytes: number | undefined) => (bytes === undefined ? "" : `, at most ${bytesText(bytes)}`);
  const { timed_samples, timed_s, asvs_per_timed_sample, asvs_per_sample } = reference;
  return [
    `predict: ${Object.entries(settings)
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
      .join(", ")}`,
    `  ours: ${secondsText(ours.median_s)} for ${samples} samples with ${distinct} ASVs (first ${secondsText(ours.first_s)})${gib(ours.peak_bytes)}`,
    `  reference: ${secondsText(reference.median_s)}, in proportion to ${secondsText(timed_s)} for ${timed_samples} samples${gib(reference.peak_bytes)}`,
    `    (${asvs_per_timed_sample.toFixed(0)} ASVs in one of these, ${asvs_per_sample.toFixed(0)} in one of all)`,
    `  ours is ${ratio.toFixed(1)} times faster`,
    "",
  ].join("\n");
}
