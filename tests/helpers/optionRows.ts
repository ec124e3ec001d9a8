/**
 * Options of commands that are quick, as data: what is given, and then the option. What comes of the
 * command with it must differ from what comes of it without, or with the value that is given, where
 * it may be refused. `{table}` and the like are files of a small simulated study, and what begins
 * with `{out}` is written.
 */
export interface OptionRows {
  readonly command: string;
  readonly given: string;
  /** Each with a value of it, and with what it must come with; after a bar what else is given. */
  readonly options: readonly string[];
  /** Where the options refuse what is given: the exit code, 0 for others. */
  readonly ends?: number;
}

const distances = "--distances {distances} --metadata {metadata} --column site";
const grouped = [
  "--distances {weighted}",
  "--column plot",
  "--metadata {otherMetadata}",
  "--strata site | --column plot",
  "--permutations 9",
  "--seed 5 | --metadata {otherMetadata} --column plot",
  "--output {out}.tsv",
  "--json",
  "--quiet",
];
const ofTable = "--table {table} --metric braycurtis --metadata {metadata} --column site";
const groupedTable = [
  "--table {otherTable}",
  "--tree {tree} | --metric unweighted",
  "--metric jaccard",
  "--rarefy-depth 60",
];
const kept = ["--output {out}.tsv", "--json", "--quiet"];

/** Two steps of a small training, from files. */
const training = "--encoder set --code-dim 16 --batch-size 8 --threads 1 --output {out}";
const transformer = "--encoder aam --embedding-dim 8 --batch-size 8 --threads 1 --output {out}";
const brief = "--max-steps 2 --no-plots --scheduler constant";
const trainings = [
  { command: "pretrain", more: brief },
  { command: "train", more: `${brief} --metadata-column depth` },
  { command: "lr-finder", more: "--steps 10" },
];
const files = "--table {table} --tree {tree} --metadata {metadata} --rarefy-depth none";

/** Where a training's data come from, and how it is run. */
const ofTrainings: OptionRows[] = trainings.flatMap(({ command, more }) => [
  {
    command,
    given: `${files} ${training} ${more}`,
    options: [
      "--table {otherTable}",
      ...(command === "pretrain" ? ["--tree {otherTree}"] : []),
      "--rep-seqs {sequences} | --table {hashed} --tree {tree}",
      "--metadata {otherMetadata} | --split-by plot",
      "--rarefy-depth 60",
      "--rarefy-seed 9 | --rarefy-depth 60",
      "--train-samples {fewSamples} | --train-samples {samples} --val-samples {others}",
      ...(command === "lr-finder"
        ? []
        : ["--val-samples {fewOthers} | --train-samples {samples} --val-samples {others}"]),
      ...(command === "train" ? [] : ["--metric weighted_normalized"]),
      "--config {settings}",
      "--threads 2",
      "--quiet",
      "--json",
    ],
  },
  {
    command,
    given: `--table {table} --rarefy-depth none ${training} ${more} --metadata {metadata}`,
    options:
      command === "train"
        ? []
        : [
            "--distances {weighted} | --distances {distances}",
            "--unifrac-matrix {weighted}",
            "--distance-ids {order} | --distances {square} --distance-ids table",
          ],
  },
  {
    command,
    given: `${training} ${more}`,
    options: ["--dataset {dataset}"],
  },
  {
    command,
    given: `--dataset {dataset} ${transformer} ${more}`,
    options: ["--layers 3", "--heads 2"],
  },
]);

const firstRun = "--table {table} --tree {tree} --rarefy-depth none --batch-size 8 --max-steps 2";
const runFlags: OptionRows[] = [
  { command: "train.ts", given: `${firstRun} --threads 1` },
  { command: "pretrain", given: `--dataset {dataset} ${training} ${brief}` },
  { command: "train", given: `--dataset {dataset} ${training} ${brief} --metadata-column depth` },
].flatMap(({ command, given }) => {
  const line = given.replace(" --output {out}", "").replace(" --no-plots", "");
  return [
    { command, given: `${line} --no-plots`, options: ["--output {out}", "--output-dir {out}"] },
    {
      command,
      given: `${line} --output {out}`,
      options: ["--no-plots", "--deterministic"],
    },
  ];
});

