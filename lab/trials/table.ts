import type { Outcome, Trial } from "./trial.ts";

export interface Row {
  trial: Pick<Trial, "area" | "what">;
  outcome: Outcome;
  seconds: number;
}

/** Whether a trial went wrong: it lost or leaked something, or it tried nothing without saying why. */
export function isFailure({ tried, lost, leaked, skipped }: Outcome): boolean {
  return lost.length > 0 || leaked.length > 0 || (tried === 0 && skipped === undefined);
}

const heads = ["area", "what was tried", "times", "lost", "leaked", "seconds", ""] as const;

function cells({ trial, outcome, seconds }: Row): string[] {
  const { tried, lost, leaked, skipped, note = "" } = outcome;
  const counts =
    skipped === undefined
      ? [tried.toLocaleString("en-US"), String(lost.length), String(leaked.length)]
      : ["-", "-", "-"];
  const remark = skipped === undefined ? note : `skipped: ${skipped}`;
  return [trial.area, trial.what, ...counts, seconds.toFixed(1), remark];
}

/** The rows as lines of text in columns, numbers to the right, the remark last. */
export function tableText(rows: readonly Row[]): string {
  const lines = [[...heads], ...rows.map(cells)];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const isNumber = (column: number) => column >= 2 && column <= 5;
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === heads.length - 1
            ? cell
            : isNumber(column)
              ? cell.padStart(widths[column])
              : cell.padEnd(widths[column]),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What to say below the table: every loss and leak, then one line that sums up. */
export function summaryText(rows: readonly Row[]): string {
  const problems = rows.flatMap(({ trial, outcome }) => [
    ...outcome.lost.map((problem) => `lost, ${trial.what}: ${problem}`),
    ...outcome.leaked.map((problem) => `leaked, ${trial.what}: ${problem}`),
    ...(isFailure(outcome) && outcome.tried === 0 ? [`${trial.what}: nothing was tried`] : []),
  ]);
  const sum = (count: (outcome: Outcome) => number) =>
    rows.reduce((total, { outcome }) => total + count(outcome), 0).toLocaleString("en-US");
  const skips = rows.filter(({ outcome }) => outcome.skipped !== undefined).length;
  const last =
    `${sum(({ tried }) => tried)} tried, ${sum(({ lost }) => lost.length)} lost, ` +
    `${sum(({ leaked }) => leaked.length)} leaked${skips > 0 ? `, ${skips} rows skipped` : ""}`;
  return [...problems, last].join("\n");
}
