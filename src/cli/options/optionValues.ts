import { InvalidArgumentError } from "commander";

/** The value of an option that takes a whole number from 0 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return value;
}

/** The value of an option that takes a whole number from 1 on. */
export function positiveWholeNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("It must be at least 1.");
  return value;
}

/** A whole number from 2 on. @throws InvalidArgumentError */
export function atLeastTwo(text: string): number {
  const value = positiveWholeNumber(text);
  if (value < 2) throw new InvalidArgumentError("It must be at least 2.");
  return value;
}

/** The value of an option that takes a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new InvalidArgumentError("It must be a number above 0.");
  }
  return value;
}

/** The value of an option that takes a number from 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError("It must be a number from 0 to 1.");
  }
  return value;
}

/** The value of an option that takes names, separated by commas. */
export function nameList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.some((name) => name === "")) throw new InvalidArgumentError("Write names, separated by commas.");
  return names;
}

/** The value of an option that takes a share, above 0 and at most 1. */
export function shareOption(text: string): number {
  const value = positiveNumber(text);
  if (value > 1) throw new InvalidArgumentError("It must be at most 1.");
  return value;
}
