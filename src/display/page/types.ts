import type { Plot } from "../plots/chart.ts";
import type { LearningCurvesInput } from "../plots/curves.ts";
import type { MapData } from "./browser/mapData.ts";

/** All that the report of a run shows. Strings may be anything: they are shown as text, never as HTML. */
export interface RunReport {
  readonly title: string;
  /** One sentence on what was done with what. */
  readonly subtitle?: string;
  /** When the report was made, ISO 8601. */
  readonly created: string;
  /** The command line, as the user may repeat it. */
  readonly command?: string;
  readonly split: ReportSplit;
  /** The few numbers that matter, most important first. */
  readonly figures: readonly Figure[];
  /** What the reader must know before trusting the numbers. */
  readonly warnings?: readonly string[];
  readonly comparison?: Comparison;
  readonly learningCurves?: Omit<LearningCurvesInput, "title">;
  readonly plots: readonly ReportPlot[];
  /** The samples on maps that can be looked into. */
  readonly map?: ReportMap;
  /** What the data are: files, samples, ASVs, filters. */
  readonly data: readonly Fact[];
  /** The full resolved configuration; may be nested. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Versions, device, durations, seeds. */
  readonly environment: readonly Fact[];
  /** The ASVs that matter, above the samples. */
  readonly asvs?: SampleTable;
  readonly samples?: SampleTable;
}

/** How samples were divided, as no figure means anything without it. */
export interface ReportSplit {
  /** `whole subjects held out`, `random`. */
  readonly name: string;
  readonly description?: string;
  readonly parts: readonly { readonly name: string; readonly samples: number }[];
}

export interface Figure {
  readonly label: string;
  readonly value: number | string;
  readonly unit?: string;
  /** A few words below the number. */
  readonly note?: string;
}

/** The model beside the baselines. */
export interface Comparison {
  /** The metric that decides comes first. */
  readonly metrics: readonly {
    readonly key: string;
    readonly label: string;
    readonly unit?: string;
    readonly better: "lower" | "higher";
  }[];
  readonly rows: readonly ComparisonRow[];
  /** For instance: mean and standard deviation over three seeds. */
  readonly note?: string;
  /** The sentence above the table; unless given, how far the model is from the best baseline. */
  readonly verdict?: string;
}

export interface ComparisonRow {
  readonly name: string;
  readonly note?: string;
  /** True for our model, false or missing for a baseline. */
  readonly isModel?: boolean;
  /** By the metric's key; a metric that was not measured is left out. */
  readonly values: Readonly<Record<string, number>>;
  /** Standard deviation over repetitions, by the metric's key. */
  readonly spread?: Readonly<Record<string, number>>;
}

export interface ReportPlot {
  readonly plot: Plot;
  /**
   * The same with its parts below each other, shown instead where the page is too
   * narrow for them side by side.
   */
  readonly narrow?: Plot;
  readonly caption?: string;
}

/** Samples on maps that can be looked into, and a picture of them for readers without JavaScript. */
export interface ReportMap {
  readonly data: MapData;
  readonly picture: ReportPlot;
}

export interface Fact {
  readonly label: string;
  readonly value: string | number;
}

export interface SampleTable {
  /** Heading of the section; `Samples` unless given. */
  readonly title?: string;
  /** What a row is called in the plural; `samples` unless given. */
  readonly rowsAre?: string;
  /** Shown above the table. */
  readonly plots?: readonly ReportPlot[];
  /** Text, a number, or a number whose size is also drawn as a bar (an error). */
  readonly columns: readonly { readonly name: string; readonly kind: "text" | "number" | "error" }[];
  /** One row per sample or ASV, as many values as columns; `null` is missing. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  readonly note?: string;
}
