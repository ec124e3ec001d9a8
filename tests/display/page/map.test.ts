import { describe, expect, test } from "bun:test";
import * as vega from "vega";
import { between, colourBy, scaleOf } from "../../../src/display/page/browser/mapColours.ts";
import type { MapData } from "../../../src/display/page/browser/mapData.ts";
import {
  equalRanges,
  nearestPoint,
  neighbour,
  pointsInside,
  ticksOf,
} from "../../../src/display/page/browser/mapPlaces.ts";
import { mapHtml } from "../../../src/display/page/map.ts";
import { sampleMap } from "../../../src/display/page/sampleMap.ts";
import { sequentialColours, sequentialScheme } from "../../../src/display/plots/palette.ts";

const palette = { series: ["#000001", "#000002"], sequential: sequentialColours, other: "#999999" };

describe("colours", () => {
  test("the most frequent categories have colours of their own, in the order of their names", () => {
    const column = {
      name: "site",
      kind: "text" as const,
      categories: ["s10", "s9", "rare", "odd", "absent"],
      codes: [0, 0, 1, 1, 2, 3, -1],
    };
    const { slots, colours, entries } = colourBy(column, 7, palette);
    expect(entries).toEqual([
      { label: "s9", slot: 0, samples: 2 },
      { label: "s10", slot: 1, samples: 2 },
      { label: "2 others", slot: 2, samples: 2 },
      { label: "missing", slot: -1, samples: 1 },
    ]);
    expect([...slots]).toEqual([1, 1, 0, 0, 2, 2, -1]);
    expect(colours).toEqual(["#000001", "#000002", "#999999"]);
  });

  test("numbers go from the first to the last colour, missing ones have none", () => {
    const column = { name: "age", kind: "number" as const, values: [10, null, 20, 15] };
    const { slots, colours, entries, range } = colourBy(column, 4, palette);
    expect([colours[slots[0]], colours[slots[2]]]).toEqual([sequentialColours[0], sequentialColours[8]]);
    expect(slots[1]).toBe(-1);
    expect(slots[3]).toBeCloseTo(colours.length / 2, 0);
    expect(entries).toEqual([{ label: "missing", slot: -1, samples: 1 }]);
    expect(range).toEqual(["10", "20"]);
  });

  test("a few values far out do not give all others one colour, and the legend says that it ends before them", () => {
    const even = Array.from({ length: 100 }, (_, i) => i);
    expect(scaleOf(even)).toEqual({ low: 0, high: 99, clipsLow: false, clipsHigh: false });
    const values = [...even, 1e6];
    expect(scaleOf(values)).toEqual({ low: 2, high: 98, clipsLow: true, clipsHigh: true });
    expect(colourBy({ name: "n", kind: "number", values }, 101, palette).range).toEqual(["≤ 2", "≥ 98"]);
  });

  test("one value for all, no value at all and no column are shown as well", () => {
    const one = colourBy({ name: "n", kind: "number", values: [3, 3] }, 2, palette);
    expect([one.slots[0], one.range]).toEqual([16, ["3", "3"]]);
    const none = colourBy({ name: "n", kind: "number", values: [null] }, 1, palette);
    expect([...none.slots]).toEqual([-1]);
    expect(colourBy(undefined, 2, palette)).toMatchObject({ colours: ["#000001"], entries: [] });
  });

  test("the scale of numbers is Vega's", () => {
    const scheme = vega.scheme(sequentialScheme.name) as unknown as (share: number) => string;
    const [from, to] = sequentialScheme.extent;
    for (let step = 0; step <= 16; step++) {
      const wanted = scheme(from + ((to - from) * step) / 16)
        .match(/\d+/g)!
        .map(Number);
      const colour = Number.parseInt(between(sequentialColours, step / 16).slice(1), 16);
      const found = [colour >> 16, (colour >> 8) & 255, colour & 255];
      for (const [i, channel] of found.entries()) expect(Math.abs(channel - wanted[i])).toBeLessThan(9);
    }
  });
});

