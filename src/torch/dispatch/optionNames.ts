/**
 * Refuses options that a function does not know: a misspelt name would else be left aside in silence.
 * `others` are those that are left when the known ones have been taken out.
 * @throws TypeError that names the first of them.
 */
export function refuseOthers(name: string, others: object, known: string): void {
  for (const key of Object.keys(others)) {
    if ((others as Record<string, unknown>)[key] === undefined) continue;
    throw new TypeError(`${name}: has no option '${key}'; it takes ${known}`);
  }
}

/** @throws TypeError for a setting that is none of `known`. */
export function refuseUnknownSettings(name: string, given: object, known: object): void {
  const others = Object.fromEntries(Object.entries(given).filter(([key]) => !Object.hasOwn(known, key)));
  refuseOthers(name, others, Object.keys(known).join(", "));
}
