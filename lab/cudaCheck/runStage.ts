import { bunProcess } from "../../src/common/bunProcess.ts";
import { projectRoot } from "../../src/torch/setup/places.ts";
import type { Output, Stage } from "./stages.ts";

/** What the report holds of a stage. */
export interface StageReport {
  readonly name: string;
  readonly command: string;
  readonly status: "passed" | "failed";
  readonly seconds: number;
  readonly figures: unknown;
  /** Of a failed stage: why, and the last lines that it wrote. */
  readonly failure?: { readonly reason: string; readonly lines: readonly string[] };
}

const linesKept = 30;
/** Far above what any stage needs, so that a hang ends. */
const stageMilliseconds = 1_800_000;

/** Reads a stream to its end; what comes is shown at once. */
async function readAndShow(
  stream: ReadableStream<Uint8Array>,
  show: (text: string) => void,
): Promise<string> {
  const decoder = new TextDecoder();
  let whole = "";
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    whole += text;
    show(text);
  }
  return whole;
}

async function run(stage: Stage, show: (text: string) => void): Promise<Output> {
  const { cmd, env } = bunProcess(stage.command, stage.env);
  const child = Bun.spawn(cmd, {
    env,
    cwd: projectRoot,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: stageMilliseconds,
    killSignal: "SIGKILL",
  });
  const [out, err, code] = await Promise.all([
    readAndShow(child.stdout, show),
    readAndShow(child.stderr, show),
    child.exited,
  ]);
  return { code, out, err: child.signalCode ? `${err}\nended by ${child.signalCode}` : err };
}

/** Runs a stage; `show` gets all that it writes. */
export async function runStage(stage: Stage, show: (text: string) => void): Promise<StageReport> {
  const started = performance.now();
  const output = await run(stage, show);
  const seconds = Math.round(performance.now() - started) / 1000;
  const told = { name: stage.name, command: `bun ${stage.command.join(" ")}`, seconds };
  let figures: unknown = null;
  let reason = output.code === 0 ? "" : `it ended with ${output.code}`;
  try {
    figures = stage.figures(output);
  } catch (cause) {
    reason ||= cause instanceof Error ? cause.message : String(cause);
  }
  if (reason === "") return { ...told, status: "passed", figures };
  const lines = `${output.out}\n${output.err}`.split("\n").filter((line) => line.trim() !== "");
  return { ...told, status: "failed", figures, failure: { reason, lines: lines.slice(-linesKept) } };
}
