import { readableNumber } from "../../numberText.ts";
import { otherColour, sequentialColours } from "../../plots/palette.ts";
import { find, make, readData } from "./elements.ts";
import { type Colouring, colourBy, type LegendEntry } from "./mapColours.ts";
import type { MapColumn, MapData } from "./mapData.ts";
import { type Inks, MapPanel } from "./mapPanel.ts";
import { type Direction, nearestPoint, neighbour, pointsInside, type Rectangle } from "./mapPlaces.ts";
import { hideTip, showTip } from "./tip.ts";

/** How far from a point the pointer may be, in pixels. */
const reach = 10;
/** A shorter way of the pointer is a click. */
const leastDrag = 4;
/** Columns in a tip at most. */
const tipColumns = 12;

const directions: Readonly<Record<string, Direction>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};

interface Drag {
  readonly panel: MapPanel;
  readonly from: { readonly x: number; readonly y: number };
  /** What was selected before and stays so. */
  readonly kept: readonly number[];
  rectangle?: Rectangle;
}

/** The maps of a page; undefined where it has none. */
export function startMap(): SampleMap | undefined {
  const data = readData<MapData>("map-data");
  return data && new SampleMap(find(document, ".map", HTMLElement), data);
}

/**
 * Maps of the same samples: a column colours them, a tip tells of each, and what is selected in one is so in
 * all.
 */
class SampleMap {
  readonly #data: MapData;
  readonly #root: HTMLElement;
  readonly #panels: readonly MapPanel[];
  readonly #legend: HTMLElement;
  readonly #told: HTMLElement;
  readonly #ids: HTMLTextAreaElement;
  #inks: Inks;
  #colouring: Colouring;
  #column: number;
  #selected: ReadonlySet<number> = new Set();
  #sample = -1;
  #drag: Drag | undefined;
  #isDrawing = false;

