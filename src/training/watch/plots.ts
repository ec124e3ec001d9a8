export { type Plot, savePlot, toPng } from "./chart.ts";
export { confusionPlot } from "./plots/confusion.ts";
export {
  type CurvePoint,
  type LearningCurve,
  type LearningCurvesInput,
  learningCurves,
} from "./plots/curves.ts";
export { type EmbeddingMapInput, embeddingMap, type MapPanel } from "./plots/embeddingMap.ts";
export { type HistogramInput, histogramPlot } from "./plots/histogram.ts";
export {
  type Bar,
  type BarChartInput,
  barChart,
  type LineChartInput,
  type LineSeries,
  lineChart,
} from "./plots/investigation.ts";
export { type LearningRateInput, learningRatePlot } from "./plots/learningRate.ts";
export { type ResidualInput, residualPlot } from "./plots/residuals.ts";
export { predictionScatter, type ScatterInput } from "./plots/scatter.ts";
