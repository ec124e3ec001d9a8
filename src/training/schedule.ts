/** Learning-rate factors as functions of progress (0 at the start of training, 1 at its end). */
export type ScheduleName = "warmup_cosine" | "constant";

export interface ScheduleOptions {
  name: ScheduleName;
  /** Share of the training during which the rate rises linearly from 0. */
  warmup: number;
  /** Final rate as a share of the base rate. */
  floor: number;
}

/** The factor of the base learning rate: a linear rise, then half a cosine down to the floor. */
export function scheduleFactor(progress: number, options: ScheduleOptions): number {
  const { name, warmup, floor } = options;
  const share = Math.min(Math.max(progress, 0), 1);
  if (warmup > 0 && share < warmup) return Math.max(share / warmup, 0.01);
  if (name === "constant") return 1;
  const rest = warmup < 1 ? (share - warmup) / (1 - warmup) : 1;
  return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * rest));
}
