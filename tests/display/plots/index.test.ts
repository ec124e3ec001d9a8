import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../src/common/random/random.ts";
import { UserError } from "../../../src/common/userError.ts";
import { textWidth } from "../../../src/display/plots/fonts.ts";
import {
  barChart,
  confusionPlot,
  embeddingMap,
  histogramPlot,
  learningCurves,
  learningRatePlot,
  lineChart,
  type Plot,
  predictionScatter,
  residualPlot,
  savePlot,
  toPng,
} from "../../../src/display/plots/index.ts";
import { countBetween, niceEdges, quantile } from "../../../src/display/plots/rows.ts";
import { ClassificationMetrics, RegressionMetrics } from "../../../src/metrics/metrics.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-plots-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hostile = `</text><script>alert(1)</script> & "quoted" 'too' <!-- ]]> \u0000\ud800 é²`;

/** The texts an SVG shows, entities resolved. */
function textsOf({ svg }: Plot): string[] {
  const entities: Record<string, string> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&amp;": "&",
  };
  return [...svg.matchAll(/<(text|tspan)[^>]*>([^<]+)<\/\1>/g)].map((match) =>
    match[2].replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity]),
  );
}

function countMarks({ svg }: Plot, kind: string): number {
  return svg.split(`aria-roledescription="${kind}"`).length - 1;
}

function regressionData(count: number) {
  const random = new Random(5);
  const actual = Float64Array.from({ length: count }, () => random.float() * 24);
  return { actual, predicted: actual.map((value) => value * 0.8 + 2 + random.normal()) };
}

