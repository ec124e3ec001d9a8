import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapHtml } from "../../src/display/page/map.ts";
import { sampleMap } from "../../src/display/page/sampleMap.ts";
import { pageHtml } from "../../src/display/page/shell.ts";
import { withPage } from "./browser.ts";

/** What a reader of a map saw. */
export interface MapFindings {
  /** The tip beside a sample. */
  readonly tip: string;
  /** Ids that a rectangle over the first map has selected. */
  readonly selected: string;
  /** Ids that a category's button in the legend has selected. */
  readonly ofCategory: string;
  /** Ids that keys have selected. */
  readonly byKeys: string;
  /** The legend after a column of numbers was chosen. */
  readonly scale: string;
  /** Errors that the browser told. */
  readonly errors: readonly string[];
}

/** Opens a map of nine samples on a grid in a browser, and uses it as its reader would. */
export async function tryMapIn(browser: string): Promise<MapFindings> {
  const folder = mkdtempSync(join(tmpdir(), "aam-map-"));
  const errors: string[] = [];
  try {
    const path = join(folder, "map.html");
    writeFileSync(path, await gridPage());
    const found = await withPage(browser, path, useMap, (text) => errors.push(text));
    return { ...found, errors };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function useMap(view: Bun.WebView): Promise<Omit<MapFindings, "errors">> {
  await view.evaluate("document.querySelector('#map').scrollIntoView({ behavior: 'instant' })");
  const text = (script: string) => view.evaluate<string>(script);
  const ids = () => text("document.querySelector('.map textarea').value.replaceAll('\\n', ' ')");
  const canvas = "document.querySelector('.panel canvas:last-child')";
  const { left, top, width } = JSON.parse(
    await text(`JSON.stringify(${canvas}.getBoundingClientRect())`),
  ) as {
    left: number;
    top: number;
    width: number;
  };
  const mouse = (type: string, x: number, y: number, buttons: number) =>
    view.cdp("Input.dispatchMouseEvent", {
      type: `mouse${type}`,
      ...{ x: left + x * width, y: top + y * width },
      ...(type === "Moved" ? {} : { button: "left", clickCount: 1 }),
      buttons,
    });
  // The frame is 54 of the canvas's pixels narrower than it, and 48 lower.
  const middle = { x: 0.5 + 19 / width, y: 0.5 - 16 / width };
  await mouse("Moved", middle.x, middle.y, 0);
  const tip = await text("document.querySelector('#tip').innerText");
  await mouse("Pressed", middle.x - 0.1, 0.01, 1);
  await mouse("Moved", middle.x, 0.5, 1);
  await mouse("Moved", middle.x + 0.1, 0.9, 1);
  await mouse("Released", middle.x + 0.1, 0.9, 0);
  const selected = await ids();
  await view.click(".legend button");
  const ofCategory = await ids();
  await view.evaluate(`${canvas}.focus()`);
  for (const key of ["ArrowRight", "ArrowRight", "ArrowUp", "Enter"]) await view.press(key);
  const byKeys = await ids();
  await view.evaluate(
    "(s => { s.value = '1'; s.dispatchEvent(new Event('change')) })(document.querySelector('.map select'))",
  );
  const scale = await text("document.querySelector('.legend').innerText.replaceAll('\\n', ' ')");
  return { tip, selected, ofCategory, byKeys, scale };
}

/** Nine samples `a0` to `c2`: the letter is the column, the number the row from below. */
async function gridPage(): Promise<string> {
  const places = [0, 1, 2].flatMap((x) => [0, 1, 2].map((y) => ({ x, y, id: `${"abc"[x]}${y}` })));
  const grid = { x: places.map(({ x }) => x), y: places.map(({ y }) => y) };
  const map = await sampleMap({
    title: "Samples",
    samples: places.map(({ id }) => id),
    panels: [
      { title: "One", axis: "PCo", ...grid },
      { title: "Two", axis: "PC", ...grid },
    ],
    columns: [
      { name: "row", values: places.map(({ y }) => (y === 2 ? null : `row ${y}`)) },
      { name: "number", values: Float64Array.from(places, ({ x, y }) => 10 * x + y) },
    ],
  });
  const section = { id: "map", title: "Map of samples", body: mapHtml(map) };
  return pageHtml({ title: "Samples", created: "now", sections: [section] });
}
