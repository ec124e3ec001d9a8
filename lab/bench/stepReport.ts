import { bytesText } from "../../src/common/bytesText.ts";
import { secondsText } from "./printReport.ts";

/** What one side took. */
export interface SideFigures {
  median_s: number;
  fastest_s: number;
  /** The first step, which counts as a warm-up only. */
  first_s: number;
  samples_per_second: number;
  /** Of the process; undefined where the system does not tell. */
  peak_bytes?: number;
  /** Of an accelerator's allocator. */
  device_peak_bytes?: number;
  /** Operations of the products that this side computes, per step, and how many it makes in a second. */
  gflop: number;
  gflops: number;
  /** Of the machine's rate in plain products of matrices. */
  share_of_matmul: number;
  /** Where the time goes: medians of parts of a step. */
  parts_s: Record<string, number>;
}

/** What `bench step` prints, in `--json` as it is. */
export interface StepReport {
  subject: "step";
  settings: Record<string, unknown>;
  /** Of one step, on average over the batches. */
  batch: { samples: number; occurrences: number; distinct: number; tokens: number };
  matmul_gflops: number;
  attention: Record<string, number>;
  ours: SideFigures;
  reference?: SideFigures;
  /** The reference's median divided by ours: how many times faster ours is. */
  ratio?: number;
  /** Our peak memory divided by the reference's. */
  memory_ratio?: number;
}

/** The report for people. */
export function reportText(report: StepReport): string {
  const { settings, batch, matmul_gflops, attention, ours, reference, ratio, memory_ratio } = report;
  const lines = [
    `step: ${Object.entries(settings)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
      .join(", ")}`,
    `  a batch has ${batch.occurrences} ASVs in ${batch.samples} samples, ${batch.distinct} distinct ones of ${batch.tokens} tokens in all`,
    `  plain products of matrices: ${matmul_gflops.toFixed(0)} GFLOP/s; attention: ${Object.entries(attention)
      .map(([name, calls]) => `${name} ${calls}x`)
      .join(", ")}`,
  ];
  for (const [name, side] of Object.entries({ ours, reference })) if (side) lines.push(sideText(name, side));
  if (ratio !== undefined) {
    const memory = memory_ratio === undefined ? "" : `, with ${memory_ratio.toFixed(2)} of its memory`;
    lines.push(`  ours is ${ratio.toFixed(1)} times faster${memory}`);
  }
  return `${lines.join("\n")}\n`;
}

function sideText(name: string, side: SideFigures): string {
  const bytes = side.device_peak_bytes ?? side.peak_bytes;
  const memory = bytes === undefined ? "" : `, at most ${bytesText(bytes)}`;
  const rate = `${side.gflop.toFixed(0)} GFLOP at ${side.gflops.toFixed(0)} GFLOP/s (${Math.round(100 * side.share_of_matmul)} % of plain products)`;
  const parts = Object.entries(side.parts_s).map(([part, seconds]) => `${part} ${secondsText(seconds)}`);
  return (
    `  ${name}: median ${secondsText(side.median_s)} (first ${secondsText(side.first_s)}), ${side.samples_per_second.toPrecision(3)} samples/s${memory}\n` +
    `    ${rate}; ${parts.join(", ")}`
  );
}
