/**
 * Which tensors live through a training step, how many bytes they have, what holds them, and does any stay?
 */

import { Random } from "../src/common/random/random.ts";
import { BatchBuilder } from "../src/data/batches/batch.ts";
import { barChart, lineChart } from "../src/display/plots/index.ts";
import * as torch from "../src/torch/index.ts";
import { onForward } from "../src/training/loop/forwardHooks.ts";
import { parameterGroups } from "../src/training/loop/paramGroups.ts";
import { EncoderTask } from "./lib/encoderTask.ts";
import { type Finding, numberText } from "./lib/finding.ts";
import { type Investigation, runInvestigation } from "./lib/investigation.ts";
import { atLeast } from "./lib/settingValues.ts";
import type { Subject } from "./lib/subject.ts";

export type MemorySettings = { batchSize: number; steps: number };

interface Mark {
  /** What has just been done. */
  readonly at: string;
  readonly liveTensors: number;
  readonly bytes: number;
}

interface StepRecord {
  readonly marks: Mark[];
  /** Tensors that the step's scope owned when it was closed. */
  readonly owned: number;
  readonly peak: number;
  /** Results that are still there after the scope was closed, each once, by the module that made it. */
  readonly survivors: string[];
}

const mib = 2 ** 20;
const bytesText = (bytes: number) => `${(bytes / mib).toFixed(1)} MiB`;

/** Bytes of tensors: on the accelerator, or on the CPU (those from 64 KiB on). */
function measure(device: torch.Device, at: string): Mark {
  const { liveTensors, cpu, device: accelerator } = torch.memory();
  return { at, liveTensors, bytes: device === "cpu" ? cpu.allocated : accelerator.allocated };
}

function tensorsOf(value: unknown): torch.Tensor[] {
  if (value instanceof torch.Tensor) return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(tensorsOf) : [];
}

/**
 * A result by the module that made it; the modules around that returned the same tensor may be what keeps it.
 */
function describeResult([maker, ...others]: readonly string[]): string {
  return others.length === 0 ? maker : `${maker} (returned by ${others.join(" and ")} too)`;
}

/** One training step, measured after each part and each module. */
function measureStep(
  subject: Subject,
  task: EncoderTask,
  optimizer: torch.optim.AdamW,
  builder: BatchBuilder,
  samples: Int32Array,
): StepRecord {
  const { device, model } = subject;
  const marks: Mark[] = [];
  const mark = (at: string) => marks.push(measure(device, at));
  const results = new Map<torch.Tensor, string[]>();
  torch.resetPeakMemory();
  mark("before the step");
  let owned = 0;
  {
    using scope = torch.scope();
    const batch = builder.build(samples, new Random(0));
    using _hooks = onForward(model, (path, _module, result) => {
      mark(path || "the model");
      for (const tensor of new Set(tensorsOf(result)))
        results.set(tensor, [...(results.get(tensor) ?? []), path || "the model"]);
    });
    const { total } = task.losses(batch);
    mark("losses");
    optimizer.zeroGrad();
    total.backward();
    mark("backward");
    torch.nn.clipGradNorm_(model.parameters(), 1);
    optimizer.step();
    mark("optimizer");
    owned = scope.size;
  }
  mark("scope closed");
  const { cpu, device: accelerator } = torch.memory();
  const alive = [...results].filter(([tensor]) => !tensor.isDisposed);
  const survivors = [...new Set(alive.map(([, paths]) => describeResult(paths)))];
  return { marks, owned, peak: device === "cpu" ? cpu.allocatedPeak : accelerator.allocatedPeak, survivors };
}

/**
 * Bytes that the forward pass added and kept, by module: what the backward pass will need. A module that is
 * called again is there again.
 */
function addedBy(marks: readonly Mark[]): { path: string; call: number; bytes: number; tensors: number }[] {
  const calls = new Map<string, number>();
  return marks.slice(1).map(({ at, bytes, liveTensors }, i) => {
    const before = marks[i];
    const call = (calls.get(at) ?? 0) + 1;
    calls.set(at, call);
    return { path: at, call, bytes: bytes - before.bytes, tensors: liveTensors - before.liveTensors };
  });
}

/** Parts of the model that one wants to see, each with all that is below it. */
const groups: readonly [name: string, prefix: string][] = [
  ["encoder of bases", "sample_encoder.asv_encoder"],
  ["encoder of samples", "sample_encoder"],
  ["encoder transformer", "encoder_transformer"],
  ["pooling of ASVs", "attention_pooling"],
];

