/** A file of tests that imports this makes no PNG files of plots, which takes long: one pixel is in their place. */
import { mock } from "bun:test";
import { writeFileSync } from "node:fs";
import * as chart from "../../src/display/plots/chart.ts";

/** A PNG of one pixel. */
const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const real = { ...chart };
mock.module("../../src/display/plots/chart.ts", () => ({
  ...real,
  toPng: async () => new Uint8Array(pixel),
  savePlot: async (plot: chart.Plot, path: string) => {
    writeFileSync(`${path}.svg`, plot.svg);
    writeFileSync(`${path}.png`, pixel);
  },
}));
