import type { Interval } from "../../metrics/intervals.ts";

/** One trial, as far as it went. */
export interface Trial {
  readonly trial: number;
  /** By setting's name; none for trial 0. */
  readonly settings: Readonly<Record<string, unknown>> | null;
  /** Inner folds that it was judged on. */
  readonly folds: number;
  /** Mean loss over the samples of these folds; null where a training failed. */
  readonly loss: number | null;
  readonly error: string | null;
  readonly seconds: number;
}

/** A predictor that needs no fine-tuning, on the samples held out from the search. */
export interface SimplePredictor {
  readonly name: string;
  readonly loss: Interval;
  /** The best settings' loss less its own, sample by sample. */
  readonly difference: Interval;
}

export interface SearchSummary {
  readonly column: string;
  /** Mean absolute error, or log loss of classes: less is better. */
  readonly figure: "mae" | "log_loss";
  readonly split: string;
  readonly samples: { readonly searched: number; readonly held_out: number };
  readonly trials: readonly Trial[];
  /** Why there are no more. */
  readonly ended_by: "trials" | "time";
  readonly best: Trial;
  /** On the samples held out from the search, which were looked at once: less is better. */
  readonly test: {
    readonly best: Interval;
    readonly base: Interval;
    readonly difference: Interval;
    /** The median or the classes' shares, and forests. */
    readonly simple: readonly SimplePredictor[];
  };
  /** Mean size of each setting's SHAP values in a forest over trials; null for fewer than 8 trials. */
  readonly importance: Readonly<Record<string, number>> | null;
}
