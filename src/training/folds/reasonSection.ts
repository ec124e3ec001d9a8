import { readableNumber } from "../../display/numberText.ts";
import type { ReportPlot, SampleTable } from "../../display/page/types.ts";
import { barChart } from "../../display/plots/index.ts";
import type { ReasonRow } from "./reasonTable.ts";

/** ASVs as one way of asking ranks them, the first first. */
export interface RankedAsvs {
  /** What the way is called in the table. */
  readonly by: string;
  /** Of the plot. */
  readonly title: string;
  /** What they are ranked by, for the plot's caption: a sentence. */
  readonly ranked: string;
  readonly rows: readonly ReasonRow[];
}

export interface ReasonSectionOptions {
  readonly title: string;
  readonly note: string;
  readonly wayName: string | null;
  readonly overFolds: boolean;
}

/** ASVs of each way in the plot, and in the table. */
const [inPlot, inTable] = [20, 200];

/** What the caption says of contributions that add up to predictions but for such a share of the largest. */
export function rankedByContributions(gap: number, rest = ""): string {
  // Less than the eye can see in any plot is not told apart.
  const within = readableNumber(Math.max(0.01, 100 * gap), 2);
  return `Ranked by mean size of contributions, which add up to predictions within ${within} %${rest}.`;
}

/**
 * The foremost ASVs, in plots and as a table for a report page; undefined where there are none.
 * @param wayName what the column is called that says which way a row is of; null for none.
 * @param overFolds show the spread over folds.
 */
export async function reasonSection(
  ways: readonly RankedAsvs[],
  { title, note, wayName, overFolds }: ReasonSectionOptions,
): Promise<SampleTable | undefined> {
  const all = ways.flatMap(({ rows }) => rows);
  if (all.length === 0) return undefined;
  const cell = (value: number) => (Number.isNaN(value) ? null : value);
  const hasClass = all.some(({ className }) => className !== null);
  const hasTaxon = all.some(({ taxon }) => taxon !== null);
  const text = (name: string) => ({ name, kind: "text" }) as const;
  const number = (name: string) => ({ name, kind: "number" }) as const;
  return {
    title,
    note,
    rowsAre: "ASVs",
    plots: await plotsOf(ways, overFolds),
    columns: [
      text("ASV"),
      ...(hasTaxon ? [text("taxon")] : []),
      ...(wayName === null ? [] : [text(wayName)]),
      number("importance"),
      ...(hasClass ? [text("effect on class")] : []),
      number("effect"),
      ...(overFolds ? [number("lower"), number("upper")] : []),
    ],
    rows: ways.flatMap(({ by, rows }) =>
      rows
        .slice(0, inTable)
        .map((row) => [
          row.id,
          ...(hasTaxon ? [row.name] : []),
          ...(wayName === null ? [] : [by]),
          row.importance,
          ...(hasClass ? [row.className] : []),
          ...(overFolds ? [row.effect, row.low, row.high] : [row.effect]).map(cell),
        ]),
    ),
  };
}

async function plotsOf(ways: readonly RankedAsvs[], overFolds: boolean): Promise<ReportPlot[]> {
  const plots: ReportPlot[] = [];
  for (const { title, ranked, rows } of ways) {
    const shown = rows.filter(({ importance, effect }) => importance > 0 && !Number.isNaN(effect));
    if (shown.length === 0) continue;
    plots.push({
      plot: await barChart({
        title,
        valueTitle: "effect of presence",
        // Numbered, as ASVs of one genus or with the same first bases would share a bar.
        bars: shown.slice(0, inPlot).map((row, i) => ({
          label: `${i + 1}. ${[row.className, row.name ?? row.id.slice(0, 24)].filter(Boolean).join(": ")}`,
          value: row.effect,
          ...(overFolds && { error: (row.high - row.low) / 2 }),
        })),
      }),
      caption: overFolds ? `${ranked} Lines: central 95 % of the folds.` : ranked,
    });
  }
  return plots;
}
