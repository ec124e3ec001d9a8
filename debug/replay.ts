/**
 * Repeats a step in which a value became NaN or infinite, from the file that a
 * training with --debug-nan wrote:
 *
 *     bun run debug/replay.ts RUN/debug/nan-step-12.safetensors
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { Command, Option } from "commander";
import { reportError } from "../src/cli/text/reportError.ts";
import { UserError } from "../src/common/userError.ts";
import { type Dataset, openDataset } from "../src/data/dataset/dataset.ts";
import { lineChart } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { onForward } from "../src/training/loop/forwardHooks.ts";
import {
  describeSite,
  NanDetector,
  NonFiniteError,
  nonFiniteIn,
  restoreRandomStates,
} from "../src/training/loop/nanDetector.ts";
import { loadRepro, type NanRepro, type NonFiniteSite } from "../src/training/loop/nanRepro.ts";
import type { RunFacts } from "../src/training/run/facts.ts";
import { openModel } from "../src/training/run/open.ts";
import { makeFaultyStep } from "./lib/faultyStep.ts";
import { type Finding, numberText, writeFinding } from "./lib/finding.ts";
import { investigationDevice } from "./lib/investigation.ts";
import { keptAsvsNote, lossesOf, targetNote } from "./lib/repeatStep.ts";
import { isHeld, verdictSentence } from "./lib/verdict.ts";

const question = "Where in a saved step does the first value that is not finite arise, and what led to it?";

interface TraceRow {
  readonly path: string;
  readonly largest: number;
  readonly nonFinite: number;
}

export interface ReplayOptions {
  readonly device: torch.Device;
  /** For fine-tuning runs with categories or a frozen encoder. */
  readonly dataset: Dataset | null;
  /** For files that nobody needs afterwards. */
  readonly scratch: string;
}

/** Repeats a saved step under a detector. The model is made from the facts in the file. */
export async function replay(repro: NanRepro, options: ReplayOptions): Promise<Finding> {
  const { device, dataset, scratch } = options;
  const facts = repro.facts as RunFacts;
  const run = openModel("the saved step", facts);
  const { model } = run;
  model.loadStateDict(repro.weights);
  model.to(device).train();
  const trace: TraceRow[] = [];
  const found = repeat(repro, run, device, dataset, scratch, trace);
  const anomaly = found?.kind === "gradient" ? operatorOf(repro, run, device, dataset) : null;
  model.dispose();
  const recorded = repro.site;
  const isSame = found !== null && found.kind === recorded.kind && found.path === recorded.path;
  const shown = trace.slice(-12);
  return {
    answer:
      found === null
        ? `The step gives finite values when it is repeated on ${device}; recorded was ${describeSite(recorded)}.`
        : `${isSame ? "Again, " : ""}${describeSite(found)}${isSame ? "" : `; recorded was ${describeSite(recorded)}`}.`,
    details: [
      `Step ${repro.step}; samples: ${repro.sampleIds.join(", ")}.`,
      ...(anomaly ? [`The operator whose backward gave it: ${anomaly}`] : []),
      ...(found?.kind === "weight"
        ? [
            "The weights were not finite before the step: the step before made them so, by its gradients or its learning rate.",
          ]
        : []),
      ...(facts.kind === "fine-tune" ? [targetNote] : []),
      ...(!isSame && facts.kind === "pretrain" && facts.config.sampleEpochs > 0 ? [keptAsvsNote] : []),
    ],
    // A weight or an input is found before any module is called.
    tables:
      shown.length === 0
        ? []
        : [
            {
              title: "The last results before it, in the order of the forward pass",
              header: ["module", "largest absolute value", "not finite"],
              rows: shown.map(({ path, largest, nonFinite }) => [path, largest, nonFinite]),
            },
          ],
    plots:
      trace.filter(({ largest }) => largest > 0 && Number.isFinite(largest)).length > 1
        ? [
            {
              name: "growth",
              plot: await lineChart({
                title: "Largest values along the forward pass",
                xTitle: "Results in the order of the forward pass",
                yTitle: "Largest absolute value",
                logY: true,
                series: [
                  { name: "largest", x: trace.map((_, i) => i + 1), y: trace.map(({ largest }) => largest) },
                ],
              }),
              caption: "Values that grow on the way overflow; a sudden end is a NaN from finite values.",
            },
          ]
        : [],
    numbers: { step: repro.step, sampleIds: repro.sampleIds, recorded, found, trace, anomaly },
    verdicts: [
      {
        name: "the recorded place is found again",
        value: isSame ? 1 : 0,
        relation: "=",
        threshold: 1,
        holds: "The step can be repeated: change the code and try again.",
        fails: found
          ? "Another place is found: other code, another device or other versions than in the run."
          : "Nothing is found: what caused it has been mended, or it was another device.",
      },
    ],
  };
}

