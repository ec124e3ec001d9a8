import type { Tensor } from "../core/tensor.ts";

/**
 * A point of a line search: the step, the loss there, the gradient [n], and its slope along the direction.
 */
export interface LinePoint {
  readonly step: number;
  readonly loss: number;
  readonly gradient: Tensor;
  readonly slope: number;
}

/**
 * The step with the smallest value of the cubic through two points with their slopes, within bounds
 * (Nocedal and Wright 3.59).
 */
function cubicMinimum(
  a: LinePoint,
  b: LinePoint,
  [low, high] = [Math.min(a.step, b.step), Math.max(a.step, b.step)],
): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.step - b.step);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [left, right] = a.step <= b.step ? [a, b] : [b, a];
  const share = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2);
  return Math.min(Math.max(right.step - (right.step - left.step) * share, low), high);
}

export interface LineSearchOptions {
  /** The point with step 0. */
  readonly start: LinePoint;
  /** The first step to try. */
  readonly step: number;
  /** Loss, gradient and slope after a step along the direction. */
  readonly evaluate: (step: number) => LinePoint;
  /** The largest element of the direction. */
  readonly reach: number;
  readonly tolerance: number;
  /** The most evaluations. */
  readonly most: number;
}

const decrease = 1e-4;
const curvature = 0.9;

/**
 * A step that meets the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6), in PyTorch's
 * form and with its order of evaluations: first a bracket, then smaller ones.
 */
export function strongWolfe({ start, step, evaluate, reach, tolerance, most }: LineSearchOptions): {
  point: LinePoint;
  evaluations: number;
} {
  const tooHigh = (point: LinePoint) => point.loss > start.loss + decrease * point.step * start.slope;
  const isFlat = (point: LinePoint) => Math.abs(point.slope) <= -curvature * start.slope;
  let point = evaluate(step);
  let previous = start;
  let evaluations = 1;
  let tries = 0;
  let bracket: [LinePoint, LinePoint] | null = null;
  while (tries < most) {
    if (tooHigh(point) || (tries > 1 && point.loss >= previous.loss)) {
      bracket = [previous, point];
      break;
    }
    if (isFlat(point)) return { point, evaluations };
    if (point.slope >= 0) {
      bracket = [previous, point];
      break;
    }
    const bounds: [number, number] = [point.step + 0.01 * (point.step - previous.step), point.step * 10];
    const next = cubicMinimum(previous, point, bounds);
    previous = point;
    point = evaluate(next);
    evaluations++;
    tries++;
  }
  bracket ??= [start, point];
  return narrow(bracket, tries, evaluations);

  function narrow(ends: [LinePoint, LinePoint], done: number, count: number) {
    let stalled = false;
    let low = ends[0].loss <= ends[1].loss ? 0 : 1;
    while (done < most) {
      const [a, b] = ends;
      if (Math.abs(b.step - a.step) * reach < tolerance) break;
      let next = cubicMinimum(a, b);
      const [least, largest] = [Math.min(a.step, b.step), Math.max(a.step, b.step)];
      // Close to an end there is little progress: the second time, or at the end itself, a tenth of
      // the bracket away from it.
      const margin = 0.1 * (largest - least);
      if (Math.min(largest - next, next - least) < margin) {
        if (stalled || next >= largest || next <= least) {
          next = Math.abs(next - largest) < Math.abs(next - least) ? largest - margin : least + margin;
          stalled = false;
        } else stalled = true;
      } else stalled = false;
      const found = evaluate(next);
      count++;
      done++;
      const high = 1 - low;
      if (tooHigh(found) || found.loss >= ends[low].loss) {
        ends[high] = found;
        low = ends[0].loss <= ends[1].loss ? 0 : 1;
      } else {
        const isDone = isFlat(found);
        if (!isDone && found.slope * (ends[high].step - ends[low].step) >= 0) ends[high] = ends[low];
        ends[low] = found;
        if (isDone) break;
      }
    }
    return { point: ends[low], evaluations: count };
  }
}
