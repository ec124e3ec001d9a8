import { join } from "node:path";
import { makeFolder, writeFileAtomic } from "../../src/common/files/atomicFile.ts";
import { type Plot, toPng } from "../../src/display/plots/index.ts";
import { isHeld, type Verdict, verdictSentence } from "./verdict.ts";

export interface ReportTable {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What an investigation found. */
export interface Finding {
  /** The answer to the question in one or two sentences. */
  readonly answer: string;
  readonly details: readonly string[];
  readonly tables: readonly ReportTable[];
  readonly plots: readonly { readonly name: string; readonly plot: Plot; readonly caption: string }[];
  /** Plain JSON. */
  readonly numbers: Readonly<Record<string, unknown>>;
  readonly verdicts: readonly Verdict[];
}

export interface ReportFacts {
  readonly name: string;
  readonly question: string;
  /** How to get it again; no paths of one machine. */
  readonly command: string;
  /** What was looked at. */
  readonly subject: string;
  readonly seconds: number;
}

/** A number of a table: four significant digits, whole numbers in full, an en dash for what there is not. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** A share as percent: `53.59 %`. */
export function percent(share: number, digits = 2): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–";
}

export function markdownTable({ header, rows }: Omit<ReportTable, "title">): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => (typeof cell === "number" ? numberText(cell) : cell.replaceAll("|", "\\|"))).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const header = ["threshold", "found", "kept", "meaning"];
  const rows = verdicts.map((verdict) => [
    `${verdict.name} ${verdict.relation} ${numberText(verdict.threshold)}`,
    numberText(verdict.value),
    isHeld(verdict) ? "yes" : "**no**",
    verdictSentence(verdict),
  ]);
  return markdownTable({ header, rows });
}

export function markdownReport(facts: ReportFacts, finding: Finding): string {
  const parts = [
    `# ${facts.name}`,
    `**Question.** ${facts.question}`,
    `**Answer.** ${finding.answer}`,
    "## Verdict",
    verdictTable(finding.verdicts),
  ];
  if (finding.details.length > 0)
    parts.push("## Findings", finding.details.map((detail) => `- ${detail}`).join("\n"));
  for (const table of finding.tables) parts.push(`### ${table.title}`, markdownTable(table));
  for (const { name, plot, caption } of finding.plots)
    parts.push(`![${plot.description.replaceAll(/[[\]]/g, "")}](${name}.png)`, caption);
  parts.push(
    "## How",
    `\`${facts.command}\``,
    `${facts.subject} Took ${numberText(Number(facts.seconds.toPrecision(2)))} s.`,
  );
  return `${parts.join("\n\n")}\n`;
}

/** Values that are not finite as texts: JSON has none. */
function plainNumbers(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
}

/**
 * Writes `report.md`, `numbers.json` and a PNG for each plot.
 * @throws UserError where the folder cannot be written.
 */
export async function writeFinding(folder: string, facts: ReportFacts, finding: Finding): Promise<void> {
  makeFolder(folder);
  for (const { name, plot } of finding.plots)
    writeFileAtomic(join(folder, `${name}.png`), await toPng(plot, 1));
  const verdicts = finding.verdicts.map((verdict) => ({ ...verdict, kept: isHeld(verdict) }));
  const numbers = { ...facts, answer: finding.answer, verdicts, numbers: finding.numbers };
  writeFileAtomic(join(folder, "numbers.json"), `${JSON.stringify(numbers, plainNumbers, 1)}\n`);
  writeFileAtomic(join(folder, "report.md"), markdownReport(facts, finding));
}
