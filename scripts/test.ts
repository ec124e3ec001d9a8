/**
 * The whole check: TypeScript, biome, knip (what nothing uses), then every test file in a process of its own,
 * so that a crash in native code or what one file leaves behind (generator state, threads, live tensors)
 * cannot reach another; measured, that costs 3 % over one process for all. Arguments choose test files by a
 * part of their path. The last line is `N passed, N failed`, with `, N skipped` when some were.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";

interface Outcome {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  output: string;
}

const root = resolve(import.meta.dir, "..");
const reportFolder = mkdtempSync(join(tmpdir(), "aam-test-"));
/** For one test, and for one file: far above what any needs, so that a hang ends. */
const testMilliseconds = 120_000;
const fileMilliseconds = 900_000;

async function runCommand(
  command: string[],
  milliseconds: number,
): Promise<{ code: number; output: string }> {
  const child = Bun.spawn(command, {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: milliseconds,
    killSignal: "SIGKILL",
    env: process.env,
  });
  const [text, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const end = child.signalCode ? `\nended by ${child.signalCode}\n` : "";
  return { code, output: `${text}${errors}${end}` };
}

async function runCheck(name: string, script: string, args: string[]): Promise<Outcome> {
  const started = performance.now();
  const { code, output } = await runCommand(
    [process.execPath, join(root, script), ...args],
    fileMilliseconds,
  );
  const passed = code === 0 ? 1 : 0;
  const seconds = (performance.now() - started) / 1000;
  return { name, passed, failed: 1 - passed, skipped: 0, seconds, output };
}

/** The totals of a JUnit report; null when there is none, as after a crash. */
function readReport(path: string): { tests: number; failures: number; skipped: number } | null {
  try {
    const head = /<testsuites [^>]*>/.exec(readFileSync(path, "utf8"))?.[0] ?? "";
    const total = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1]);
    const report = { tests: total("tests"), failures: total("failures"), skipped: total("skipped") };
    return Number.isNaN(report.tests + report.failures + report.skipped) ? null : report;
  } catch {
    return null;
  }
}

async function runTestFile(file: string): Promise<Outcome> {
  const started = performance.now();
  const reportPath = join(reportFolder, `${file.replace(/[^\w.]/g, "-")}.xml`);
  const { code, output } = await runCommand(
    [
      ...[process.execPath, "test", `./${file}`, `--timeout=${testMilliseconds}`],
      ...["--reporter=junit", `--reporter-outfile=${reportPath}`],
    ],
    fileMilliseconds,
  );
  const report = readReport(reportPath) ?? { tests: 0, failures: 0, skipped: 0 };
  // A file that crashes or cannot be loaded fails as a whole, whatever its tests had said until then.
  const failed = code === 0 ? report.failures : Math.max(1, report.failures);
  const passed = report.tests - report.failures - report.skipped;
  return {
    name: file,
    passed,
    failed,
    skipped: report.skipped,
    seconds: (performance.now() - started) / 1000,
    output,
  };
}

function tell(outcome: Outcome): void {
  const { name, passed, failed, skipped, seconds, output } = outcome;
  const counts = [`${passed} passed`];
  if (failed > 0) counts.push(`${failed} failed`);
  if (skipped > 0) counts.push(`${skipped} skipped`);
  console.log(`${failed > 0 ? "FAIL" : "ok  "} ${name}: ${counts.join(", ")} (${seconds.toFixed(1)} s)`);
  if (failed > 0) console.log(`${output.trimEnd()}\n`);
}

const wanted = process.argv.slice(2);
const files = [...new Bun.Glob("tests/**/*.test.ts").scanSync({ cwd: root })]
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part.replace(/^\.\//, ""))))
  .sort();

/** The folder of the script that runs in browsers, whose types are others. */
const pageScript = join(root, "src/display/page/browser");

const queue: (() => Promise<Outcome>)[] = [
  () => runCheck("tsc", "node_modules/typescript/bin/tsc", ["--noEmit"]),
  () =>
    runCheck("tsc of the page's script", "node_modules/typescript/bin/tsc", ["--noEmit", "-p", pageScript]),
  () => runCheck("biome check", "node_modules/@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]),
  () => runCheck("knip", "node_modules/knip/bin/knip-bun.js", ["--no-progress"]),
  ...files.map((file) => () => runTestFile(file)),
];
const outcomes: Outcome[] = [];
const worker = async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const outcome = await next();
    outcomes.push(outcome);
    tell(outcome);
  }
};
await Promise.all(Array.from({ length: Math.max(1, Math.floor(availableParallelism() / 2)) }, worker));
rmSync(reportFolder, { recursive: true, force: true });

const sum = (key: "passed" | "failed" | "skipped") =>
  outcomes.reduce((total, outcome) => total + outcome[key], 0);
if (files.length === 0) console.log(`No test file matches ${wanted.join(" ")}`);
const failures = outcomes.filter((outcome) => outcome.failed > 0).map((outcome) => outcome.name);
if (failures.length > 0) console.log(`\nFailed: ${failures.join(", ")}`);
const skippedText = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
console.log(`${sum("passed")} passed, ${sum("failed")} failed${skippedText}`);
process.exit(sum("failed") > 0 || files.length === 0 ? 1 : 0);
