import { median } from "../../common/median.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { type Taxonomy, taxonName } from "../../data/taxonomy/read.ts";
import type { LearnTarget } from "../predictors/learner.ts";
import type { Reasons } from "../predictors/reasons.ts";

/** What one ASV does, over folds. */
export interface ReasonRow {
  readonly asv: number;
  readonly id: string;
  /** Its lineage and the name that it is shown by; null where no taxonomy was given or has it. */
  readonly taxon: string | null;
  readonly name: string | null;
  /** Folds whose training samples have it often enough. */
  readonly folds: number;
  /**
   * What its presence adds to the number, or to a class's score or probability. Median over folds, with
   * the folds' central 95 %; NaN where no fold tells.
   */
  readonly effect: number;
  readonly low: number;
  readonly high: number;
  /** The class that `effect` is of: the one of the largest effect. Null for numbers. */
  readonly className: string | null;
  /** How much it matters. Mean over folds, with the folds' central 95 %. */
  readonly importance: number;
  readonly importanceLow: number;
  readonly importanceHigh: number;
}

/** ASVs by importance, the largest first; those that are in less than half of the folds are left out. */
export function reasonTable(
  dataset: Dataset,
  target: LearnTarget,
  ofFolds: readonly Reasons[],
  taxonomy: Taxonomy | null,
): ReasonRow[] {
  const width = target.kind === "numbers" ? 1 : target.classes.length;
  const found = new Map<number, { effects: (number | null)[][]; importance: number[] }>();
  for (const reasons of ofFolds) {
    reasons.asvs.forEach((asv, at) => {
      const own = found.get(asv) ?? { effects: [], importance: [] };
      found.set(asv, own);
      own.effects.push(reasons.effects.slice(at * width, (at + 1) * width));
      own.importance.push(reasons.importance[at]);
    });
  }
  const rows: ReasonRow[] = [];
  for (const [asv, { effects, importance }] of found) {
    if (importance.length < ofFolds.length / 2) continue;
    const ofClass = Array.from({ length: width }, (_, c) =>
      effects.map((own) => own[c]).filter((own) => own !== null),
    );
    const medians = ofClass.map((own) => (own.length > 0 ? median(own) : Number.NaN));
    let best = 0;
    for (let c = 1; c < width; c++) if (Math.abs(medians[c]) > Math.abs(medians[best])) best = c;
    const [low, high] = central(ofClass[best]);
    const [importanceLow, importanceHigh] = central(importance);
    const id = dataset.asvId(asv);
    rows.push({
      asv,
      id,
      taxon: taxonomy?.lineages.get(id) ?? null,
      name: (taxonomy && taxonName(taxonomy, id)) ?? null,
      folds: importance.length,
      effect: medians[best],
      low,
      high,
      className: target.kind === "classes" ? target.classes[best] : null,
      importance: importance.reduce((sum, value) => sum + value, 0) / importance.length,
      importanceLow,
      importanceHigh,
    });
  }
  return rows.sort((a, b) => b.importance - a.importance || a.asv - b.asv);
}

/** Ends of the central 95 %. */
function central(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted.length === 0 ? Number.NaN : sorted[Math.round(share * (sorted.length - 1))];
  return [at(0.025), at(0.975)];
}
