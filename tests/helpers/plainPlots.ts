import { afterAll, beforeAll, spyOn } from "bun:test";
import { writeFileSync } from "node:fs";
import * as chart from "../../src/display/plots/chart.ts";

/** A PNG of one pixel. */
const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/**
 * For the tests of this file no PNG files of plots are made, which takes long: one pixel is in their place.
 */
export function usePlainPlots(): void {
  let spies: { mockRestore(): void }[] = [];
  beforeAll(() => {
    spies = [
      spyOn(chart, "toPng").mockImplementation(async () => new Uint8Array(pixel)),
      spyOn(chart, "savePlot").mockImplementation(async (plot, path) => {
        writeFileSync(`${path}.svg`, plot.svg);
        writeFileSync(`${path}.png`, pixel);
      }),
    ];
  });
  afterAll(() => {
    for (const spy of spies) spy.mockRestore();
  });
}
