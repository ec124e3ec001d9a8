import { dirname } from "node:path";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import { learningCurves } from "../plots/curves.ts";
import { reportHtml } from "./html.ts";
import type { ReportPlot, RunReport } from "./types.ts";

export type {
  Comparison,
  ComparisonRow,
  Fact,
  Figure,
  ReportPlot,
  ReportSplit,
  RunReport,
  SampleTable,
} from "./types.ts";

/**
 * Writes the report of a run as one HTML page that opens from the disk: plots, script and style are
 * inside, nothing is loaded.
 * @throws UserError if the file cannot be written.
 */
export async function writePage(path: string, report: RunReport): Promise<void> {
  const plots: ReportPlot[] = [...report.plots];
  if (report.learningCurves && report.learningCurves.curves.length > 0) {
    const curves = { title: "Learning curves", ...report.learningCurves };
    plots.push({
      plot: await learningCurves(curves),
      narrow: await learningCurves({ ...curves, columns: 1 }),
    });
  }
  makeFolder(dirname(path));
  const html = reportHtml(report, plots);
  if (/\.qzv$/i.test(path)) writeArtifact(path, "Visualization", html);
  else writeFileAtomic(path, html);
}