function repeat(
  repro: NanRepro,
  run: ReturnType<typeof openModel>,
  device: torch.Device,
  dataset: Dataset | null,
  scratch: string,
  trace: TraceRow[],
): NonFiniteSite | null {
  using _scope = torch.scope();
  const sampleId = (index: number) => repro.sampleIds[repro.batch.sampleIndices.indexOf(index)];
  // Before the detector, so that the trace has the faulty result too.
  using _trace = onForward(run.model, (path, _module, result) => {
    if (result instanceof torch.Tensor && torch.isFloatingDtype(result.dtype))
      trace.push({ path: path || "the model", ...sizeOf(result) });
  });
  using detector = new NanDetector(run.model, { folder: scratch, sampleId, facts: repro.facts });
  try {
    restore(repro);
    detector.startStep(repro.batch, repro.step, repro.random);
    const { total, parts } = lossesOf(run, repro.batch, device, dataset);
    detector.checkLosses({ ...parts, total_loss: total });
    total.backward();
    detector.checkGradients();
    return null;
  } catch (cause) {
    if (cause instanceof NonFiniteError) return cause.site;
    throw cause;
  }
}

/** States of devices that are here. */
function restore({ random }: NanRepro): void {
  const here = [...random].filter(([device]) => device === "cpu" || torch.accelerator() !== null);
  restoreRandomStates(new Map(here));
}

function sizeOf(value: torch.Tensor): { largest: number; nonFinite: number } {
  const found = nonFiniteIn(value);
  const largest = torch.noGrad(() => torch.tidy(() => (value.numel === 0 ? 0 : value.abs().max().item())));
  return { largest, nonFinite: found ? found.nan + found.infinite : 0 };
}

/** What LibTorch's anomaly mode says of the backward pass. */
function operatorOf(
  repro: NanRepro,
  run: ReturnType<typeof openModel>,
  device: torch.Device,
  dataset: Dataset | null,
): string | null {
  run.model.zeroGrad();
  try {
    torch.detectAnomaly(() =>
      torch.tidy(() => {
        restore(repro);
        lossesOf(run, repro.batch, device, dataset).total.backward();
      }),
    );
    return null;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

interface Options {
  data?: string;
  demo: boolean;
  output?: string;
  device: torch.Device | "auto";
}

async function main(file: string | undefined, options: Options): Promise<void> {
  const started = performance.now();
  const scratch = mkdtempSync(join(tmpdir(), "aam-debug-"));
  try {
    if (!file && !options.demo)
      throw new UserError("Give the file that a training with --debug-nan named, or try it with --demo.");
    if (file && options.demo) throw new UserError("Give either the file of a saved step, or --demo.");
    if (file && !existsSync(file))
      throw new UserError(`There is no ${file}; give the file that a training with --debug-nan named.`);
    const path = file ?? (await makeFaultyStep(scratch));
    const repro = loadRepro(path);
    const dataset = options.data ? openDataset(options.data) : null;
    const finding = await replay(repro, { device: investigationDevice(options.device), dataset, scratch });
    const folder = options.output ?? join(import.meta.dir, "reports", "replay");
    const facts = {
      name: "replay",
      question,
      command: `bun run debug/replay.ts ${options.demo ? "--demo" : basename(path)}`,
      subject: `A step of a ${(repro.facts as RunFacts).kind} run.`,
      seconds: (performance.now() - started) / 1000,
    };
    await writeFinding(folder, facts, finding);
    console.log([finding.answer, ...finding.details.map((detail) => `- ${detail}`)].join("\n"));
    for (const row of finding.tables.flatMap(({ rows }) => rows))
      console.log(row.map((cell) => (typeof cell === "number" ? numberText(cell) : cell)).join("  "));
    for (const verdict of finding.verdicts) console.log(verdictSentence(verdict));
    console.log(`The report is ${relative(process.cwd(), join(folder, "report.md"))}`);
    if (!finding.verdicts.every(isHeld)) process.exitCode = 3;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const command = new Command("debug/replay.ts")
    .description(question)
    .argument("[file]", "nan-step-<n>.safetensors of a run")
    .option(
      "--data <folder>",
      "the run's data set, for a fine-tuning run with categories or a frozen encoder",
    )
    .option("--demo", "plant a fault in a training on simulated data, and repeat its step", false)
    .option("--output <folder>", "where the report goes (default: debug/reports/replay)")
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("cpu"),
    )
    .action(main);
  try {
    await command.parseAsync();
  } catch (error) {
    process.exit(reportError(error));
  }
}