describe("predicted against true", () => {
  test("every finite pair is a point with its label; the figures are those of the points", async () => {
    const { actual, predicted } = regressionData(50);
    predicted[7] = Number.NaN;
    const labels = Array.from({ length: 50 }, (_, i) => `sample ${i}`);
    const plot = await predictionScatter({
      title: "Age",
      quantity: "age (months)",
      actual,
      predicted,
      labels,
    });
    expect(countMarks(plot, "circle")).toBe(49);
    expect(plot.svg).toContain('aria-label="sample 3: true ');
    expect(plot.svg).not.toContain("sample 7:");
    const metrics = new RegressionMetrics();
    metrics.update(
      predicted.filter((_, i) => i !== 7),
      actual.filter((_, i) => i !== 7),
    );
    const { r2, mae } = metrics.result();
    const texts = textsOf(plot);
    expect(texts).toContain("Age");
    expect(texts).toContain("True age (months)");
    expect(texts).toContain("Predicted age (months)");
    expect(texts).toContain("1:1 line");
    const caption = texts.find((text) => text.startsWith("R² "))!;
    expect(Number(/R² ([\d.]+)/.exec(caption)![1])).toBeCloseTo(r2, 3);
    expect(Number(/MAE ([\d.]+)/.exec(caption)![1])).toBeCloseTo(mae, 2);
    expect(caption).toEndWith("49 samples");
  });

  test("figures of all values win over those of the points shown", async () => {
    const { actual, predicted } = regressionData(20);
    const metrics = new RegressionMetrics();
    metrics.update(
      Float64Array.from({ length: 5000 }, (_, i) => i + (i % 2)),
      Float64Array.from({ length: 5000 }, (_, i) => i),
    );
    const plot = await predictionScatter({
      title: "UniFrac",
      quantity: "UniFrac distance",
      actual,
      predicted,
      metrics: metrics.result(),
      pointName: "pairs",
    });
    expect(textsOf(plot)).toContain("R² 1 · MAE 0.5 · Pearson 1 · 20 of 5\u202f000 pairs shown");
  });

  test("two quantities of which none predicts the other have titles of their own and a correlation alone", async () => {
    const axes = { actual: "Share", predicted: "Distance" };
    const plot = await predictionScatter({ title: "t", quantity: "q", axes, ...regressionData(20) });
    const texts = textsOf(plot);
    expect(texts).toContain("Share");
    expect(texts).toContain("Distance");
    expect(texts.filter((text) => /R²|MAE|1:1|True|Predicted/.test(text))).toEqual([]);
    expect(plot.description).toStartWith("Distance against Share, 20 samples: Pearson ");
  });

  test("both axes have the same ticks", async () => {
    const plot = await predictionScatter({
      title: "t",
      quantity: "q",
      actual: [0, 10, 5],
      predicted: [40, 45, 50],
    });
    const ticks = textsOf(plot).filter((text) => /^−?\d+$/.test(text));
    expect(ticks.length % 2).toBe(0);
    expect(ticks.slice(0, ticks.length / 2)).toEqual(ticks.slice(ticks.length / 2));
  });

  test("many points are counted in cells", async () => {
    const plot = await predictionScatter({
      title: "t",
      quantity: "q",
      ...regressionData(3000),
      pointName: "pairs",
    });
    expect(countMarks(plot, "circle")).toBe(0);
    expect(textsOf(plot)).toContain("pairs per cell");
    expect(textsOf(plot).some((text) => text.endsWith("3\u202f000 pairs"))).toBe(true);
  });

  test("intervals are drawn where the model gives quantiles", async () => {
    const { actual, predicted } = regressionData(12);
    const lower = predicted.map((value) => value - 1);
    const upper = predicted.map((value) => value + 2);
    const plot = await predictionScatter({ title: "t", quantity: "q", actual, predicted, lower, upper });
    expect(plot.svg.match(/class="mark-rule[^"]*layer_0_marks"/)).not.toBeNull();
    expect(countMarks(plot, "circle")).toBe(12);
  });
});

test("residuals show bias and spread, all of them in the distribution", async () => {
  const plot = await residualPlot({
    title: "R",
    quantity: "age",
    actual: [1, 2, 3, 4],
    predicted: [2, 3, 4, 5],
  });
  expect(textsOf(plot)).toContain("Predicted − true: mean 1 · RMSE 1 · 4 samples");
  expect(countMarks(plot, "circle")).toBe(4);
  const many = await residualPlot({ title: "R", quantity: "age", ...regressionData(5000) });
  expect(countMarks(many, "circle")).toBeLessThanOrEqual(2000);
  expect(textsOf(many)).toContain("Orange: running median and middle half");
});

test("a confusion matrix shows counts, names and scores; class names may be anything", async () => {
  const metrics = new ClassificationMetrics(["Vaginal", hostile]);
  metrics.update([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.8, 0.9]);
  const plot = await confusionPlot("Delivery", metrics.result());
  const texts = textsOf(plot);
  expect(texts.filter((text) => /^\d+$/.test(text))).toEqual(["2", "0", "1", "2"]);
  expect(texts.filter((text) => text === "Vaginal").length).toBe(2);
  expect(texts).toContain("accuracy 80.00% · weighted: precision 0.867, recall 0.8, F1 0.8");
  expect(texts).toContain("macro F1 0.8 · AUC 1 · 5 samples");
  expect(plot.svg).not.toContain("<script");
  expect(plot.svg).toContain("&lt;/text&gt;&lt;script&gt;");
});

describe("learning curves", () => {
  const curve = (values: readonly number[]) => values.map((value, step) => ({ step, value }));

  test("one chart per measure, training and validation together, the kept model marked", async () => {
    const plot = await learningCurves({
      title: "Learning curves",
      bestStep: 1,
      curves: [
        { name: "Total loss", train: curve([3, 2, 1]), validation: curve([3, 2.5, 2.6]) },
        { name: "R²", validation: curve([0, 0.5, Number.NaN]) },
        { name: "Nothing", train: [] },
      ],
    });
    const texts = textsOf(plot);
    for (const text of ["Total loss", "R²", "Training", "Validation", "Dashed: the kept model, epoch 1"]) {
      expect(texts).toContain(text);
    }
    expect(texts).not.toContain("Nothing");
    expect(countMarks(plot, "line mark")).toBe(3);
  });

  test("a wide range of positive values gets a logarithmic axis that says so", async () => {
    const plot = await learningCurves({
      title: "t",
      curves: [{ name: "Loss", train: curve([100, 10, 0.5]) }],
    });
    expect(textsOf(plot)).toContain("Loss (log scale)");
    const narrow = await learningCurves({
      title: "t",
      curves: [{ name: "Loss", train: curve([100, 50, -1]) }],
    });
    expect(textsOf(narrow)).toContain("Loss");
  });
});

describe("embedding map", () => {
  const x = [0, 1, 2, 3, 4, Number.NaN];
  const y = [1, 0, 1, 0, 1, 1];
  const panel = (title: string, sign: number) => ({ title, axis: "PC", x: x.map((v) => sign * v), y });

  test("two panels show the same samples and their second axes agree in sign", async () => {
    const [same, flipped] = await Promise.all(
      [1, -1].map((sign) => embeddingMap({ title: "Map", panels: [panel("left", 1), panel("right", sign)] })),
    );
    expect(countMarks(same, "circle")).toBe(10);
    expect(flipped.svg).toBe(same.svg);
    expect(textsOf(same)).toContain("5 samples");
  });

  test("numbers are coloured on a scale, missing ones told apart", async () => {
    const values = [1, 2, 3, Number.NaN, 5, 6];
    const plot = await embeddingMap({
      title: "Map",
      panels: [{ ...panel("one", 1), explained: [0.251, 0.1] }],
      colour: { title: "age", values },
    });
    expect(textsOf(plot)).toContain("coloured by age · 5 samples · pale: 1 without a value");
    expect(textsOf(plot)).toContain("PC 1 (25.1 %)");
    expect(plot.svg).toContain("linearGradient");
    expect(plot.svg).toContain('aria-label="age missing"');
  });

  test("rare categories share a colour when there are more than seven", async () => {
    const categories = Array.from({ length: 40 }, (_, i) => (i < 30 ? `site ${i % 7}` : `rare ${i % 5}`));
    categories[0] = hostile;
    const coordinates = Float64Array.from({ length: 40 }, (_, i) => i);
    const plot = await embeddingMap({
      title: "Map",
      panels: [{ title: "p", axis: "PC", x: coordinates, y: coordinates }],
      colour: { title: "site", values: categories },
    });
    const texts = textsOf(plot);
    for (let i = 0; i < 7; i++) expect(texts).toContain(`site ${i}`);
    expect(texts).toContain("6 others");
    expect(plot.svg).not.toContain("<script");
  });

  test("panels of different samples are refused", () => {
    const panels = [panel("a", 1), { title: "b", axis: "PC", x: [1], y: [1] }];
    expect(() => embeddingMap({ title: "Map", panels })).toThrow(RangeError);
  });
});

test("bins have round edges, hold every value, and bars tell their counts", async () => {
  expect(niceEdges(0, 1, 10).map((edge) => edge.toFixed(3))).toEqual(
    Array.from({ length: 11 }, (_, i) => (i / 10).toFixed(3)),
  );
  expect(niceEdges(-0.3, 0.7, 4)).toEqual([-0.5, -0.25, 0, 0.25, 0.5, 0.75]);
  expect(niceEdges(5, 5, 10)).toEqual([4.75, 5.25]);
  expect(niceEdges(0, 0, 10)[0]).toBeLessThan(0);
  const random = new Random(2);
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 50 }, () => random.normal() * 10 ** (random.integer(12) - 6));
    const edges = niceEdges(Math.min(...values), Math.max(...values), 1 + random.integer(50));
    expect(edges[0]).toBeLessThanOrEqual(Math.min(...values) + 1e-9 * Math.abs(edges[0]));
    expect(edges[edges.length - 1]).toBeGreaterThanOrEqual(Math.max(...values) * (1 - 1e-9));
    expect(countBetween(values, edges).reduce((sum, count) => sum + count, 0)).toBe(50);
  }
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([7], 0.25)).toBe(7);
  const plot = await histogramPlot({
    title: "H",
    xTitle: "distance",
    series: [
      { name: "true", values: [0, 0, 1, 10, Number.NaN] },
      { name: "predicted", values: [5] },
    ],
    bins: 10,
  });
  expect(plot.svg).toContain('aria-label="true, 0 to 1: 2"');
  expect(textsOf(plot)).toContain("true: n 4 · mean 2.75 · SD 4.21");
  const logarithmic = await histogramPlot({
    title: "H",
    xTitle: "ASVs",
    logarithmic: true,
    series: [{ name: "a", values: [1, 1, 1, 2] }],
  });
  expect(textsOf(logarithmic)).toContain("Count (log scale)");
});