export const optionRows: readonly OptionRows[] = [
  ...ofTrainings,
  ...runFlags,
  {
    command: "train.ts",
    given: `${firstRun} --threads 1 --no-plots --output {out}`,
    options: [
      "--table {otherTable}",
      "--tree {otherTree}",
      "--rep-seqs {sequences} | --table {hashed}",
      "--rarefy-depth 60",
      "--encoder aam | --embedding-dim 8 --attention-heads 2",
      "--codes transformer | --embedding-dim 8 --attention-heads 2",
      "--code-dim 16",
      "--words 4",
      "--unifrac-metric weighted_normalized",
      "--metric weighted_normalized",
      "--epochs 1",
      "--max-steps 1",
      "--max-minutes 1e-9",
      "--batch-size 4",
      "--lr 0.1",
      "--seed 7",
      "--start-from builtin",
      "--config {settings}",
      "--threads 2",
      "--quiet",
      "--json",
    ],
  },
  {
    command: "train.ts",
    given: `${firstRun} --threads 1 --no-plots --output {out} --encoder aam --embedding-dim 8`,
    options: [
      "--embedding-dim 16",
      "--attention-layers 3",
      "--layers 3",
      "--attention-heads 2",
      "--heads 2",
      "--token-limit 4",
      "--preset seed",
    ],
  },
  {
    command: "pretrain",
    given: `--dataset {dataset} --batch-size 8 --threads 1 --output {out} ${brief}`,
    options: ["--start-from builtin"],
  },
  ...["pretrain", "train"].map((command) => ({
    command,
    given: `--dataset {dataset} ${transformer} ${brief}${command === "train" ? " --metadata-column depth" : ""}`,
    options: ["--preset seed"],
  })),
  {
    command: "lr-finder",
    given: `--dataset {dataset} ${training} --steps 10`,
    options: ["--from 0.01", "--to 0.1", "--steps 11", "--output {out}2"],
  },
  ...["pretrain", "train"].flatMap((command) => {
    const given = `--dataset {dataset} ${brief}${command === "train" ? " --metadata-column depth" : ""}`;
    const small = `${given} ${transformer}`.replace(" --batch-size 8", "");
    const found = "--auto-batch-size --target-effective-batch-size 6";
    return [
      { command, given: small, options: ["--auto-batch-size"] },
      { command, given: `${small} ${found}`, options: ["--target-effective-batch-size 4"] },
      { command, given: `${small} ${found}`, options: ["--max-memory-fraction 1e-9"], ends: 1 },
      { command, given: `${given} ${training}`, options: ["--tf32", "--shard-optimizer"], ends: 1 },
      { command, given: `${given} ${training} --config {wild}`, options: ["--debug-nan"], ends: 1 },
    ];
  }),
  {
    command: "train.ts",
    given: `${firstRun} --threads 1 --no-plots --output {out} --config {wild}`,
    options: ["--debug-nan"],
    ends: 1,
  },
  {
    command: "pretrain",
    given: "--output {begun:encoder} --no-plots --threads 1",
    options: ["--resume | --epochs 2"],
  },
  {
    command: "train",
    given: "--output {begun:run} --no-plots --threads 1",
    options: ["--resume | --epochs 2"],
  },
  {
    command: "train.ts",
    given: "--output {begun:encoder} --no-plots --threads 1",
    options: ["--resume | --epochs 2"],
  },
  {
    command: "train",
    given: `--table {table} --tree {tree} --metadata {metadata} --rarefy-depth none ${transformer} ${brief} --metadata-column depth`,
    options: [
      "--tree {otherTree}",
      "--distance-storage per-batch",
      "--unifrac-metric weighted_normalized",
      "--metric weighted_normalized",
      "--classifier",
    ],
  },
  {
    command: "train",
    given: `--table {table} --metadata {metadata} --rarefy-depth none ${transformer} ${brief} --metadata-column depth`,
    options: [
      "--distances {weighted} | --distances {distances}",
      "--unifrac-matrix {weighted}",
      "--distance-ids {order} | --distances {square} --distance-ids table",
    ],
  },
  {
    command: "train",
    given: `--dataset {dataset} ${transformer} ${brief} --metadata-column depth --config {classes-settings}`,
    options: ["--no-classifier"],
  },
  ...["pretrain", "lr-finder"].map((command) => ({
    command,
    given: `${files} ${transformer} ${command === "pretrain" ? brief : "--steps 10"}`,
    options: ["--distance-storage per-batch"],
  })),
  { command: "lr-finder", given: `--dataset {dataset} ${training} --steps 10`, options: ["--tf32"], ends: 1 },
  {
    command: "cross-validate",
    given:
      "--dataset {dataset} --metadata-column depth --predictor ridge --folds 3 --inner-folds 2 --output {begun:folds}",
    options: ["--resume"],
  },
  {
    command: "unifrac",
    given: "--table {fewTable} --tree {tree} --output {out}.tsv",
    options: ["--against {oldTable}", "--bootstrap"],
  },
  { command: "unifrac", given: "--output {out}.npy", options: ["--merge {part}"] },
  { command: "doctor", given: "", options: ["--json"] },
  { command: "aam", given: "", options: ["--version"] },
  { command: "convert", given: "{classifier} {out}.safetensors", options: ["--classes x,y,z"] },
  { command: "parity", given: "--python {python}", options: ["--against-python"] },
  {
    command: "parity",
    given: "--against-python --python {python}",
    options: ["--python {otherPython}", "--seed 3", "--models 2"],
  },
  {
    command: "cross-validate",
    given:
      "--table {table} --metadata {metadata} --rarefy-depth none --metadata-column depth --predictor ridge " +
      "--folds 3 --inner-folds 2 --n-estimators 3 --workers 1 --output {out}",
    options: [
      "--table {otherTable}",
      "--tree {tree}",
      "--rep-seqs {sequences} | --table {hashed}",
      "--metadata {otherMetadata}",
      "--rarefy-depth 60",
      "--metadata-column ph",
      "--classifier | --metadata-column site",
      "--no-classifier",
      "--predictor forest",
      "--encoder builtin | --predictor encoder",
      "--inner-folds 3",
      "--n-estimators 4 | --predictor forest",
      "--folds 4",
      "--repeats 2",
      "--split-by plot",
      "--stratify site",
      "--leave-out plot",
      "--seed 9",
      "--coverage 0.5",
      "--learning-curve 0.6",
      "--no-reasons",
      "--taxonomy {taxonomy}",
      "--output {out}2",
      "--quiet",
      "--json",
    ],
  },
  {
    command: "cross-validate",
    given: "--metadata-column depth --predictor ridge --folds 3 --inner-folds 2 --workers 1 --output {out}",
    options: ["--dataset {dataset}"],
  },
  {
    command: "report",
    given: "{run} --output {out}.html --no-baselines",
    options: ["--output {out}2.html", "--colour plot", "--metadata {batches}", "--quiet"],
  },
  {
    command: "predict",
    given: "--model {run} --table {table} --output {out}.tsv --threads 1",
    options: [
      "--rep-seqs {sequences} | --table {hashed}",
      "--threads 2",
      "--asv-sampling random | --model {shortRun}",
      "--prediction-passes 3 | --model {shortRun} --asv-sampling random",
      "--output-variance | --model {shortRun} --asv-sampling random --prediction-passes 3",
      "--probabilities {out}-p.tsv | --model {classes}",
    ],
  },
  {
    command: "embed",
    given: "--model {encoder} --table {table} --output {out}.tsv --threads 1",
    options: ["--rep-seqs {sequences} | --table {hashed}", "--threads 2", "--positions {out}-p.tsv"],
  },
  {
    command: "evaluate",
    given: "--model {run} --table {table} --metadata {metadata} --threads 1",
    options: ["--rep-seqs {sequences} | --table {hashed}", "--threads 2"],
  },
  { command: "evaluate", given: "--model {encoder} --table {table}", options: ["--tree {tree}"] },
  {
    command: "convert",
    given: "{bareEncoder} {out}.safetensors",
    options: ["--heads 2", "--activation relu", "--config {oneHead}"],
  },
  {
    command: "convert",
    given: "{bareEncoder}",
    options: ["--output {out}.safetensors"],
  },
  { command: "convert", given: "--output {out}.safetensors", options: ["--input {bareEncoder}"] },
  { command: "convert", given: "{predictor} {out}.safetensors", options: ["--targets age"] },
  { command: "convert", given: "{encoder} {out}.pt", options: ["--bare"] },
  { command: "parity", given: "--case {parityCase}", options: ["--brief"] },
  { command: "parity", given: "--brief", options: ["--case {parityCase}", "--cases {parityCases}"] },
  {
    command: "prep",
    given: "--table {table} --tree {tree}",
    options: ["--output {out}", "--rep-seqs {sequences} | --table {hashed} --output {out}"],
  },
  {
    command: "prep",
    given: "--table {table} --distances {square} --output {out}",
    options: ["--distance-ids {order} | --distance-ids table"],
  },
  {
    command: "unifrac",
    given: "--table {table} --tree {tree} --output {out}.tsv",
    options: ["--rep-seqs {sequences} | --table {hashed}", "--rarefactions 3 | --rarefy-depth 60"],
  },
  { command: "simulate", given: "--samples 6 --asvs 10 --richness 5", options: ["--output {out}"] },
  ...["permanova", "anosim"].map((command) => ({ command, given: distances, options: ["--pairwise"] })),
  ...["mantel", "procrustes"].map((command) => ({
    command,
    given: "{square} {distances} --permutations 19",
    options: ["--table {table}"],
  })),
  ...["mantel", "procrustes"].map((command) => ({
    command,
    given: "{fewDistances} {distances} --permutations 19",
    options: ["--intersect-ids"],
  })),
  {
    command: "rf-baseline",
    given: "--n-estimators 5 --quiet",
    options: [
      "--run {run}",
      "--rep-seqs {sequences} | --table {hashed} --metadata {metadata} --metadata-column depth --output {out}.tsv " +
        "--train-samples {samples} --val-samples {others}",
    ],
  },
  { command: "info", given: "{table}", options: ["--json", "--taxonomy {taxonomy}"] },
  {
    command: "simulate",
    given: "--output {out} --samples 6 --asvs 10 --richness 5 --depth 50",
    options: [
      "--samples 7",
      "--asvs 12",
      "--depth 60",
      "--richness 4",
      "--length 40",
      "--vary-length",
      "--seed 9",
      "--parts 2",
    ],
  },
  {
    command: "prep",
    given: "--table {table} --tree {tree} --output {out}",
    options: [
      "--table {otherTable}",
      "--tree {otherTree}",
      "--metadata {metadata}",
      "--metric faith_pd",
      "--distances {weighted}",
      "--distance-storage per-batch",
      "--alpha 0.3 | --metric generalized",
      "--variance-adjusted | --metric weighted_normalized",
      "--rarefy-depth 60",
      "--with-replacement | --rarefy-depth 60",
      "--seed 9 | --rarefy-depth 60",
      "--precision float64",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "unifrac",
    given: "--table {table} --tree {tree} --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--tree {otherTree}",
      "--output {out}.npy",
      "--midpoint-root | --tree {unrooted}",
      "--rows 0:4 | --output {out}.h5",
      "--pairs 5",
      "--metric weighted_normalized",
      "--alpha 0.3 | --metric generalized",
      "--variance-adjusted | --metric weighted_normalized",
      "--bypass-tips",
      "--absolute | --metric weighted_unnormalized",
      "--rarefy-depth 60",
      "--with-replacement | --rarefy-depth 60",
      "--seed 9 | --rarefy-depth 60",
      "--precision float64",
      "--threads 1 | --threads 2",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "table filter",
    given: "--table {table} --output {out}.tsv",
    options: [
      "--table {otherTable} | --min-count 5",
      "--output {out}.biom | --min-count 5",
      "--min-depth 380 | --table {otherTable}",
      "--max-depth 380 | --table {unevenTable}",
      "--min-richness 9",
      "--max-richness 8",
      "--samples {samples}",
      "--exclude-samples {samples}",
      "--where ph>6.5 --metadata {metadata}",
      "--metadata {otherMetadata} | --where ph>6.5 --metadata {metadata}",
      "--min-count 200",
      "--min-samples 5",
      "--min-prevalence 0.5",
      "--asvs {asvs}",
      "--exclude-asvs {asvs}",
      "--include Firmicutes --taxonomy {taxonomy}",
      "--exclude Firmicutes --taxonomy {taxonomy}",
      "--taxonomy {otherTaxonomy} | --taxonomy {taxonomy} --include Firmicutes",
      "--json | --min-count 5",
      "--quiet | --min-count 5",
    ],
  },
  {
    command: "table merge",
    given: "--table {table} --table {otherTable} --overlap-method sum --output {out}.tsv",
    options: [
      "--overlap-method average",
      "--output {out}.biom",
      "--table {unevenTable}",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "table collapse",
    given: "--table {table} --taxonomy {taxonomy} --level 1 --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--taxonomy {otherTaxonomy} | --level 2",
      "--level 2",
      "--output {out}.biom",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "table subsample",
    given: "--table {table} --depth 50 --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--depth 60",
      "--seed 4",
      "--with-replacement",
      "--output {out}.biom",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "table subsample",
    given: "--table {table} --output {out}.tsv",
    options: ["--samples 5", "--asvs 9"],
  },
  {
    command: "beta",
    given: "--table {table} --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--output {out}.npy",
      "--metric jaccard",
      "--rarefy-depth 60",
      "--seed 4 | --rarefy-depth 60",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "pcoa",
    given: "--distances {distances} --output {out}.tsv",
    options: [
      "--distances {weighted}",
      "--output {out}2.tsv",
      "--dimensions 2",
      "--method fsvd",
      "--seed 4 | --method fsvd --dimensions 2",
      "--plot {out}.svg",
      "--color-by site --metadata {metadata} | --plot {out}.svg",
      "--metadata {otherMetadata} | --plot {out}.svg --metadata {metadata} --color-by site",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "pcoa",
    given: "--table {table} --metric braycurtis --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--tree {tree} | --metric unweighted",
      "--metric jaccard",
      "--rarefy-depth 60",
    ],
  },
  { command: "permanova", given: distances, options: grouped },
  { command: "permanova", given: ofTable, options: groupedTable },
  { command: "anosim", given: distances, options: grouped },
  { command: "anosim", given: ofTable, options: groupedTable },
  {
    command: "mantel",
    given: "{distances} {weighted} --permutations 19",
    options: [
      "--method spearman",
      "--alternative greater",
      "--permutations 29",
      "--seed 4",
      "--plot {out}.svg",
      ...kept,
    ],
  },
  {
    command: "procrustes",
    given: "{distances} {rotated} --permutations 19",
    options: ["--dimensions 2", "--permutations 29", "--seed 4", "--plot {out}.svg", ...kept],
  },
  {
    command: "alpha",
    given: "--table {table} --output {out}.tsv",
    options: [
      "--table {otherTable}",
      "--output {out}2.tsv",
      "--tree {otherTree} | --tree {tree} --metric faith_pd",
      "--metric shannon",
      "--shannon-base 10 | --metric shannon",
      "--rarefy-depth 60",
      "--seed 4 | --rarefy-depth 60",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "rarefaction",
    given: "--table {table} --output {out}.tsv --repeats 2 --steps 3",
    options: [
      "--table {otherTable}",
      "--output {out}2.tsv",
      "--tree {otherTree} | --tree {tree} --metric faith_pd",
      "--metric shannon",
      "--max-depth 100",
      "--steps 4",
      "--repeats 3",
      "--seed 4",
      "--plot {out}.svg",
      "--group-by site --metadata {metadata} | --plot {out}.svg",
      "--metadata {otherMetadata} | --plot {out}.svg --metadata {metadata} --group-by site",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "predict",
    given: "--model {run} --table {table} --output {out}.tsv",
    options: [
      "--model {otherRun}",
      "--table {otherTable}",
      "--samples {samples}",
      "--rarefy-depth 60",
      "--metadata {otherMetadata} | --model {categorical} --metadata {metadata}",
      "--output {out}2.tsv",
      "--attention {out}-attention.tsv",
      "--taxonomy {taxonomy} | --attention {out}-attention.tsv",
      "--format csv",
      "--json",
      "--quiet",
    ],
  },
  ...["predict --output {out}.tsv", "embed --output {out}.tsv", "evaluate"].map((line) => {
    const [command, ...given] = line.split(" ");
    return { command, given: [...given, "--model {run}"].join(" "), options: ["--dataset {dataset}"] };
  }),
  {
    command: "embed",
    given: "--model {encoder} --table {table} --output {out}.tsv",
    options: [
      "--model {run}",
      "--table {otherTable}",
      "--samples {samples}",
      "--rarefy-depth 60",
      "--output {out}2.tsv",
      "--distances {out}-distances.tsv",
      "--asvs {out}-asvs.tsv",
      "--attention {out}-attention.tsv",
      "--taxonomy {taxonomy} | --asvs {out}-asvs.tsv",
      "--format csv",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "evaluate",
    given: "--model {run} --table {table} --metadata {metadata}",
    options: [
      "--model {otherRun}",
      "--table {otherTable}",
      "--samples {samples}",
      "--rarefy-depth 60",
      "--metadata {otherMetadata}",
      "--output {out}",
      "--json",
      "--quiet",
    ],
  },
  {
    command: "rf-baseline",
    given:
      "--table {table} --metadata {metadata} --metadata-column depth --output {out}.tsv --n-estimators 5 " +
      "--train-samples {samples} --val-samples {others}",
    options: [
      "--table {otherTable}",
      "--metadata {otherMetadata}",
      "--metadata-column ph",
      "--train-samples {fewSamples}",
      "--val-samples {fewOthers}",
      "--output {out}2.tsv",
      "--random-seed 9",
      "--n-estimators 6",
      "--max-features 2",
      "--json",
      "--quiet",
    ],
  },
];