describe("places", () => {
  const places = { x: [0, 10, 20, 10], y: [0, 0, 0, 10] };

  test("the nearest point within reach is found", () => {
    expect(nearestPoint(places, 9, 1, 5)).toBe(1);
    expect(nearestPoint(places, 5, 30, 5)).toBe(-1);
    expect(nearestPoint({ x: [1, 1], y: [1, 1] }, 1, 1, 5)).toBe(1);
  });

  test("a rectangle holds the points in it and on its border, whichever corner it began at", () => {
    const corners = { x0: 20, y0: 5, x1: 5, y1: -5 };
    expect(pointsInside(places, corners)).toEqual([1, 2]);
    expect(pointsInside(places, { x0: 5, y0: -5, x1: 20, y1: 5 })).toEqual([1, 2]);
    expect(pointsInside(places, { x0: 1, y0: 1, x1: 2, y1: 2 })).toEqual([]);
  });

  test("arrow keys go to the next point in their direction, and stay where there is none", () => {
    expect(neighbour(places, 0, "right")).toBe(1);
    expect(neighbour(places, 2, "left")).toBe(1);
    expect(neighbour(places, 1, "down")).toBe(3);
    expect(neighbour(places, 3, "up")).toBe(1);
    expect(neighbour(places, 0, "up")).toBe(0);
  });

  test("both axes have one scale, and round ticks", () => {
    const { x, y } = equalRanges([0, 10], [3, 4]);
    expect(x[1] - x[0]).toBeCloseTo(10.6);
    expect(y[1] - y[0]).toBeCloseTo(10.6);
    expect(ticksOf([-0.26, 0.31], 5)).toEqual([-0.2, 0, 0.2]);
    expect(ticksOf([0.05, 0.41], 4)).toEqual([0.1, 0.2, 0.3, 0.4]);
    expect(ticksOf([-26, 31], 4)).toEqual([-20, 0, 20]);
  });
});

describe("the page's part", () => {
  const dataOf = (html: string) =>
    JSON.parse(/id="map-data">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "") as MapData;

  test("holds places, columns and missing values; later panels are turned like the first", async () => {
    const map = await sampleMap({
      title: "Samples",
      samples: ["a", "b", "lost", "</script>"],
      panels: [
        { title: "One", axis: "PCo", x: [0, 1, Number.NaN, 2], y: [1, 2, 3, 4], explained: [0.5, 0.25] },
        { title: "Two", axis: "PC", x: [0, -1, 5, -2], y: [1, 2, 3, 4.123456789] },
      ],
      columns: [
        { name: "same", values: ["x", "x", "x", "x"] },
        { name: "site", values: ["gut", null, "gut", "soil"] },
        { name: "age", values: Float64Array.of(1, Number.NaN, 2, 3) },
      ],
      colour: "age",
    });
    const html = mapHtml(map);
    expect(dataOf(html)).toEqual({
      samples: ["a", "b", "</script>"],
      panels: [
        { title: "One", axes: ["PCo 1 (50.0 %)", "PCo 2 (25.0 %)"], x: [0, 1, 2], y: [1, 2, 4] },
        { title: "Two", axes: ["PC 1", "PC 2"], x: [0, 1, 2], y: [1, 2, 4.1235] },
      ],
      columns: [
        { name: "site", kind: "text", categories: ["gut", "soil"], codes: [0, -1, 1] },
        { name: "age", kind: "number", values: [1, null, 3] },
      ],
      colour: 1,
    });
    expect(html).toMatch(/<noscript><figure[\s\S]*<svg[\s\S]*One[\s\S]*Two/);
  });

  test("the picture for readers without JavaScript stays small, and says what it leaves out", async () => {
    const x = Array.from({ length: 1600 }, (_, i) => i % 40);
    const samples = x.map((_, i) => `s${i}`);
    const y = x.map((_, i) => Math.floor(i / 40));
    const map = await sampleMap({
      title: "Samples",
      samples,
      panels: [{ title: "One", axis: "PC", x, y }],
      columns: [],
    });
    expect(map.data.samples).toHaveLength(1600);
    expect(map.picture.plot.title).toBe("Samples (1500 of 1600)");
    expect(dataOf(mapHtml(map))).toMatchObject({ columns: [], colour: 0 });
  });
});
