import { learningRateText, readableNumber } from "../numberText.ts";
import { type ChartSpec, drawChart, type Plot, requirePoints } from "./chart.ts";
import { categoryColours } from "./palette.ts";
import { extentOf } from "./rows.ts";

export interface LearningRateInput {
  readonly title: string;
  readonly learningRates: ArrayLike<number>;
  /** Smoothed loss at each learning rate. */
  readonly losses: ArrayLike<number>;
  /** Loss before smoothing, drawn as points. */
  readonly rawLosses?: ArrayLike<number>;
  readonly suggestion?: number;
}

/** Loss against the learning rate of a learning-rate search, with the suggested rate. */
export function learningRatePlot(input: LearningRateInput): Promise<Plot> {
  const { title, learningRates, losses, rawLosses, suggestion } = input;
  const pointsOf = (values: ArrayLike<number>) =>
    Array.from(learningRates, (rate, i) => ({ rate, loss: values[i] })).filter(
      (point) => point.rate > 0 && Number.isFinite(point.rate) && Number.isFinite(point.loss),
    );
  const smooth = pointsOf(losses);
  requirePoints(smooth.length, title);
  const [lowest, highest] = extentOf(smooth.map((point) => point.loss));
  // A search ends where the loss explodes; shown in full, that would flatten all that matters.
  const ceiling = smooth[0].loss + 0.75 * (smooth[0].loss - lowest);
  const isCut = ceiling > lowest && highest > ceiling;
  const top = isCut ? ceiling : highest;
  const room = 0.05 * (top - lowest) || 1e-6;
  const rates = smooth.map((point) => point.rate);
  const x = {
    field: "rate",
    type: "quantitative",
    scale: { type: "log", domain: [Math.min(...rates), Math.max(...rates)], nice: false },
    axis: {
      title: "Learning rate (log scale)",
      format: ".0e",
      tickCount: 8,
      grid: false,
      labelOverlap: true,
    },
  };
  const y = {
    field: "loss",
    type: "quantitative",
    scale: { domain: [lowest - room, top + room], nice: false, zero: false },
    axis: { title: "Loss", tickCount: 6 },
  };
  const layer: ChartSpec[] = [];
  if (rawLosses) {
    layer.push({
      data: { values: pointsOf(rawLosses).filter(({ loss }) => loss >= lowest - room && loss <= top + room) },
      mark: { type: "circle", size: 16, opacity: 0.35, color: categoryColours[0], aria: false },
      encoding: { x, y },
    });
  }
  layer.push({
    data: { values: smooth },
    mark: { type: "line", clip: true, strokeWidth: 2.5, color: categoryColours[0] },
    encoding: { x, y },
  });
  if (suggestion !== undefined) {
    layer.push({
      data: { values: [{ rate: suggestion }] },
      mark: { type: "rule", color: categoryColours[1], strokeDash: [6, 4], strokeWidth: 2, aria: false },
      encoding: { x },
    });
  }
  const subtitle =
    suggestion === undefined
      ? ["No clear suggestion: the loss never falls steadily"]
      : [`Suggested learning rate: ${learningRateText(suggestion)} (orange)`];
  if (isCut) subtitle.push(`The rise to ${readableNumber(highest, 3)} at the end is cut off`);
  return drawChart(title, subtitle, `Loss against learning rate. ${subtitle[0]}.`, {
    width: 460,
    height: 320,
    layer,
  });
}
