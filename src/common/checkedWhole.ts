import { UserError } from "./userError.ts";

/** An option that a program gives. @throws UserError where it is no whole number, or less than `least`. */
export function checkedWhole(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UserError(`The option ${name} must be a whole number from ${least} on, got ${value}.`);
}
