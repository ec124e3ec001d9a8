import * as torch from "../../torch/index.ts";
import { gaussLegendre } from "../baselines/gaussLegendre.ts";
import { indexOf } from "./asvSums.ts";

/** Points of the quadrature in each part of a way. */
const points = 8;
/** A part is halved while gains miss the change along it by more than this share of what moves at all ... */
const closeEnough = 1e-5;
/** ... and this share of the values, which float32 cannot tell. */
const rounding = 1e-7;
/** Numbers of gains at points that are held at once, which bounds memory. */
const heldNumbers = 2 ** 23;

/** N ways from a base, t = 0, to samples, t = 1, on which ASVs move and a function changes. */
export interface Ways {
  readonly count: number;
  /** The function's arguments [n, D] at t on some of the ways. */
  at(t: number, ways: readonly number[]): torch.Tensor;
  /** The function of arguments [P, D], each on one of the ways: [P, width] in float64 on the CPU. */
  value(args: torch.Tensor, ways: readonly number[]): torch.Tensor;
  /**
   * What each ASV's movement adds at t, in a unit of t, where the function's slopes by its arguments are
   * these [n, width, D]: [n, width, A]. All in float64 on the CPU.
   */
  gains(t: number, ways: readonly number[], slopes: torch.Tensor): torch.Tensor;
}

export interface GainsOnWays {
  /** [N, width, A] in float64 on the CPU: they add up to `end - start`. */
  readonly gains: torch.Tensor;
  /** Values of the function at both ends: [N * width]. */
  readonly start: Float64Array;
  readonly end: Float64Array;
}

/** A stretch of one way, and the function at its ends. */
interface Part {
  readonly way: number;
  readonly from: number;
  readonly to: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
}

/**
 * What each ASV adds to the change of a function on each way: the integral of its gains, by Gauss-Legendre
 * quadrature. A part of a way is halved where its gains do not add up to the change, so that kinks (ReLU) and
 * steep stretches (softmax) are met.
 *
 * @param mostParts of a way.
 */
export function integrateWays(ways: Ways, mostParts: number): GainsOnWays {
  const all = Array.from({ length: ways.count }, (_, way) => way);
  const valuesAt = (t: number) =>
    torch.noGrad(() => torch.tidy(() => ways.value(ways.at(t, all), all).toFloat64Array()));
  const [start, end] = [valuesAt(0), valuesAt(1)];
  const width = start.length / ways.count;
  const row = (values: Float64Array, i: number) => values.subarray(i * width, (i + 1) * width);
  const parts = new Int32Array(ways.count).fill(1);
  let sums: torch.Tensor | null = null;
  let open: Part[] = all.map((way) => ({ way, from: 0, to: 1, start: row(start, way), end: row(end, way) }));
  let atOnce = 1;
  while (open.length > 0) {
    const halved: Part[] = [];
    for (let first = 0; first < open.length; ) {
      const some = open.slice(first, first + atOnce);
      first += some.length;
      const gains = torch.tidy(() => gainsOfParts(ways, some, width));
      const asvs = gains.size(2);
      atOnce = Math.max(1, Math.floor(heldNumbers / (points * width * asvs)));
      const [gained, moved] = torch.tidy(() => [
        gains.sum([2]).toFloat64Array(),
        gains.abs().sum([2]).toFloat64Array(),
      ]);
      const done = some.map((one, i) => {
        const isOff = one.start.some((value, c) => {
          const whole = Math.abs(end[one.way * width + c] - start[one.way * width + c]);
          const off = Math.abs(one.end[c] - value - gained[i * width + c]);
          return off > closeEnough * Math.max(moved[i * width + c], whole) + rounding * Math.abs(value);
        });
        if (!isOff || parts[one.way] >= mostParts) return 1;
        parts[one.way]++;
        halved.push(one);
        return 0;
      });
      sums ??= torch.zeros([ways.count, width, asvs], { dtype: "float64" });
      const [into, kept] = [indexOf(some.map(({ way }) => way)), torch.tensor(Float64Array.from(done))];
      torch.tidy(() => void sums!.indexAdd_(0, into, gains.mul(kept.view([-1, 1, 1]))));
    }
    open = halved.flatMap((one) => {
      const t = (one.from + one.to) / 2;
      const middle = torch.noGrad(() =>
        torch.tidy(() => ways.value(ways.at(t, [one.way]), [one.way]).toFloat64Array()),
      );
      return [
        { ...one, to: t, end: middle },
        { ...one, from: t, start: middle },
      ];
    });
  }
  return { gains: sums!, start, end };
}

/** What each ASV adds on some parts of ways: [parts, width, A]. */
function gainsOfParts(ways: Ways, parts: readonly Part[], width: number): torch.Tensor {
  const rule = gaussLegendre(points);
  // Ways are asked together for what they are at the same t.
  const places = parts
    .flatMap(({ way, from, to }, part) =>
      Array.from(rule.points, (point, i) => ({
        ...{ part, way, t: from + point * (to - from), weight: rule.weights[i] * (to - from) },
      })),
    )
    .sort((a, b) => a.t - b.t);
  const groups = [...Map.groupBy(places, ({ t }) => t)].map(([t, own]) => ({
    t,
    ways: own.map(({ way }) => way),
  }));
  const args = torch
    .noGrad(() => torch.cat(groups.map((group) => ways.at(group.t, group.ways))))
    .requiresGrad_();
  const values = torch.enableGrad(() =>
    ways.value(
      args,
      places.map(({ way }) => way),
    ),
  );
  const slopes = torch.stack(
    Array.from({ length: width }, (_, c) => {
      const [own] = torch.grad(values.select(1, c).sum(), args, { retainGraph: c + 1 < width });
      return own.to({ device: "cpu", dtype: "float64" });
    }),
    1,
  );
  return torch.noGrad(() => {
    let from = 0;
    const gains = groups.map((group) => {
      const own = slopes.narrow(0, from, group.ways.length);
      from += group.ways.length;
      return ways.gains(group.t, group.ways, own);
    });
    const weights = torch.tensor(Float64Array.from(places, ({ weight }) => weight)).view([-1, 1, 1]);
    const weighed = torch.cat(gains).mul(weights);
    return torch
      .zeros([parts.length, ...weighed.shape.slice(1)], { dtype: "float64" })
      .indexAdd(0, indexOf(places.map(({ part }) => part)), weighed);
  });
}
