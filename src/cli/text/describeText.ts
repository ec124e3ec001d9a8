import { bytesText } from "../../common/bytesText.ts";
import type { ColumnSummary, DatasetSummary } from "../../data/describe/datasetSummary.ts";
import { depthTable } from "../../data/describe/depthTable.ts";
import type { Description } from "../../data/describe/describe.ts";
import type { DistanceSummary, Quantiles } from "../../data/describe/numberSummary.ts";
import type { TaxaSummary } from "../../data/describe/taxaSummary.ts";
import type { DepthSummary } from "../../data/table/depths.ts";

const labelWidth = 14;
const histogramBars = " ▁▂▃▄▅▆▇█";
const shownColumns = 12;
const shownWarnings = 6;

/** A description as text for one screen. */
export function describeText(path: string, description: Description): string {
  return `${path}\n${linesOf(description).join("\n")}\n`;
}

function linesOf(description: Description): string[] {
  switch (description.kind) {
    case "dataset":
      return datasetLines(description);
    case "table":
      return [
        line("table", description.format),
        line("samples", count(description.samples)),
        line("ASVs", count(description.observations)),
        line("counts", `${number(description.total)} in ${count(description.nonzero)} cells`),
        ...quantileLine("depth", description.depth),
        ...quantileLine("richness", description.richness),
        ...duplicationLine(description.duplication),
        ...taxaLines(description.taxa),
        ...depthLines(description.depths, description.suggestedDepth),
        ...warningLines(description.warnings),
      ];
    case "tree":
      return [
        line("tree", rootText(description.rooted, description.rootChildren)),
        line("tips", count(description.tips)),
        line("nodes", `${count(description.nodes)}, at most ${count(description.depth)} branches deep`),
        line("total length", number(description.totalLength)),
        ...warningLines(treeWarnings(description)),
      ];
    case "distances":
      return [
        line("distances", `${description.hasIds ? "with" : "without"} sample ids`),
        line("samples", count(description.samples)),
        ...distanceLines("pairs", description),
        ...warningLines(description.warnings),
      ];
    case "sequences":
      return [line("sequences", count(description.sequences)), ...quantileLine("length", description.length)];
    case "taxonomy":
      return [
        line(
          "taxonomy",
          `of ${count(description.features)} features, ${count(description.unassigned)} of them without a name`,
        ),
        ...description.ranks
          .filter(({ named }) => named > 0)
          .map(({ rank, named, names }) =>
            line(rank, `${count(named)} features with a name, ${count(names)} different`),
          ),
        ...quantileLine("confidence", description.confidence),
        ...warningLines(description.warnings),
      ];
    case "metadata":
      return [
        line(
          "metadata",
          `${count(description.samples)} samples, ${count(description.columns.length)} columns`,
        ),
        ...columnLines(description.columns),
        ...warningLines(description.warnings),
      ];
  }
}

function datasetLines(description: DatasetSummary & { readonly taxa?: TaxaSummary }): string[] {
  const { parameters, dropped } = description;
  return [
    line("data set", `${bytesText(description.bytes)}, made by ${description.createdBy}`),
    ...description.sources.map((source) => line(source.role, `${source.path} (${bytesText(source.bytes)})`)),
    line(
      "parameters",
      Object.entries(parameters)
        .map(([name, value]) => `${name} ${value === "" ? "-" : value}`)
        .join(", "),
    ),
    line("samples", count(description.samples)),
    line("ASVs", count(description.asvs)),
    line("counts", `${number(description.total)} in ${count(description.nonzero)} cells`),
    ...quantileLine("depth", description.depth),
    ...quantileLine("richness", description.richness),
    ...quantileLine("length", description.length),
    ...depthLines(description.depths, parameters["rarefyDepth"]),
    ...duplicationLine(description.duplication),
    ...Object.entries(description.distances).flatMap(([metric, summary]) =>
      distanceLines(metric, summary, description.samples),
    ),
    ...Object.entries(description.vectors).flatMap(([name, summary]) => quantileLine(name, summary)),
    ...taxaLines(description.taxa),
    ...columnLines(description.metadata),
    ...dropped.map((drop) =>
      line("dropped", `${count(drop.count)} ${drop.what}: ${drop.reason} (${drop.examples[0]}, ...)`),
    ),
    ...warningLines(description.warnings),
  ];
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(labelWidth)} ${text}`;
}

function quantileLine(label: string, summary: Quantiles | null): string[] {
  if (summary === null) return [];
  const { min, p5, median, mean, p95, max } = summary;
  if (min === max) return [line(label, `${number(min)} in all`)];
  return [
    line(
      label,
      `${number(min)} to ${number(max)}, median ${number(median)}, mean ${number(mean)}, ` +
        `5-95 %: ${number(p5)} to ${number(p95)}`,
    ),
  ];
}

function depthLines(depths: DepthSummary | null, chosen: unknown): string[] {
  if (depths === null) return [];
  const { failed, median } = depths;
  const lines = depthTable(depths, chosen).map((text, i) => line(i === 0 ? "rarefying to" : "", text));
  if (failed.length === 0) return lines;
  const shown = failed.slice(0, 5).map(({ id, total }) => `${id} ${count(total)}`);
  const more = failed.length > shown.length ? ", ..." : "";
  const what = `${count(failed.length)} samples with less than a tenth of the median's ${count(median)} counts`;
  return [...lines, line("failed", `${what} (${shown.join(", ")}${more})`)];
}

