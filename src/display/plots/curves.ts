import { readableNumber } from "../numberText.ts";
import { type ChartSpec, drawChart, type Plot, requirePoints } from "./chart.ts";
import { inkColours, trainColour, validationColour } from "./palette.ts";
import { extentOf } from "./rows.ts";

export interface CurvePoint {
  /** Epoch or step. */
  readonly step: number;
  readonly value: number;
}

export interface LearningCurve {
  /** What is measured: `Total loss`, `R²`. */
  readonly name: string;
  readonly train?: readonly CurvePoint[];
  readonly validation?: readonly CurvePoint[];
}

export interface LearningCurvesInput {
  readonly title: string;
  readonly curves: readonly LearningCurve[];
  /** What a step is. */
  readonly stepName?: string;
  /** Charts side by side; default 2. */
  readonly columns?: 1 | 2;
  /** Where the kept model stood; marked by a line. */
  readonly bestStep?: number;
}

const phases = ["Training", "Validation"];

/**
 * Learning curves, training and validation in one chart, one chart per measure. A measure that is always
 * positive and spans more than a factor of 50 gets a logarithmic axis, and says so.
 */
export function learningCurves(input: LearningCurvesInput): Promise<Plot> {
  const { title, stepName = "Epoch", bestStep, columns = 2 } = input;
  const charts = input.curves
    .map((curve) => ({ curve, values: pointsOf(curve) }))
    .filter(({ values }) => values.length > 0);
  requirePoints(charts.length, title);
  const single = charts.length === 1;
  const width = single ? 460 : 330;
  const height = single ? 300 : 190;
  const steps = extentOf(charts.flatMap(({ values }) => values.map((point) => point.step)));
  const concat = charts.map(({ curve, values }) => {
    const [low, high] = extentOf(values.map((point) => point.value));
    const logarithmic = low > 0 && high / low > 50;
    const x = {
      field: "step",
      type: "quantitative",
      scale: { domain: steps, nice: false, zero: false },
      axis: { title: stepName, tickCount: single ? 10 : 6, tickMinStep: 1, grid: false, format: "d" },
    };
    const y = {
      field: "value",
      type: "quantitative",
      scale: logarithmic ? { type: "log", nice: false } : { zero: false, nice: true },
      axis: {
        title: `${curve.name}${logarithmic ? " (log scale)" : ""}`,
        tickCount: 5,
        ...(logarithmic && { format: "~g" }),
      },
    };
    const layer: ChartSpec[] = [];
    if (bestStep !== undefined) {
      layer.push({
        data: { values: [{ step: bestStep }] },
        mark: { type: "rule", color: inkColours.muted, strokeDash: [3, 3], aria: false },
        encoding: { x },
      });
    }
    const lonely = phases.some((phase) => values.filter((point) => point.phase === phase).length === 1);
    layer.push({
      data: { values },
      mark: { type: "line", strokeWidth: 2, interpolate: "linear", point: lonely ? { size: 40 } : false },
      encoding: {
        x,
        y,
        color: {
          field: "phase",
          scale: { domain: phases, range: [trainColour, validationColour] },
          legend: {
            title: null,
            orient: "top",
            direction: "horizontal",
            symbolType: "stroke",
            symbolSize: 300,
          },
        },
      },
    });
    return { width, height, layer };
  });
  const best =
    bestStep === undefined ? [] : [`Dashed: the kept model, ${stepName.toLowerCase()} ${bestStep}`];
  const last = charts
    .map(({ curve, values }) => `${curve.name} ended at ${readableNumber(values[values.length - 1].value)}`)
    .join(", ");
  const spec = { concat, columns, spacing: 28, resolve: { scale: { color: "shared" } } };
  return drawChart(title, best, `Learning curves: ${last}.`, spec);
}

function pointsOf(curve: LearningCurve): { phase: string; step: number; value: number }[] {
  const of = (phase: string, points: readonly CurvePoint[] = []) =>
    points
      .filter((point) => Number.isFinite(point.value) && Number.isFinite(point.step))
      .map((point) => ({ phase, step: point.step, value: point.value }));
  return [...of(phases[0], curve.train), ...of(phases[1], curve.validation)];
}
