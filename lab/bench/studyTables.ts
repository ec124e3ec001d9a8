import { readableNumber } from "../../src/display/numberText.ts";
import { figureLabels, intervalText } from "../../src/training/folds/foldReport.ts";
import type { FoldSummary, PredictorSummary } from "../../src/training/folds/summarize.ts";
import { singleNames } from "../../src/training/predictors/index.ts";

export interface NamedSummary {
  readonly name: string;
  readonly summary: FoldSummary;
}

/** All predictors of one study, as Markdown. */
export function studyTable({ name, summary }: NamedSummary): string {
  const [deciding] = Object.keys(summary.predictors[0].figures);
  const rows = summary.predictors.map((one) => {
    const paired = differenceTo(summary, one, deciding);
    const difference = paired ? `${intervalText(paired.difference)}, ${paired.verdict}` : "";
    return [
      one.title,
      ...Object.values(one.figures).map(intervalText),
      one.coverage.value.toFixed(3),
      difference,
    ];
  });
  const head = ["", ...Object.keys(summary.predictors[0].figures), "coverage", `${summary.main} less this`];
  return [
    `### ${name}`,
    "",
    `${summary.samples} samples, ${summary.groups} groups; ${summary.split}.${summary.isReal ? "" : " No better than the median or the classes' shares."}`,
    "",
    markdownTable(head, rows),
  ].join("\n");
}

/** What `report` compares a model with: the median (or the classes' shares), a forest, neighbours. */
const baselines = new Set(["constant", "forest", "neighbours"]);

/**
 * The main predictor of each study against the best baseline and the best single predictor, by the figure
 * that decides and, for classes, also by the log loss; as Markdown.
 */
export function overviewTable(summaries: readonly NamedSummary[]): string {
  const rows = summaries.flatMap(({ name, summary }) => {
    const figures = summary.kind === "numbers" ? ["mae"] : ["error", "log_loss"];
    const main = summary.predictors.find((one) => one.name === summary.main)!;
    const others = summary.predictors.filter((one) => one !== main);
    return figures.map((figure) => [
      name,
      figureLabels[figure],
      `${main.title} ${intervalText(main.figures[figure])}`,
      ...against(
        summary,
        others.filter((one) => baselines.has(one.name)),
        figure,
      ),
      ...against(
        summary,
        others.filter((one) => singleNames.some((single) => single === one.name)),
        figure,
      ),
    ]);
  });
  const compared = ["difference (95 % interval)", "verdict"];
  const head = [
    "study",
    "figure",
    "judged",
    "best baseline",
    ...compared,
    "best single predictor",
    ...compared,
  ];
  return [
    "### All studies",
    "",
    "Difference: the judged predictor's figure less the other's, on the same samples; below 0 is better. Which other one is best is known only afterwards.",
    "",
    markdownTable(head, rows),
  ].join("\n");
}

/** The best of some predictors, the paired difference to it, and what that says. */
function against(summary: FoldSummary, others: readonly PredictorSummary[], figure: string): string[] {
  if (others.length === 0) return ["", "", ""];
  const best = others.reduce((a, b) => (b.figures[figure].value < a.figures[figure].value ? b : a));
  const paired = differenceTo(summary, best, figure)!;
  const constant = summary.differences.find((one) => one.against === "constant" && one.figure === figure);
  const plain = summary.kind === "numbers" ? "the median" : "the classes' shares";
  const verdict =
    paired.verdict === "worse" || paired.verdict === "too few groups to tell"
      ? paired.verdict
      : constant?.verdict !== "better"
        ? `no better than ${plain}`
        : paired.verdict === "better"
          ? "better"
          : "no worse";
  return [
    `${best.title} ${readableNumber(best.figures[figure].value, 3)}`,
    intervalText(paired.difference),
    verdict,
  ];
}

function differenceTo({ differences }: FoldSummary, { name }: PredictorSummary, figure: string) {
  return differences.find((one) => one.against === name && one.figure === figure);
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