export const memory: Investigation<MemorySettings> = {
  name: "memory",
  question:
    "How many tensors and bytes live at each point of a training step, what holds them, and does anything stay after the step?",
  needs: "data",
  settings: {
    batchSize: { default: 32, is: "samples in a batch", parse: atLeast(2) },
    steps: { default: 6, is: "equal steps, at least 3", parse: atLeast(3) },
  },

  async investigate(subject, { batchSize, steps }): Promise<Finding> {
    const { model, config, dataset, metric, train } = subject;
    const task = new EncoderTask(model, subject);
    const { tokenLimit, maxBp } = config.model;
    const builder = new BatchBuilder(dataset, { tokenLimit, maxBp, distance: metric });
    const samples = train.subarray(0, batchSize);
    const optimizer = new torch.optim.AdamW(parameterGroups(model, { weightDecay: 0.01 }), { lr: 1e-4 });
    torch.manualSeed(subject.seed);
    model.train();
    const records: StepRecord[] = [];
    for (let step = 0; step < Math.max(3, steps); step++)
      records.push(measureStep(subject, task, optimizer, builder, samples));
    model.eval();
    model.zeroGrad();
    optimizer.dispose();

    // The first step makes gradients and the optimizer's state, which stay on purpose.
    const settled = records.slice(1);
    const after = settled.map(({ marks }) => marks[marks.length - 1]);
    const tensorGrowth = after[after.length - 1].liveTensors - after[0].liveTensors;
    const byteGrowth = after[after.length - 1].bytes - after[0].bytes;
    const survivors = [...new Set(settled.flatMap((record) => record.survivors))];
    const last = records[records.length - 1];
    const base = last.marks[0];
    const parameterBytes = model.parameters().reduce((sum, value) => sum + value.nbytes, 0);
    const added = addedBy(last.marks);
    const forwardEnd = added.findIndex(({ path }) => path === "losses");
    const forward = added.slice(0, forwardEnd + 1);
    const claimed = new Set<number>();
    const byGroup = groups.map(([name, prefix]) => {
      const mine = forward.filter(({ path }, i) => {
        const isMine = !claimed.has(i) && (path === prefix || path.startsWith(`${prefix}.`));
        if (isMine) claimed.add(i);
        return isMine;
      });
      return { name, bytes: mine.reduce((sum, { bytes }) => sum + bytes, 0) };
    });
    byGroup.push({
      name: "losses",
      bytes: forward.filter((_, i) => !claimed.has(i)).reduce((sum, { bytes }) => sum + bytes, 0),
    });
    const largest = [...forward].sort((a, b) => b.bytes - a.bytes).slice(0, 8);
    const heldAtLoss = last.marks[forwardEnd + 1].bytes - base.bytes;
    return {
      answer:
        `A step with ${batchSize} samples keeps ${bytesText(heldAtLoss)} for its backward pass (peak ${bytesText(last.peak - base.bytes)} above the ${bytesText(base.bytes)} before it) ` +
        `and owns ${last.owned} tensors; afterwards ${tensorGrowth === 0 ? "none stays" : `${tensorGrowth} more stay`} over ${settled.length} steps.`,
      details: [
        `Weights: ${bytesText(parameterBytes)} in ${model.parameters().length} tensors; with gradients and AdamW's two moments four times as much, which is what stays between steps (tensors below 64 KiB are not in the allocator's figures).`,
        `Of what the backward pass needs, ${byGroup.map(({ name, bytes }) => `${name} ${((100 * bytes) / Math.max(1, heldAtLoss)).toFixed(0)} %`).join(", ")}.`,
        ...(largest.some(({ call }) => call > 1)
          ? ["The second call of the encoder of bases is the pass that predicts hidden nucleotides."]
          : []),
        ...(survivors.length > 0
          ? [`Results that outlive their step are those of ${survivors.join(", ")}: something keeps them.`]
          : []),
      ],
      tables: [
        {
          title: "After each step",
          header: ["step", "live tensors", "MiB", "owned by the step's scope", "peak MiB"],
          rows: records.map(({ marks, owned, peak }, step) => {
            const end = marks[marks.length - 1];
            return [step + 1, end.liveTensors, end.bytes / mib, owned, peak / mib];
          }),
        },
        {
          title: "What the forward pass adds most by",
          header: ["module", "call", "MiB kept", "tensors"],
          rows: largest.map(({ path, call, bytes, tensors }) => [path, call, bytes / mib, tensors]),
        },
      ],
      plots: [
        {
          name: "step",
          plot: await lineChart({
            title: "Memory through one step",
            xTitle: "Modules and parts in the order in which they end",
            yTitle: "MiB",
            fromZero: true,
            series: [
              {
                name: "allocated",
                x: last.marks.map((_, i) => i),
                y: last.marks.map(({ bytes }) => bytes / mib),
              },
            ],
          }),
          caption: `The highest point is the end of the forward pass; the fall is the backward pass, which frees as it goes. Parts: ${last.marks[0].at} ... ${last.marks[forwardEnd + 1].at}, backward, optimizer, scope closed.`,
        },
        {
          name: "holders",
          plot: await barChart({
            title: "What is kept for the backward pass",
            valueTitle: "MiB",
            bars: byGroup.map(({ name, bytes }) => ({ label: name, value: bytes / mib })),
          }),
          caption: `A batch of ${batchSize} samples.`,
        },
      ],
      numbers: { batchSize, records, parameterBytes, byGroup, tensorGrowth, byteGrowth, survivors },
      verdicts: [
        {
          name: "live tensors that each of several equal steps leaves behind, together",
          value: tensorGrowth,
          relation: "=",
          threshold: 0,
          holds: "Nothing leaks.",
          fails: `Tensors leak${survivors.length > 0 ? ` from ${survivors.join(", ")}` : ""}.`,
        },
        {
          name: "bytes that these steps leave behind",
          value: byteGrowth,
          relation: "=",
          threshold: 0,
          holds: "The allocator is where it was.",
          fails: `${numberText(byteGrowth)} bytes more are allocated.`,
        },
      ],
    };
  },
};

if (import.meta.main) await runInvestigation(memory);
