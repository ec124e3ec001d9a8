import { baseName, configurations } from "./configurations.ts";
import { markdownTable, numberText } from "./finding.ts";
import { meanAndError } from "./statistics.ts";

/** What decides a result besides the configuration and the seed. */
export interface Conditions {
  readonly steps: number;
  /** Of processor time; null for equal steps. */
  readonly minutes: number | null;
  readonly embeddingDim: number;
  readonly layers: number;
  readonly heads: number;
}

/** One training of one configuration. */
export interface Result {
  readonly name: string;
  readonly seed: number;
  readonly conditions: Conditions;
  readonly data: string;
  /** Over all pairs of the validation samples. */
  readonly r2: number;
  readonly mae: number;
  readonly pearson: number;
  readonly bias: number;
  readonly mse: number;
  /** Mean UniFrac loss of the last tenth of the steps. */
  readonly trainMse: number;
  readonly nucleotideAccuracy: number | null;
  /** Null for raw distances; what was learned, where it was. */
  readonly tanhScale: number | null;
  readonly steps: number;
  readonly samples: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface DefaultsTable {
  readonly conditions: string;
  /** In the order of the list of configurations. */
  readonly rows: readonly {
    readonly name: string;
    readonly r2: { readonly mean: number; readonly sd: number };
  }[];
  markdown(picture: string): string;
}

/** The table of results that were measured under the same conditions. */
export function defaultsTable(results: readonly Result[], subject: string): DefaultsTable {
  const { steps, minutes, embeddingDim, layers, heads } = results[0].conditions;
  const shape = `embeddings of ${embeddingDim}, ${layers} + ${layers} + ${layers} layers, ${heads} heads`;
  const conditions = `${minutes === null ? `${steps} steps` : `${minutes} minute${minutes === 1 ? "" : "s"} of processor time`} each; ${shape}`;
  const found = configurations
    .map((configuration) => ({
      ...configuration,
      mine: results.filter(({ name }) => name === configuration.name),
    }))
    .filter(({ mine }) => mine.length > 0);
  const base = found.find(({ name }) => name === baseName)?.mine;
  const rows = found.map(({ name, is, mine }) => {
    const of = (figure: (result: Result) => number) => meanAndError(mine.map(figure));
    return {
      name,
      is,
      n: mine.length,
      r2: of(({ r2 }) => r2),
      // By seed: the same weights and order of batches on either side.
      gain: of(({ r2, seed }) => r2 - (base?.find((other) => other.seed === seed)?.r2 ?? Number.NaN)),
      pearson: of(({ pearson }) => pearson).mean,
      bias: of(({ bias }) => bias).mean,
      mae: of(({ mae }) => mae).mean,
      trainMse: of(({ trainMse }) => trainMse).mean,
      nucleotides: of(({ nucleotideAccuracy }) => nucleotideAccuracy ?? Number.NaN).mean,
      scale: of(({ tanhScale }) => tanhScale ?? Number.NaN).mean,
      steps: of((result) => result.steps).mean,
      perStep: of(({ cpuSeconds, steps: made }) => cpuSeconds / made).mean,
    };
  });
  const best = [...rows].sort((a, b) => b.r2.mean - a.r2.mean)[0];
  const header = [
    "configuration",
    "change",
    "seeds",
    "R²",
    "± SD",
    `gain on ${baseName}`,
    "Pearson",
    "bias",
    "MAE",
    "training MSE",
    "nucleotides",
    "tanh scale",
    "steps",
    "processor s / step",
  ];
  const lines = rows.map((row) => [
    row.name,
    row.is,
    row.n,
    row.r2.mean,
    row.n > 1 ? row.r2.sd : Number.NaN,
    row.gain.mean,
    row.pearson,
    row.bias,
    row.mae,
    row.trainMse,
    row.nucleotides,
    row.scale,
    Math.round(row.steps),
    row.perStep,
  ]);
  return {
    conditions,
    rows,
    markdown: (picture) =>
      [
        "# What trains best?",
        "Validation R² over all pairs of the held-out samples, by configuration. Written by `debug/defaults.ts`, which appends each training " +
          "to a file and goes on where it was stopped.",
        `${subject} ${conditions}. Best so far: **${best.name}** with R² ${numberText(best.r2.mean)} (${best.n} seed${best.n === 1 ? "" : "s"}).`,
        markdownTable({ header, rows: lines }),
        `![R² by configuration](${picture})`,
        "The gain is the mean difference to the base with the same seed, that is the same weights and order of batches. Bias is the mean of predicted - true. " +
          "Training MSE is the mean UniFrac loss of the last tenth of the steps, with whatever noise training has.",
      ].join("\n\n") + "\n",
  };
}
