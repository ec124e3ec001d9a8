import type { Scheduled, ScheduledGroup } from "./scheduler.ts";

/** @throws TypeError for an optimizer that has no momentum to move against the rate. */
export function needMomentum(name: string, { paramGroups }: Scheduled): void {
  if (paramGroups.some((group) => !group.betas && group.momentum === undefined))
    throw new TypeError(`${name}: the optimizer has neither momentum nor betas; set cycleMomentum: false`);
}

/** Sets the momentum, or the first beta. */
export function setMomentum(group: ScheduledGroup, momentum: number): void {
  if (group.betas) group.betas = [momentum, group.betas[1]];
  else if (group.momentum !== undefined) group.momentum = momentum;
}

/** A number for each group. @throws TypeError for a list of another length. */
export function perGroup(
  name: string,
  setting: string,
  given: number | readonly number[],
  { paramGroups }: Scheduled,
): readonly number[] {
  const list = typeof given === "number" ? paramGroups.map(() => given) : given;
  if (!Array.isArray(list) || list.length !== paramGroups.length || !list.every(Number.isFinite))
    throw new TypeError(
      `${name}: ${setting} must be a number or one for each of the ${paramGroups.length} parameter groups, got ${JSON.stringify(given)}`,
    );
  return list;
}
