import { readableNumber } from "../../display/numberText.ts";
import { titleOf } from "../predictors/index.ts";
import type { FoldSummary } from "./summarize.ts";

/** Less of a mean's weight than this is not spoken of. */
const leastWeight = 1e-3;

/** `12 % of the weight is nearest neighbours`; null where all is divided among ASVs. */
export function undividedText({ kind, undivided }: FoldSummary, name: string): string | null {
  const { parts = [], weight = 0 } = undivided[name] ?? {};
  if (weight < leastWeight) return null;
  const names = parts.map((part) => titleOf(part, kind === "classes").toLowerCase());
  return `${readableNumber(100 * weight, 2)} % of the weight is ${names.join(" and ")}`;
}

/** What tables of contributions leave out, and why there is none: a sentence for each case. */
export function reasonNotes(summary: FoldSummary): string[] {
  const { kind, meanOf, unmoved, undivided, folds } = summary;
  const notes = Object.entries(unmoved).map(([name, count]) => {
    const isConstant = name === "auto" && meanOf.some(({ of }) => of === "constant");
    const why = kind === "classes" ? "says the classes' shares there" : "is the median there";
    const said = `no ASV moves ${name}${isConstant ? `, which ${why}` : ""}`;
    return count === folds
      ? `In all folds ${said}: it has no table.`
      : `In ${count} of ${folds} folds ${said}; its table is of the others.`;
  });
  for (const [name, { importance }] of Object.entries(undivided)) {
    const what = undividedText(summary, name);
    if (what)
      notes.push(
        `Of ${name}, ${what}, not divided among ASVs: as a whole this moves a prediction by ${readableNumber(importance, 2)} on average.`,
      );
  }
  return notes;
}
