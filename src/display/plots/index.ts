export { type Plot, savePlot, toPng } from "./chart.ts";
export { confusionPlot } from "./confusion.ts";
export {
  type CurvePoint,
  type LearningCurve,
  type LearningCurvesInput,
  learningCurves,
} from "./curves.ts";
export { type EmbeddingMapInput, embeddingMap, type MapPanel } from "./embeddingMap.ts";
export { type HistogramInput, histogramPlot } from "./histogram.ts";
export {
  type Bar,
  type BarChartInput,
  barChart,
  type LineChartInput,
  type LineSeries,
  lineChart,
} from "./investigation.ts";
export { type LearningRateInput, learningRatePlot } from "./learningRate.ts";
export { type ResidualInput, residualPlot } from "./residuals.ts";
export { predictionScatter, type ScatterInput } from "./scatter.ts";
