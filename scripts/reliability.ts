/**
 * Tries what docs/reliability.md promises and prints a table:
 * `bun run reliability [--short | --full] [part of a row]`. Without an option it takes some
 * minutes, `--short` (a part of the test suite) about one, `--full` an hour or more. Exits with 1
 * if anything was lost or leaked.
 */
import { crashTrials } from "../lab/trials/crashes.ts";
import { longRunTrials } from "../lab/trials/longRuns.ts";
import { nativeTrials } from "../lab/trials/nativeSide.ts";
import { readerTrials } from "../lab/trials/readers.ts";
import { refusalTrials } from "../lab/trials/refusals.ts";
import { sameTwiceTrials } from "../lab/trials/sameTwice.ts";
import { suiteTrials } from "../lab/trials/suiteFiles.ts";
import { isFailure, type Row, summaryText, tableText } from "../lab/trials/table.ts";
import type { Effort, Outcome, Trial } from "../lab/trials/trial.ts";
import { untrustedTrials } from "../lab/trials/untrusted.ts";

const words = process.argv.slice(2);
const unknown = words.find((word) => word.startsWith("-") && word !== "--short" && word !== "--full");
if (unknown !== undefined || (words.includes("--short") && words.includes("--full"))) {
  console.error(`${unknown ?? "--short with --full"}: expected --short, --full or a part of a row's text.`);
  process.exit(1);
}
const effort: Effort = words.includes("--short") ? "short" : words.includes("--full") ? "full" : "usual";
const part = words.find((word) => !word.startsWith("-")) ?? "";

const trials: Trial[] = [
  ...crashTrials(),
  ...refusalTrials(),
  ...longRunTrials(),
  ...readerTrials(),
  ...nativeTrials(),
  ...untrustedTrials(),
  ...sameTwiceTrials(),
  ...(effort === "short" ? [] : suiteTrials()),
].filter(({ area, what }) => `${area} ${what}`.includes(part));
if (trials.length === 0) {
  console.error(`No row has "${part}" in its text.`);
  process.exit(1);
}

async function attempt(trial: Trial): Promise<Outcome> {
  try {
    return await trial.run(effort);
  } catch (cause) {
    return {
      tried: 1,
      lost: [cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)],
      leaked: [],
    };
  }
}

const rows: Row[] = [];
for (const trial of trials) {
  const started = performance.now();
  const outcome = await attempt(trial);
  rows.push({ trial, outcome, seconds: (performance.now() - started) / 1000 });
  if (process.stderr.isTTY) process.stderr.write(`${isFailure(outcome) ? "FAILED" : "ok"} ${trial.what}\n`);
}
console.log(`${tableText(rows)}\n\n${summaryText(rows)}`);
process.exit(rows.some(({ outcome }) => isFailure(outcome)) ? 1 : 0);
