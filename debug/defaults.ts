/**
 * Which way of training reaches the best validation R²? Trains a list of configurations for equal steps
 * (or processor time) with several seeds; each result is appended to a file at once, so that it can be
 * stopped and started again:
 *
 *     nice -n 19 bun run debug/defaults.ts --data DATASET --steps 300 --seeds 3
 *
 * The table is written to debug/defaults.md after each training.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { positiveNumber, wholeNumber } from "../src/cli/options/optionValues.ts";
import { reportError } from "../src/cli/text/reportError.ts";
import { makeFolder, writeFileAtomic } from "../src/common/files/atomicFile.ts";
import { UserError } from "../src/common/userError.ts";
import { barChart, toPng } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { modelSchema } from "../src/training/config/config.ts";
import { evaluateNucleotides } from "../src/training/objectives/nucleotideObjective.ts";
import { type Configuration, configurations } from "./lib/configurations.ts";
import { type Conditions, defaultsTable, type Result } from "./lib/defaultsTable.ts";
import { EncoderTask } from "./lib/encoderTask.ts";
import { freshWith } from "./lib/freshEncoder.ts";
import { demoSubject, openSubject } from "./lib/openSubject.ts";
import { trainBriefly } from "./lib/shortTraining.ts";
import type { Subject } from "./lib/subject.ts";

interface Options extends Omit<Conditions, "minutes"> {
  data?: string;
  demo: boolean;
  minutes?: number;
  seeds: number;
  firstSeed: number;
  only?: string;
  results: string;
  table: string;
  threads?: number;
  device: torch.Device | "auto";
  list: boolean;
}

/** Trains one configuration from one seed and judges it on all pairs of the validation samples. */
export async function measure(
  { name, changes, task, withoutPositions }: Configuration,
  seed: number,
  subject: Subject,
  conditions: Conditions,
): Promise<Result> {
  const { steps, minutes, embeddingDim, layers, heads } = conditions;
  const fresh = freshWith(subject, seed, {
    model: { embeddingDim, attentionLayers: layers, attentionHeads: heads, ...changes?.model },
    training: changes?.training,
  });
  if (withoutPositions) {
    const { weight } = fresh.model.sampleEncoder.samplePositionEmbedding.table;
    torch.noGrad(() => weight.zero_());
    weight.requiresGrad_(false);
  }
  const trained = new EncoderTask(fresh.model, fresh, task?.(embeddingDim));
  const training = await trainBriefly(trained, fresh, {
    steps: minutes === null ? steps : Number.MAX_SAFE_INTEGER,
    minutes: minutes ?? undefined,
  });
  const { r2, mae, pearson, bias, mse } = trained.evaluate(fresh.validation).result;
  const { maxBp, nucMaskRatio: maskRatio } = fresh.config.model;
  const nucleotides =
    fresh.config.training.nucPenalty > 0
      ? evaluateNucleotides(fresh.model.asvEncoder, {
          dataset: fresh.dataset,
          samples: fresh.validation,
          maxBp,
          maskRatio,
          device: fresh.device,
        }).nuc_accuracy
      : undefined;
  const scale =
    trained.form === "raw"
      ? null
      : Number(
          trained.form.tanhScale instanceof torch.Tensor
            ? trained.form.tanhScale.item()
            : trained.form.tanhScale,
        );
  trained.model.dispose();
  return {
    name,
    seed,
    conditions,
    data: dataKey(subject),
    r2,
    mae,
    pearson,
    bias,
    mse,
    trainMse: training.lastLoss,
    nucleotideAccuracy: nucleotides ?? null,
    tanhScale: scale,
    steps: training.steps,
    samples: training.samples,
    seconds: training.seconds,
    cpuSeconds: training.cpuSeconds,
  };
}

/** Tells data apart: results on other data are not put into one table. */
function dataKey({ dataset, metric }: Subject): string {
  const { samples, asvs } = dataset.manifest.counts;
  const table = dataset.manifest.sources.find(({ role }) => role === "table");
  return `${samples} samples, ${asvs} ASVs, ${metric}, ${table?.sha256.slice(0, 12) ?? "no table"}`;
}

/** What was measured before. A line that was cut off when the process was ended is left out. */
export function readResults(path: string): Result[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as Result];
      } catch {
        return [];
      }
    });
}

