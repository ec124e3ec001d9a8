import type { ClassificationResult } from "../../metrics/metrics.ts";
import { percentText, readableNumber } from "../numberText.ts";
import { drawChart, type Plot, requirePoints } from "./chart.ts";
import { inkColours, trainColour } from "./palette.ts";

/** With more classes than this, cells are too small for numbers. */
const mostNumbered = 16;

/** The confusion matrix: true classes in rows, shaded by the share of each true class, with the counts. */
export function confusionPlot(title: string, result: ClassificationResult): Promise<Plot> {
  const { classNames, confusion, n } = result;
  requirePoints(n, title);
  const cell = Math.max(14, Math.min(72, Math.floor(460 / classNames.length)));
  const side = cell * classNames.length;
  const values = confusion.flatMap((row, from) => {
    const support = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, to) => {
      const share = support === 0 ? 0 : count / support;
      return {
        from,
        to,
        share,
        text: count === 0 && classNames.length > 6 ? "" : readableNumber(count),
        dark: share > 0.5,
        label: `${classNames[from]} predicted as ${classNames[to]}: ${count} (${percentText(share)} of this class)`,
      };
    });
  });
  // Classes stand on the axes by number, as two names may be equal after shortening.
  const names = JSON.stringify(classNames);
  const axis = {
    labelExpr: `${names}[datum.value]`,
    labelLimit: 130,
    domain: false,
    ticks: false,
    grid: false,
  };
  const sort = classNames.map((_, index) => index);
  const x = {
    field: "to",
    type: "ordinal",
    sort,
    axis: { ...axis, title: "Predicted", orient: "top", labelAngle: classNames.length > 4 ? -45 : 0 },
  };
  const y = { field: "from", type: "ordinal", sort, axis: { ...axis, title: "True" } };
  const cells = {
    mark: { type: "rect", fill: trainColour, stroke: inkColours.paper, strokeWidth: 2 },
    encoding: {
      x,
      y,
      description: { field: "label" },
      opacity: {
        field: "share",
        type: "quantitative",
        scale: { domain: [0, 1], range: [0.06, 1] },
        legend: {
          title: ["share of the", "true class"],
          values: [0, 0.25, 0.5, 0.75, 1],
          format: ".0%",
          symbolType: "square",
          symbolSize: 140,
        },
      },
    },
  };
  const numbers = {
    mark: { type: "text", fontSize: Math.max(9, Math.min(14, cell / 3.2)), aria: false },
    encoding: {
      x,
      y,
      text: { field: "text" },
      color: {
        condition: { test: "datum.dark", value: "#fefefe" },
        value: inkColours.ink,
      },
    },
  };
  const subtitle =
    `accuracy ${percentText(result.accuracy)} · weighted: precision ${readableNumber(result.weighted.precision, 3)}, ` +
    `recall ${readableNumber(result.weighted.recall, 3)}, F1 ${readableNumber(result.weighted.f1, 3)}`;
  const more = [
    `macro F1 ${readableNumber(result.macro.f1, 3)}`,
    ...(result.auc === undefined ? [] : [`AUC ${readableNumber(result.auc, 3)}`]),
    `${readableNumber(n)} samples`,
  ].join(" · ");
  return drawChart(title, [subtitle, more], `Confusion matrix, ${subtitle}, ${more}.`, {
    width: side,
    height: side,
    params: [{ name: "classNames", value: classNames }],
    data: { values },
    layer: classNames.length <= mostNumbered ? [cells, numbers] : [cells],
  });
}
