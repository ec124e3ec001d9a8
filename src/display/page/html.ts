import { readableNumber } from "../numberText.ts";
import { escapeXml } from "../xmlText.ts";
import { jsonBlock } from "./jsonBlock.ts";
import { mapHtml } from "./map.ts";
import { plotsHtml } from "./picture.ts";
import { pageHtml } from "./shell.ts";
import type { Comparison, ComparisonRow, Fact, Figure, ReportPlot, RunReport, SampleTable } from "./types.ts";

function show(value: number | string): string {
  return escapeXml(typeof value === "number" ? readableNumber(value) : value);
}

/** The report of a run. `plots` in their order, learning curves included. */
export function reportHtml(report: RunReport, plots: readonly ReportPlot[]): string {
  const { title, subtitle, created } = report;
  const lead = `${chipsHtml(report)}
${(report.warnings ?? []).map(warningHtml).join("\n")}
<div class="figures">${report.figures.map(cardHtml).join("\n")}</div>`;
  const sections = [
    { id: "results", title: "Results", body: comparisonHtml(report.comparison) },
    { id: "plots", title: "Plots", body: plotsHtml(plots) },
    { id: "map", title: "Map of samples", body: report.map ? mapHtml(report.map) : "" },
    { id: "asvs", title: report.asvs?.title ?? "ASVs", body: tableHtml(report.asvs, "asv") },
    { id: "samples", title: report.samples?.title ?? "Samples", body: tableHtml(report.samples, "sample") },
    { id: "data", title: "Data", body: dataHtml(report) },
    { id: "configuration", title: "Configuration", body: configurationHtml(report.configuration) },
    { id: "environment", title: "Environment", body: environmentHtml(report) },
  ];
  return pageHtml({ title, subtitle, lead, sections, created });
}

function chipsHtml({ split }: RunReport): string {
  const parts = split.parts.map(
    ({ name, samples }) => `<li>${escapeXml(name)}: ${readableNumber(samples)} samples</li>`,
  );
  return `<ul class="chips"><li class="split">Split: ${escapeXml(split.name)}</li>${parts.join("")}</ul>`;
}

/** Names of options are not broken at their hyphens. */
function warningHtml(warning: string): string {
  const text = escapeXml(warning).replace(/--[\w-]+/g, `<span class="option">$&</span>`);
  return `<p class="warning" role="note">${text}</p>`;
}

function cardHtml({ label, value, unit, note }: Figure): string {
  const unitHtml = unit ? ` <span class="unit">${escapeXml(unit)}</span>` : "";
  const noteHtml = note ? `<div class="note">${escapeXml(note)}</div>` : "";
  return `<div class="card figure"><div class="label">${escapeXml(label)}</div><div class="value">${show(value)}${unitHtml}</div>${noteHtml}</div>`;
}

function comparisonHtml(comparison: Comparison | undefined): string {
  if (!comparison || comparison.rows.length === 0) return "";
  const { metrics, rows, note } = comparison;
  const best = metrics.map(({ key, better }) => {
    const values = rows.map((row) => row.values[key]).filter(Number.isFinite);
    return better === "lower" ? Math.min(...values) : Math.max(...values);
  });
  const head = metrics
    .map(({ label, unit, better }) => {
      const arrow = better === "lower" ? "↓" : "↑";
      return `<th class="number" scope="col" title="${better} is better">${escapeXml(label)}${unit ? ` (${escapeXml(unit)})` : ""} ${arrow}</th>`;
    })
    .join("");
  const cell = (row: ComparisonRow, key: string, bestValue: number) => {
    const value = row.values[key];
    if (value === undefined) return `<td class="number muted">–</td>`;
    const spread = row.spread?.[key];
    const spreadHtml =
      spread === undefined ? "" : ` <span class="spread">± ${readableNumber(spread, 2)}</span>`;
    return `<td class="number${value === bestValue ? " best" : ""}">${readableNumber(value, 3)}${spreadHtml}</td>`;
  };
  const body = rows
    .map((row) => {
      const noteHtml = row.note ? `<span class="note">${escapeXml(row.note)}</span>` : "";
      const cells = metrics.map(({ key }, i) => cell(row, key, best[i])).join("");
      return `<tr${row.isModel ? ' class="model"' : ""}><th scope="row">${escapeXml(row.name)}${noteHtml}</th>${cells}</tr>`;
    })
    .join("\n");
  return `${verdictHtml(comparison)}
<div class="card scroll"><table class="comparison"><thead><tr><th scope="col">Method</th>${head}</tr></thead>
<tbody>${body}</tbody></table></div>
${note ? `<p class="muted">${escapeXml(note)}</p>` : ""}`;
}