async function main(options: Options): Promise<void> {
  if (options.list) {
    for (const { name, is } of configurations) console.log(`${name.padEnd(28)} ${is}`);
    return;
  }
  if (options.threads) torch.setNumThreads(options.threads);
  const device = torch.resolveDevice(options.device);
  const scratch = mkdtempSync(join(tmpdir(), "aam-debug-"));
  try {
    if (!options.demo && !options.data) throw new UserError("Give --data DATASET, or try it with --demo.");
    const context = { say: (text: string) => console.log(text), scratch };
    const subject = options.demo
      ? await demoSubject(context, { device, seed: options.firstSeed, trained: false })
      : openSubject({ data: options.data, device, seed: options.firstSeed });
    console.log(subject.description);
    await measureAll(subject, options);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function measureAll(subject: Subject, options: Options): Promise<void> {
  const { steps, minutes = null, embeddingDim, layers, heads, seeds, firstSeed } = options;
  const conditions: Conditions = {
    steps: minutes === null ? steps : 0,
    minutes,
    embeddingDim,
    layers,
    heads,
  };
  const data = dataKey(subject);
  const isSame = (result: Result) =>
    result.data === data && JSON.stringify(result.conditions) === JSON.stringify(conditions);
  makeFolder(join(options.results, ".."));
  const results = readResults(options.results).filter(isSame);
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    for (const configuration of chosen(options.only)) {
      if (results.some((result) => result.name === configuration.name && result.seed === seed)) continue;
      const result = await measure(configuration, seed, subject, conditions);
      appendFileSync(options.results, `${JSON.stringify(result)}\n`);
      results.push(result);
      const { r2, bias, seconds, cpuSeconds } = result;
      console.log(
        `${configuration.name}, seed ${seed}: R² ${r2.toFixed(4)}, bias ${bias.toFixed(4)}, ${result.steps} steps, ${seconds.toFixed(0)} s (processor ${cpuSeconds.toFixed(0)} s)`,
      );
      await writeTable(results, options, subject);
    }
  }
  await writeTable(results, options, subject);
}

function chosen(only: string | undefined): readonly Configuration[] {
  if (only === undefined) return configurations;
  return only.split(";").map((name) => {
    const found = configurations.find((configuration) => configuration.name === name.trim());
    if (!found) throw new UserError(`There is no configuration "${name.trim()}"; see --list.`);
    return found;
  });
}

async function writeTable(results: readonly Result[], options: Options, subject: Subject): Promise<void> {
  if (results.length === 0) return;
  const table = defaultsTable(results, subject.description.replace(/ The model:.*$/, ""));
  const plot = await barChart({
    title: "Validation R² by configuration",
    subtitle: [table.conditions],
    valueTitle: "R², not below -1",
    bars: table.rows.map(({ name, r2 }) => ({ label: name, value: Math.max(-1, r2.mean), error: r2.sd })),
  });
  const picture = join(options.results, "..", "r2.png");
  writeFileAtomic(picture, await toPng(plot, 1));
  writeFileAtomic(options.table, table.markdown(relative(join(options.table, ".."), picture)));
}

if (import.meta.main) {
  const model = modelSchema.parse({});
  const command = new Command("debug/defaults.ts")
    .description("Which way of training reaches the best validation R² at equal steps or processor time?")
    .option("--data <folder>", "a prepared data set")
    .option("--demo", "on a simulated study", false)
    .option("--steps <n>", "steps of each training", wholeNumber, 300)
    .option("--minutes <x>", "minutes of processor time of each training instead of steps", positiveNumber)
    .option("--seeds <n>", "trainings of each configuration", wholeNumber, 3)
    .option("--first-seed <n>", "the first of the seeds", wholeNumber, 42)
    .option("--only <names>", "some configurations, separated by ;")
    .option("--list", "name the configurations", false)
    .option("--embedding-dim <n>", "size of the embeddings", wholeNumber, model.embeddingDim)
    .option("--layers <n>", "layers of each transformer", wholeNumber, model.attentionLayers)
    .option("--heads <n>", "attention heads", wholeNumber, model.attentionHeads)
    .option(
      "--results <file>",
      "where results are appended",
      relative(".", join(import.meta.dir, "defaults", "results.jsonl")),
    )
    .option("--table <file>", "the table", relative(".", join(import.meta.dir, "defaults.md")))
    .option("--threads <n>", "CPU threads of one operation", wholeNumber)
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("auto"),
    )
    .action(main);
  try {
    await command.parseAsync();
  } catch (error) {
    process.exit(reportError(error));
  }
}