function duplicationLine(duplication: number | null): string[] {
  if (duplication === null) return [];
  return [line("duplication", `${number(duplication)} occurrences per distinct ASV in a batch of 32`)];
}

function distanceLines(metric: string, summary: DistanceSummary, samples?: number): string[] {
  const unknown = summary.unknown === 0 ? "" : `, ${count(summary.unknown)} unknown`;
  const all = samples === undefined ? summary.pairs : (samples * (samples - 1)) / 2;
  const of = all === summary.pairs ? "" : ` of ${count(all)}, which are computed when they are asked for`;
  const lines = [line(metric, `${count(summary.pairs)} pairs of samples${of}${unknown}`)];
  if (summary.mean === null) return lines;
  const { mean, sd, min, max, histogram } = summary;
  lines.push(line("", `mean ${number(mean)}, sd ${number(sd!)}, ${number(min!)} to ${number(max!)}`));
  const most = Math.max(...histogram.counts);
  const bars = histogram.counts.map((height) => histogramBars[Math.ceil((height / most) * 8)]).join("");
  lines.push(line("", `0 |${bars}| ${number(histogram.upTo)}`));
  return lines;
}

function taxaLines(taxa: TaxaSummary | undefined): string[] {
  if (taxa === undefined) return [];
  const lines = taxa.largest.map(
    ({ name, share, samples, asvs }) =>
      `${number(100 * share)} % ${name}, ${count(asvs)} ASVs in ${count(samples)} samples`,
  );
  if (taxa.names > lines.length) lines.push(`and ${count(taxa.names - lines.length)} more`);
  return [...lines.map((text, i) => line(i === 0 ? "taxa" : "", text)), ...warningLines(taxa.warnings)];
}

function columnLines(columns: readonly ColumnSummary[]): string[] {
  const lines = columns.slice(0, shownColumns).map((column) => {
    const missing = column.missing === 0 ? "" : `, ${count(column.missing)} missing`;
    return line("column", `"${column.name}": ${columnText(column)}${missing}`);
  });
  if (columns.length > shownColumns)
    lines.push(line("", `and ${columns.length - shownColumns} more columns`));
  return lines;
}

function columnText(column: ColumnSummary): string {
  if (column.kind === "numeric") {
    if (column.range === null) return "numeric, no values";
    const { min, max, median } = column.range;
    return `numeric, ${number(min)} to ${number(max)}, median ${number(median)}`;
  }
  const examples = column.examples.map(([category, samples]) => `${category} ${count(samples)}`);
  const more = column.categories > examples.length ? ", ..." : "";
  return `${count(column.categories)} categories (${examples.join(", ")}${more})`;
}

function rootText(rooted: boolean | null, rootChildren: number): string {
  if (rooted !== null) return rooted ? "rooted" : "unrooted";
  return rootChildren > 2 ? `${count(rootChildren)} branches at its root, so perhaps unrooted` : "rooted";
}

function treeWarnings(tree: Description & { readonly kind: "tree" }): string[] {
  const warnings: string[] = [];
  if (tree.unnamedTips > 0) warnings.push(`${count(tree.unnamedTips)} tips have no name.`);
  if (tree.repeatedTipNames.length > 0) {
    warnings.push(`Several tips have the same name, such as ${tree.repeatedTipNames.join(", ")}.`);
  }
  if (tree.lengthsMissing > 0)
    warnings.push(`${count(tree.lengthsMissing)} branches have no length; they count as 0.`);
  if (tree.negativeLengths > 0)
    warnings.push(`${count(tree.negativeLengths)} branches have a negative length.`);
  return warnings;
}

function warningLines(warnings: readonly string[]): string[] {
  const lines = warnings.slice(0, shownWarnings).map((warning) => line("warning", warning));
  if (warnings.length > shownWarnings)
    lines.push(line("", `and ${warnings.length - shownWarnings} more warnings`));
  return lines;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function number(value: number): string {
  // Years and the like are not grouped.
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return size < 10_000 ? String(value) : count(value);
  if (size < 1e-4 || size >= 1e15) return String(Number(value.toPrecision(4)));
  return value.toLocaleString("en-US", {
    maximumSignificantDigits: Math.max(4, Math.ceil(Math.log10(size))),
  });
}
