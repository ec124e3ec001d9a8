import type { DepthSummary } from "../table/depths.ts";

/**
 * What depths of rarefaction keep, as lines of a table with a header; the depth
 * `chosen` is marked with a star.
 */
export function depthTable({ rows, samples, asvs }: DepthSummary, chosen: unknown): string[] {
  const cells = [
    ["counts each", "samples kept", "counts kept", "ASVs seen in samples kept, of all (expected)"],
    ...rows.map((row) => [
      `${row.depth === chosen ? "* " : ""}${grouped(row.depth)}`,
      `${grouped(row.samples)} of ${grouped(samples)}`,
      grouped(row.counts),
      `${grouped(row.asvs)} of ${grouped(asvs)}`,
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) => row.map((cell, column) => cell.padStart(widths[column])).join("  "));
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
