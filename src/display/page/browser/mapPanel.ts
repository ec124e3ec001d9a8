import { readableNumber } from "../../numberText.ts";
import { make } from "./elements.ts";
import type { Colouring } from "./mapColours.ts";
import type { MapPlaces } from "./mapData.ts";
import { equalRanges, type Rectangle, ticksOf } from "./mapPlaces.ts";

/** Room for labels, in pixels. */
const margin = { left: 46, right: 8, top: 8, bottom: 40 };

const samplesAtATime = 500;

/** Colours of what is not a point. */
export interface Inks {
  readonly card: string;
  readonly ink: string;
  readonly muted: string;
  readonly axis: string;
  readonly grid: string;
  readonly accent: string;
}

/** How a panel is to be drawn. */
export interface MapLook {
  readonly inks: Inks;
  readonly colouring: Colouring;
  readonly selected: ReadonlySet<number>;
}

/**
 * One map: the points on a canvas, and above it another for what follows the pointer, so that a move draws no
 * point anew.
 */
export class MapPanel {
  readonly figure = make("figure", { className: "panel" });
  /** Takes pointer and keys. */
  readonly top = make("canvas");
  readonly #points = make("canvas");
  readonly #places: MapPlaces;
  readonly #ranges: ReturnType<typeof equalRanges>;
  #side = 0;
  #scale = 1;
  /** Places of the samples in pixels. */
  readonly x: Float32Array;
  readonly y: Float32Array;

  constructor(places: MapPlaces) {
    this.#places = places;
    this.#ranges = equalRanges(places.x, places.y);
    this.x = new Float32Array(places.x.length);
    this.y = new Float32Array(places.x.length);
    this.top.tabIndex = 0;
    this.top.setAttribute("role", "application");
    this.top.ariaLabel = `${places.title}, ${places.x.length} samples: arrow keys go from sample to sample, Enter selects one, Escape none.`;
    const layers = make("div", { className: "layers" });
    layers.append(this.#points, this.top);
    this.figure.append(make("figcaption", { text: places.title }), layers);
  }

  get radius(): number {
    const count = this.x.length;
    return count > 1500 ? 2.4 : count > 400 ? 3.2 : 4.2;
  }

  /** Takes the size that the page gives it; false where it is as before. */
  fit(): boolean {
    const side = Math.floor(this.figure.clientWidth);
    const scale = devicePixelRatio || 1;
    if (side === 0 || (side === this.#side && scale === this.#scale)) return false;
    this.#side = side;
    this.#scale = scale;
    for (const canvas of [this.#points, this.top]) {
      canvas.width = canvas.height = Math.round(side * scale);
      canvas.style.width = canvas.style.height = `${side}px`;
    }
    for (let i = 0; i < this.x.length; i++) {
      this.x[i] = this.#across(this.#places.x[i]);
      this.y[i] = this.#down(this.#places.y[i]);
    }
    return true;
  }

  draw({ inks, colouring, selected }: MapLook): void {
    const context = this.#clear(this.#points);
    this.#drawFrame(context, inks);
    // What is not selected fades, and lies below what is.
    const isChosen = (i: number) => selected.has(i);
    const all = [...colouring.slots.keys()];
    context.globalAlpha = selected.size > 0 ? 0.16 : 0.85;
    this.#drawSamples(context, selected.size > 0 ? all.filter((i) => !isChosen(i)) : all, colouring, inks);
    if (selected.size === 0) return;
    context.globalAlpha = 1;
    this.#drawSamples(context, all.filter(isChosen), colouring, inks, this.radius + 0.8);
  }

  /** Draws what follows the pointer: a sample that is looked at (-1: none), a rectangle. */
  drawTop(sample: number, rectangle: Rectangle | undefined, { ink, accent }: Inks): void {
    const context = this.#clear(this.top);
    if (sample >= 0) {
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.x[sample], this.y[sample], this.radius + 4, 0, 2 * Math.PI);
      context.stroke();
    }
    if (rectangle) {
      const { x0, y0, x1, y1 } = rectangle;
      const sides = [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)] as const;
      context.fillStyle = accent;
      context.globalAlpha = 0.12;
      context.fillRect(...sides);
      context.globalAlpha = 1;
      context.strokeStyle = accent;
      context.lineWidth = 1;
      context.strokeRect(...sides);
    }
  }

  #across(value: number): number {
    const [low, high] = this.#ranges.x;
    return margin.left + ((value - low) / (high - low)) * (this.#side - margin.left - margin.right);
  }

  #down(value: number): number {
    const [low, high] = this.#ranges.y;
    return (
      this.#side - margin.bottom - ((value - low) / (high - low)) * (this.#side - margin.top - margin.bottom)
    );
  }

  #clear(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser draws no canvas.");
    context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    context.clearRect(0, 0, this.#side, this.#side);
    context.globalAlpha = 1;
    return context;
  }

  #drawFrame(context: CanvasRenderingContext2D, { grid, axis, muted, ink }: Inks): void {
    const side = this.#side;
    const [left, right, top, bottom] = [margin.left, side - margin.right, margin.top, side - margin.bottom];
    const count = side < 380 ? 4 : 6;
    const line = (x0: number, y0: number, x1: number, y1: number, colour: string) => {
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.stroke();
    };
    context.lineWidth = 1;
    context.font = "11px Inter, system-ui, sans-serif";
    context.fillStyle = muted;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of ticksOf(this.#ranges.x, count)) {
      const x = this.#across(tick);
      line(x, top, x, bottom, grid);
      context.fillText(readableNumber(tick), x, bottom + 5);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticksOf(this.#ranges.y, count)) {
      const y = this.#down(tick);
      line(left, y, right, y, grid);
      context.fillText(readableNumber(tick), left - 5, y);
    }
    line(left, bottom, right, bottom, axis);
    line(left, top, left, bottom, axis);
    context.font = "600 12px Inter, system-ui, sans-serif";
    context.fillStyle = ink;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    const [xTitle, yTitle] = this.#places.axes;
    context.fillText(xTitle, (left + right) / 2, side - 3);
    context.save();
    context.translate(11, (top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    context.fillText(yTitle, 0, 0);
    context.restore();
  }

  /**
   * Those without a value lie below all others, which are drawn some hundreds at a time, so that no colour
   * lies above another everywhere.
   */
  #drawSamples(
    context: CanvasRenderingContext2D,
    samples: readonly number[],
    { slots, colours }: Colouring,
    { axis, card }: Inks,
    radius = this.radius,
  ): void {
    context.strokeStyle = axis;
    context.lineWidth = 1.2;
    this.#path(
      context,
      samples.filter((i) => slots[i] < 0),
      radius - 0.6,
    );
    context.stroke();
    context.strokeStyle = card;
    context.lineWidth = 0.4;
    for (let start = 0; start < samples.length; start += samplesAtATime) {
      const groups = colours.map((): number[] => []);
      for (const i of samples.slice(start, start + samplesAtATime))
        if (slots[i] >= 0) groups[slots[i]].push(i);
      for (const [slot, points] of groups.entries()) {
        if (points.length === 0) continue;
        // One path for all points of a colour: faster than a path, or a copied picture, for each.
        this.#path(context, points, radius);
        context.fillStyle = colours[slot];
        context.fill();
        context.stroke();
      }
    }
  }

  #path(context: CanvasRenderingContext2D, points: readonly number[], radius: number): void {
    context.beginPath();
    for (const i of points) {
      context.moveTo(this.x[i] + radius, this.y[i]);
      context.arc(this.x[i], this.y[i], radius, 0, 2 * Math.PI);
    }
  }
}
