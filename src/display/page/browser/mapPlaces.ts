/** A rectangle by two opposite corners. */
export interface Rectangle {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

export type Direction = "left" | "right" | "up" | "down";

/** Places of points in pixels, y downwards. */
export interface Places {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/**
 * The point nearest to a place, at most `radius` away; -1 where there is none. Of equal ones that which is
 * drawn last.
 */
export function nearestPoint({ x, y }: Places, atX: number, atY: number, radius: number): number {
  let nearest = -1;
  let least = radius * radius;
  for (let i = 0; i < x.length; i++) {
    const distance = (x[i] - atX) ** 2 + (y[i] - atY) ** 2;
    if (distance > least) continue;
    least = distance;
    nearest = i;
  }
  return nearest;
}

/** The points inside a rectangle, its border included. */
export function pointsInside({ x, y }: Places, { x0, y0, x1, y1 }: Rectangle): number[] {
  const [left, right, top, bottom] = [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
  const inside: number[] = [];
  for (let i = 0; i < x.length; i++)
    if (x[i] >= left && x[i] <= right && y[i] >= top && y[i] <= bottom) inside.push(i);
  return inside;
}

/** The nearest point within 45 degrees of a direction; `from` itself where there is none. */
export function neighbour({ x, y }: Places, from: number, direction: Direction): number {
  const sign = direction === "right" || direction === "down" ? 1 : -1;
  const isAcross = direction === "left" || direction === "right";
  let nearest = from;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - x[from], y[i] - y[from]];
    const [along, aside] = isAcross ? [dx * sign, dy] : [dy * sign, dx];
    const distance = dx * dx + dy * dy;
    if (along <= 0 || Math.abs(aside) > along || distance >= least) continue;
    least = distance;
    nearest = i;
  }
  return nearest;
}

/**
 * Ranges of equal length around the middle of both coordinates, with a little room, so that distances can be
 * read off.
 */
export function equalRanges(
  x: readonly number[],
  y: readonly number[],
): { x: [number, number]; y: [number, number] } {
  const extent = (values: readonly number[]) =>
    values.reduce<[number, number]>(
      ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    );
  const [ofX, ofY] = [extent(x), extent(y)];
  const half = 0.53 * Math.max(ofX[1] - ofX[0], ofY[1] - ofY[0], 1e-9);
  const around = ([low, high]: [number, number]): [number, number] => [
    (low + high) / 2 - half,
    (low + high) / 2 + half,
  ];
  return { x: around(ofX), y: around(ofY) };
}

/** About `count` round numbers in a range. */
export function ticksOf([low, high]: readonly [number, number], count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  // Division keeps 0.3 from being 0.30000000000000004.
  const inverse = Math.round(1 / step);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    step < 1 ? (first + i) / inverse : (first + i) * step,
  );
}