test("the learning-rate plot cuts off the explosion and says so", async () => {
  const learningRates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];
  const losses = [1, 0.9, 0.6, 0.5, 3, 100];
  const plot = await learningRatePlot({
    title: "LR",
    learningRates,
    losses,
    rawLosses: losses,
    suggestion: 1e-3,
  });
  expect(textsOf(plot)).toContain("Suggested learning rate: 1.00e-03 (orange)");
  expect(textsOf(plot)).toContain("The rise to 100 at the end is cut off");
  const none = await learningRatePlot({ title: "LR", learningRates, losses: [5, 4, 3, 2, 1, 0] });
  expect(textsOf(none)).toContain("No clear suggestion: the loss never falls steadily");
  expect(await toPng(plot)).toBeInstanceOf(Uint8Array);
});

test("bars start at zero and carry their values, lines their points", async () => {
  const bars = await barChart({
    title: "MAE",
    valueTitle: "months",
    bars: [
      { label: "model", value: 2.87, error: 0.12 },
      { label: "forest", value: 3.11, muted: true },
      { label: "below", value: -1 },
      { label: "none", value: Number.NaN },
    ],
  });
  const texts = textsOf(bars);
  for (const text of ["model", "2.87 ± 0.12", "forest", "3.11", "−1", "0"]) expect(texts).toContain(text);
  expect(texts).not.toContain("none");
  const lines = await lineChart({
    title: "Speed",
    xTitle: "batch",
    yTitle: "samples/s",
    logX: true,
    series: [
      { name: "ours", x: [0, 1, 2], y: [1, 2, 3] },
      { name: "theirs", x: [1, 2], y: [1, Number.NaN] },
    ],
  });
  expect(countMarks(lines, "circle")).toBe(3);
  expect(textsOf(lines)).toContain("batch (log scale)");
});

