import { sampleMap } from "../../src/display/page/sampleMap.ts";
import type { RunReport } from "../../src/display/page/write.ts";
import { barChart, embeddingMap, histogramPlot, predictionScatter } from "../../src/display/plots/index.ts";

/** What each hostile string would do to the page, were it more than text. */
export const attack = `document.documentElement.dataset.attacked=1`;
export const hostileNames = [
  `<script>${attack}</script>`,
  `"><img src=x onerror="${attack}">`,
  `</script><script>${attack}</script>`,
  `<!--`,
  `]]><svg onload=${attack}>`,
  `'"&lt;\`\${1}\\`,
  "nul\u0000bell\u0007\ud800",
  "\u2028很长的样品名称",
];

/** A report in which every string is hostile. */
export async function hostileReport(): Promise<RunReport> {
  const count = 120;
  const name = (i: number) => hostileNames[i % hostileNames.length];
  const labels = Array.from({ length: count }, (_, i) => name(i));
  const actual = Float64Array.from({ length: count }, (_, i) => i % 24);
  const predicted = actual.map((value, i) => value + Math.sin(i));
  const panel = (title: string) => ({ title, axis: name(3), x: actual, y: predicted });
  return {
    title: name(0),
    subtitle: name(1),
    created: name(2),
    command: name(4),
    split: { name: name(0), description: name(1), parts: [{ name: name(2), samples: 3 }] },
    figures: [{ label: name(0), value: name(1), unit: name(2), note: name(4) }],
    warnings: [name(0), name(1)],
    comparison: {
      metrics: [{ key: "mae", label: name(1), unit: name(0), better: "lower" }],
      rows: [
        { name: name(2), note: name(1), isModel: true, values: { mae: 1 } },
        { name: name(0), values: { mae: 2 } },
      ],
      note: name(4),
    },
    learningCurves: {
      curves: [
        {
          name: name(1),
          train: [
            { step: 0, value: 1 },
            { step: 1, value: 0.5 },
          ],
        },
      ],
    },
    plots: [
      {
        plot: await predictionScatter({ title: name(0), quantity: name(2), actual, predicted, labels }),
        caption: name(1),
      },
      {
        plot: await embeddingMap({
          title: name(1),
          panels: [panel(name(2)), panel(name(4))],
          colour: { title: name(0), values: labels },
          labels,
        }),
      },
      {
        plot: await histogramPlot({
          title: name(4),
          xTitle: name(0),
          series: [{ name: name(1), values: actual }],
        }),
      },
    ],
    map: await sampleMap({
      title: name(1),
      samples: labels,
      panels: [panel(name(2)), panel(name(4))],
      columns: [
        { name: name(0), values: labels },
        { name: name(1), values: actual },
      ],
    }),
    data: [{ label: name(0), value: name(1) }],
    configuration: { [name(0)]: name(1), [name(2)]: { [name(4)]: { deep: name(0) } } },
    environment: [{ label: name(2), value: name(4) }],
    asvs: {
      title: name(4),
      rowsAre: name(2),
      plots: [
        {
          plot: await barChart({ title: name(0), valueTitle: name(1), bars: [{ label: name(2), value: 1 }] }),
          caption: name(0),
        },
      ],
      columns: [{ name: name(1), kind: "text" }],
      rows: labels.slice(0, 60).map((label) => [label]),
    },
    samples: {
      note: name(1),
      columns: [
        { name: name(0), kind: "text" },
        { name: "value", kind: "number" },
        { name: "error", kind: "error" },
      ],
      rows: labels.map((label, i) => [label, i === 5 ? Number.NaN : i / 7, i === 6 ? null : Math.cos(i)]),
    },
  };
}