/** Says in words whether the model beats the best baseline by the first metric. */
function verdictHtml({ metrics, rows, verdict }: Comparison): string {
  if (verdict !== undefined) return `<p class="verdict">${escapeXml(verdict)}</p>`;
  const metric = metrics[0];
  const of = (row: ComparisonRow) => row.values[metric.key];
  const known = rows.filter((row) => Number.isFinite(of(row)));
  const sign = metric.better === "lower" ? 1 : -1;
  const sorted = (which: ComparisonRow[]) => which.sort((a, b) => sign * (of(a) - of(b)))[0];
  const model = sorted(known.filter((row) => row.isModel));
  const baseline = sorted(known.filter((row) => !row.isModel));
  if (!model || !baseline) return "";
  const gain = sign * (of(baseline) - of(model));
  const size = `${readableNumber(Math.abs(gain), 2)}${metric.unit ? ` ${metric.unit}` : ""}`;
  const share =
    metric.better === "lower" && of(baseline) > 0
      ? ` (${readableNumber((100 * Math.abs(gain)) / of(baseline), 2)} %)`
      : "";
  const against = `than the best baseline, ${escapeXml(baseline.name)}`;
  const label = escapeXml(metric.label);
  if (gain === 0)
    return `<p class="verdict">${label}: the model is as good as the best baseline, ${escapeXml(baseline.name)}.</p>`;
  const word = gain > 0 ? `<b class="good">better</b>` : `<b class="bad">worse</b>`;
  return `<p class="verdict">${label}: the model is ${escapeXml(size)}${share} ${word} ${against}.</p>`;
}

/** `id`: what the page's script knows the table by; no two may have the same. */
function tableHtml(table: SampleTable | undefined, id: string): string {
  if (!table || table.rows.length === 0) return "";
  const head = table.columns
    .map(
      ({ name, kind }) =>
        `<th scope="col"${kind === "text" ? "" : ' class="number"'}><button type="button">${escapeXml(name)}</button></th>`,
    )
    .join("");
  const { rowsAre = "samples", plots = [] } = table;
  const data = { columns: table.columns.map(({ kind }) => ({ kind })), rows: table.rows, rowsAre };
  const search = `Search ${escapeXml(rowsAre)}`;
  return `${plotsHtml(plots, id[0])}
${table.note ? `<p class="muted">${escapeXml(table.note)}</p>` : ""}
<div class="card samples" id="${id}-table">
<div class="tools"><input type="search" placeholder="${search}" aria-label="${search}"><output></output>
<span class="pages"><span class="place"></span><button type="button" aria-label="Previous page">‹</button><button type="button" aria-label="Next page">›</button></span></div>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody></tbody></table></div>
<noscript><p class="warning">This table needs JavaScript.</p></noscript>
</div>
${jsonBlock(`${id}-data`, data)}`;
}

function factsHtml(facts: readonly Fact[]): string {
  const rows = facts.map(
    ({ label, value }) => `<div><dt>${escapeXml(label)}</dt><dd>${show(value)}</dd></div>`,
  );
  return `<dl class="facts">${rows.join("\n")}</dl>`;
}

function dataHtml({ data, split }: RunReport): string {
  const facts = [...data, { label: "Split", value: split.description ?? split.name }];
  return `<div class="card">${factsHtml(facts)}</div>`;
}

function configurationHtml(configuration: RunReport["configuration"]): string {
  const general: Fact[] = [];
  const groups: string[] = [];
  for (const [name, value] of Object.entries(configuration)) {
    if (isGroup(value)) {
      const facts = flatten(value, "");
      if (facts.length > 0)
        groups.push(
          `<details class="card"><summary>${escapeXml(name)}</summary>${factsHtml(facts)}</details>`,
        );
    } else general.push({ label: name, value: plainText(value) });
  }
  const generalHtml =
    general.length > 0
      ? `<details class="card" open><summary>General</summary>${factsHtml(general)}</details>`
      : "";
  return [generalHtml, ...groups].filter((part) => part !== "").join("\n<p></p>\n");
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function flatten(group: Record<string, unknown>, prefix: string): Fact[] {
  return Object.entries(group).flatMap(([name, value]) =>
    isGroup(value)
      ? flatten(value, `${prefix}${name}.`)
      : [{ label: `${prefix}${name}`, value: plainText(value) }],
  );
}

/** Configuration values are shown as they are written, not rounded. */
function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(value) ?? "not set";
}

function environmentHtml({ environment, command }: RunReport): string {
  const commandHtml = command ? `<div class="card"><pre>${escapeXml(command)}</pre></div>\n<p></p>\n` : "";
  if (environment.length === 0) return commandHtml;
  return `${commandHtml}<div class="card">${factsHtml(environment)}</div>`;
}