test("a plot of nothing is a UserError that names it", () => {
  const nothing = [Number.NaN];
  const metrics = new ClassificationMetrics(["a"]);
  const attempts = [
    () => predictionScatter({ title: "T", quantity: "q", actual: nothing, predicted: [1] }),
    () => residualPlot({ title: "T", quantity: "q", actual: nothing, predicted: [1] }),
    () => confusionPlot("T", metrics.result()),
    () => learningCurves({ title: "T", curves: [{ name: "a", train: [{ step: 0, value: Number.NaN }] }] }),
    () => embeddingMap({ title: "T", panels: [{ title: "p", axis: "PC", x: nothing, y: nothing }] }),
    () => histogramPlot({ title: "T", xTitle: "x", series: [{ name: "a", values: nothing }] }),
    () => learningRatePlot({ title: "T", learningRates: [1e-3], losses: nothing }),
    () => barChart({ title: "T", valueTitle: "v", bars: [] }),
    () => lineChart({ title: "T", xTitle: "x", yTitle: "y", series: [] }),
  ];
  for (const attempt of attempts) {
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow('There is nothing to plot in "T"');
  }
});

test("one point and constant values can be plotted", async () => {
  const plots = await Promise.all([
    predictionScatter({ title: "T", quantity: "q", actual: [3], predicted: [3] }),
    predictionScatter({ title: "T", quantity: "q", actual: [0, 0], predicted: [0, 0] }),
    residualPlot({ title: "T", quantity: "q", actual: [3, 3], predicted: [3, 3] }),
    embeddingMap({
      title: "T",
      panels: [{ title: "p", axis: "PC", x: [1], y: [1] }],
      colour: { title: "c", values: [2] },
    }),
    histogramPlot({ title: "T", xTitle: "x", series: [{ name: "a", values: [0, 0] }] }),
    learningCurves({ title: "T", curves: [{ name: "a", train: [{ step: 0, value: 1 }] }] }),
    learningRatePlot({ title: "T", learningRates: [1e-3], losses: [1] }),
    barChart({ title: "T", valueTitle: "v", bars: [{ label: "a", value: 0 }] }),
    lineChart({ title: "T", xTitle: "x", yTitle: "y", series: [{ name: "a", x: [1], y: [1] }] }),
  ]);
  for (const plot of plots) {
    expect(plot.svg).not.toMatch(/NaN|Infinity|undefined/);
    expect((await toPng(plot)).length).toBeGreaterThan(1000);
  }
});

describe("PNG", () => {
  const bars = (title: string) => barChart({ title, valueTitle: "v", bars: [{ label: "a", value: 1 }] });
  const sizeOf = (png: Uint8Array) => new DataView(png.buffer, png.byteOffset).getUint32(16);

  test("text is drawn with the font that comes along", async () => {
    const [one, other] = await Promise.all(
      (await Promise.all([bars("AAAA"), bars("BBBB")])).map((p) => toPng(p)),
    );
    expect(one.length).not.toBe(other.length);
    expect(textWidth("W", 100, false)).toBeGreaterThan(textWidth("i", 100, false) * 2);
    expect(textWidth("months", 12, true)).toBeGreaterThan(textWidth("months", 12, false));
  });

  test("the picture is twice as wide as the SVG unless told otherwise, and both files are written", async () => {
    const plot = await bars("T");
    const width = Number(/width="(\d+)"/.exec(plot.svg)![1]);
    expect(sizeOf(await toPng(plot))).toBe(2 * width);
    expect(sizeOf(await toPng(plot, 1))).toBe(width);
    await savePlot(plot, join(folder, "bars"));
    expect(readFileSync(join(folder, "bars.svg"), "utf8")).toBe(plot.svg);
    expect(sizeOf(new Uint8Array(readFileSync(join(folder, "bars.png"))))).toBe(2 * width);
  });

  test("a picture that cannot be drawn is an error, and the next one is drawn", async () => {
    // A half-transparent shape far outside the canvas: the library panics over it.
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="5" cy="-5000" r="3" opacity="0.3"/></svg>`;
    for (const broken of [svg, "<svg"]) {
      await expect(toPng({ title: "Broken", description: "", svg: broken })).rejects.toThrow('"Broken"');
    }
    expect((await toPng(await bars("T"))).length).toBeGreaterThan(1000);
  });

  test("hostile titles and labels stay text", async () => {
    const plot = await barChart({
      title: hostile,
      valueTitle: hostile,
      bars: [{ label: hostile, value: 1 }],
    });
    expect(plot.svg).not.toContain("<script");
    expect(plot.svg).not.toContain("\u0000");
    expect(plot.svg.isWellFormed()).toBe(true);
    expect(textsOf(plot).some((text) => text.includes("</text><script>alert(1)</script>"))).toBe(true);
    expect((await toPng(plot)).length).toBeGreaterThan(1000);
  });
});