  constructor(root: HTMLElement, data: MapData) {
    this.#root = root;
    this.#data = data;
    this.#column = data.colour;
    this.#legend = find(root, ".legend", HTMLElement);
    this.#told = find(root, ".told", HTMLElement);
    this.#ids = find(root, "textarea", HTMLTextAreaElement);
    this.#panels = data.panels.map((places) => new MapPanel(places));
    root.hidden = false;
    find(root, ".maps", HTMLElement).append(...this.#panels.map(({ figure }) => figure));
    this.#startChoice();
    this.#startSelection();
    for (const panel of this.#panels) this.#listen(panel);
    [this.#inks, this.#colouring] = this.#colours();
    const resize = new ResizeObserver(() => {
      if (this.#panels.map((panel) => panel.fit()).includes(true)) this.#draw();
    });
    resize.observe(root);
    // Labels drawn before the page's font is there are in another.
    document.fonts.ready.then(() => this.#draw());
  }

  /** Takes the colours of the page's theme anew. */
  recolour(): void {
    [this.#inks, this.#colouring] = this.#colours();
    this.#drawLegend();
    this.#draw();
  }

  #colours(): [Inks, Colouring] {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
    const [card, ink, muted, axis, grid, accent] = ["card", "ink", "muted", "axis", "grid", "accent"].map(
      colour,
    );
    const series = Array.from({ length: 7 }, (_, i) => colour(`series-${i + 1}`));
    const palette = { series, sequential: sequentialColours, other: otherColour };
    const column = this.#data.columns[this.#column];
    return [{ card, ink, muted, axis, grid, accent }, colourBy(column, this.#data.samples.length, palette)];
  }

  #startChoice(): void {
    const select = find(this.#root, "select", HTMLSelectElement);
    select.append(
      ...this.#data.columns.map(({ name }, i) => new Option(name, String(i), false, i === this.#column)),
    );
    if (this.#data.columns.length === 0) select.closest("label")?.remove();
    select.addEventListener("change", () => {
      this.#column = Number(select.value);
      this.recolour();
    });
  }

  #startSelection(): void {
    const on = (name: string, run: () => void) =>
      find(this.#root, `.selection .${name}`, HTMLButtonElement).addEventListener("click", run);
    on("copy", () => {
      this.#ids.select();
      // The older way works where the newer one is not allowed.
      navigator.clipboard?.writeText(this.#ids.value).catch(() => document.execCommand("copy"));
      this.#tell("Copied.");
    });
    on("download", () => {
      const link = make("a");
      link.href = URL.createObjectURL(new Blob([`${this.#ids.value}\n`], { type: "text/plain" }));
      link.download = "selected-samples.txt";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
    on("clear", () => this.#select([]));
    this.#select([]);
  }

  #listen(panel: MapPanel): void {
    const { top } = panel;
    const place = (event: PointerEvent) => ({ x: event.offsetX, y: event.offsetY });
    top.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      top.setPointerCapture(event.pointerId);
      this.#drag = { panel, from: place(event), kept: event.shiftKey ? [...this.#selected] : [] };
    });
    top.addEventListener("pointermove", (event) => {
      const { x, y } = place(event);
      const drag = this.#drag;
      if (drag) {
        const { from } = drag;
        if (!drag.rectangle && Math.hypot(x - from.x, y - from.y) < leastDrag) return;
        drag.rectangle = { x0: from.x, y0: from.y, x1: x, y1: y };
        this.#look(-1);
        this.#selected = new Set([...drag.kept, ...pointsInside(panel, drag.rectangle)]);
        this.#draw();
        return;
      }
      this.#look(nearestPoint(panel, x, y, reach));
      if (this.#sample >= 0) showTip(event.clientX, event.clientY, ...this.#tipOf(this.#sample));
      else hideTip();
    });
    top.addEventListener("pointerup", (event) => {
      const drag = this.#drag;
      this.#drag = undefined;
      if (!drag) return;
      if (drag.rectangle) this.#select([...this.#selected]);
      else {
        const { x, y } = place(event);
        const sample = nearestPoint(panel, x, y, reach);
        this.#pick(sample, event.shiftKey);
        if (event.pointerType === "touch" && sample >= 0) this.#show(panel, sample);
      }
    });
    top.addEventListener("pointercancel", () => {
      this.#drag = undefined;
      this.#select([]);
    });
    top.addEventListener("pointerleave", () => {
      this.#look(-1);
      hideTip();
    });
    top.addEventListener("blur", () => {
      this.#look(-1);
      hideTip();
    });
    top.addEventListener("keydown", (event) => {
      const direction = directions[event.key];
      if (direction) {
        const start = nearestPoint(
          panel,
          top.clientWidth / 2,
          top.clientHeight / 2,
          Number.POSITIVE_INFINITY,
        );
        this.#show(panel, this.#sample < 0 ? start : neighbour(panel, this.#sample, direction));
      } else if (event.key === "Enter" || event.key === " ") this.#pick(this.#sample, event.shiftKey);
      else if (event.key === "Escape") {
        this.#select([]);
        hideTip();
      } else return;
      event.preventDefault();
    });
  }

  /**
   * A click on a sample selects it alone, with Shift it comes or goes; a click on nothing selects nothing.
   */
  #pick(sample: number, isAdding: boolean): void {
    const others = [...this.#selected].filter((one) => one !== sample);
    if (sample < 0) this.#select(isAdding ? others : []);
    else if (!isAdding) this.#select([sample]);
    else this.#select(this.#selected.has(sample) ? others : [...others, sample]);
  }

  #look(sample: number): void {
    if (sample === this.#sample) return;
    this.#sample = sample;
    for (const panel of this.#panels) panel.drawTop(sample, undefined, this.#inks);
  }

  /** Looks at a sample whose place is told by no pointer. */
  #show(panel: MapPanel, sample: number): void {
    this.#look(sample);
    const box = panel.top.getBoundingClientRect();
    const tip = this.#tipOf(sample);
    showTip(box.left + panel.x[sample], box.top + panel.y[sample], ...tip);
    this.#tell(tip.map(({ textContent }) => textContent).join(", "));
  }

  #tipOf(sample: number): HTMLElement[] {
    const { samples, columns } = this.#data;
    const order = columns.map((_, i) => i);
    if (columns[this.#column]) order.unshift(...order.splice(this.#column, 1));
    const lines = order.slice(0, tipColumns).map((i) => {
      const line = make("div", { text: `${columns[i].name}: ${valueText(columns[i], sample)}` });
      if (i === this.#column) line.className = "chosen";
      return line;
    });
    const rest = columns.length - lines.length;
    if (rest > 0) lines.push(make("div", { text: `and ${rest} more columns` }));
    return [make("b", { text: samples[sample] }), ...lines];
  }

  #select(samples: readonly number[]): void {
    this.#selected = new Set(samples);
    const ids = [...this.#selected].sort((a, b) => a - b).map((sample) => this.#data.samples[sample]);
    this.#ids.value = ids.join("\n");
    this.#ids.hidden = ids.length === 0;
    for (const button of this.#root.querySelectorAll<HTMLButtonElement>(".selection button"))
      button.disabled = ids.length === 0;
    this.#countSelected();
    this.#draw();
  }

  #countSelected(): void {
    const all = readableNumber(this.#data.samples.length);
    const { size } = this.#selected;
    find(this.#root, ".selection output", HTMLOutputElement).textContent =
      size === 0 ? `${all} samples, none selected` : `${readableNumber(size)} of ${all} samples selected`;
  }

  #drawLegend(): void {
    const { entries, range, colours } = this.#colouring;
    const parts: HTMLElement[] = [];
    if (range) {
      const scale = make("span", { className: "scale" });
      const bar = make("span", { className: "bar" });
      bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
      scale.append(make("span", { text: range[0] }), bar, make("span", { text: range[1] }));
      parts.push(scale);
    }
    parts.push(...entries.map((entry) => this.#legendButton(entry)));
    this.#legend.replaceChildren(...parts);
  }

  #legendButton({ label, slot, samples }: LegendEntry): HTMLElement {
    const button = make("button");
    button.type = "button";
    button.title = "Select these samples";
    const swatch = make("span", { className: slot < 0 ? "swatch missing" : "swatch" });
    if (slot >= 0) swatch.style.background = this.#colouring.colours[slot];
    button.append(swatch, make("span", { text: label }), make("small", { text: readableNumber(samples) }));
    button.addEventListener("click", ({ shiftKey }) => {
      const own = [...this.#colouring.slots.keys()].filter((i) => this.#colouring.slots[i] === slot);
      this.#select(shiftKey ? [...this.#selected, ...own] : own);
    });
    return button;
  }

  #tell(text: string): void {
    this.#told.textContent = text;
  }

  /** Draws at the screen's next frame, however often it is asked to. */
  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      const look = { inks: this.#inks, colouring: this.#colouring, selected: this.#selected };
      for (const panel of this.#panels) {
        panel.fit();
        panel.draw(look);
        panel.drawTop(
          this.#sample,
          panel === this.#drag?.panel ? this.#drag.rectangle : undefined,
          this.#inks,
        );
      }
      if (this.#drag) this.#countSelected();
    });
  }
}

function valueText(column: MapColumn, sample: number): string {
  if (column.kind === "text") return column.categories[column.codes[sample]] ?? "missing";
  const value = column.values[sample];
  return value === null ? "missing" : readableNumber(value);
}
