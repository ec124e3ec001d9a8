/** About `points` steps from 0 to `steps`, closer together in the beginning, where most happens. */
export function spreadSteps(steps: number, points: number): number[] {
  const places = Array.from({ length: points }, (_, i) => Math.round(steps * (i / (points - 1)) ** 1.7));
  return [...new Set(places)];
}
