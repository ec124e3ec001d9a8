import { InvalidArgumentError } from "commander";
import { wholeNumber } from "../../src/cli/options/optionValues.ts";

/** The value of an option that takes a whole number from `least` on. */
export function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = wholeNumber(text);
    if (value < least) throw new InvalidArgumentError(`It must be at least ${least}.`);
    return value;
  };
}

/** Checks an option that takes whole numbers from 1 on, separated by commas; they are read by `numbersOf`. */
export function numberList(text: string): string {
  numbersOf(text);
  return text;
}

export function numbersOf(text: string): number[] {
  return text.split(",").map((part) => atLeast(1)(part.trim()));
}
