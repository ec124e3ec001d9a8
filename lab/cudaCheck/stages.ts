/** Where and how large everything is run. */
export interface CheckOptions {
  readonly device: "cuda" | "cpu";
  /** Fewer and smaller measurements. */
  readonly quick: boolean;
  /** A folder of parity cases besides the repository's own. */
  readonly parity?: string;
  /** A study for the benchmarks; simulated ones otherwise. */
  readonly table?: string;
  readonly tree?: string;
}

/** What a stage said, and how it ended. */
export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One program that is run; it passes if it ends with 0 and `figures` finds nothing wrong. */
export interface Stage {
  readonly name: string;
  /** Arguments of Bun. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What the report tells of it. @throws Error with what is missing. */
  readonly figures: (output: Output) => unknown;
}

/** The tests of numbers that compute on AAM_TEST_DEVICE. */
export const deviceTests = [
  "tests/torch/parity/operators.test.ts",
  "tests/torch/parity/layers.test.ts",
  "tests/torch/parity/optimizers.test.ts",
  "tests/torch/gradcheck.test.ts",
  "tests/models/dedupEqualsDense.test.ts",
  "tests/models/sequencePredictor.test.ts",
  "tests/models/noHostReads.test.ts",
  "tests/models/finite.test.ts",
  "tests/reference/parity.test.ts",
  "tests/training/hostReads.test.ts",
];

/** The last line of JSON that a command printed. */
function lastJson({ out }: Output): unknown {
  const line = out.trim().split("\n").at(-1) ?? "";
  return JSON.parse(line);
}

/** The totals that `bun test` prints. @throws Error if no test ran. */
export function testTotals({ out, err }: Output): { passed: number; failed: number; skipped: number } {
  const text = `${out}\n${err}`;
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(text)?.[1] ?? 0);
  const totals = { passed: count("pass"), failed: count("fail"), skipped: count("skip") };
  if (totals.passed === 0) throw new Error("no test ran");
  return totals;
}

/** How many parity cases agreed. @throws Error if none was compared. */
export function parityTotals({ out }: Output): { passed: number; cases: number } {
  const found = /^(\d+) of (\d+) cases passed$/m.exec(out);
  if (!found || Number(found[2]) === 0) throw new Error("no case was compared");
  return { passed: Number(found[1]), cases: Number(found[2]) };
}

const aam = (...args: string[]) => ["scripts/aam.ts", ...args];

/** Comparisons with the numbers of the original AAM and of Python's torch. */
function parityStages({ device, quick, parity }: CheckOptions): Stage[] {
  const folders = [["fixtures", "tests/fixtures/parity"], ...(parity ? [["more", parity]] : [])];
  const models = quick || device === "cpu" ? 6 : 40;
  const stages = folders.map(([name, folder]): [string, string[]] => [name, ["--cases", folder]]);
  stages.push(["python", ["--against-python", "--models", String(models)]]);
  return stages.map(([name, args]) => ({
    name: `parity-${name}`,
    command: aam("parity", ...args, "--brief", "--device", device),
    figures: parityTotals,
  }));
}

function testStages({ device }: CheckOptions): Stage[] {
  return deviceTests.map((file) => ({
    name: `test-${file.replace(/^tests\/|\.test\.ts$/g, "").replaceAll("/", "-")}`,
    command: ["test", `./${file}`, "--timeout=300000"],
    env: { AAM_TEST_DEVICE: device },
    figures: testTotals,
  }));
}

/** Steps are measured with batches of three sizes; with `--quick` with the first alone. */
const stepNames = ["bench-step", "bench-step-larger", "bench-step-largest"];

/** Sizes of the benchmarks: on the CPU only to see that they run. */
function benchSizes({ device, quick }: CheckOptions) {
  const small = "--embedding-dim 16 --layers 1 --heads 2 --token-limit 32".split(" ");
  const sizes =
    device === "cpu"
      ? { shape: small, batches: [3, 4, 5], rounds: 1, minutes: 0.02, asvs: 32, opRounds: 3, samples: 20 }
      : { shape: [], batches: [8, 32, 128], rounds: 3, minutes: 2, asvs: 4096, opRounds: 31, samples: 100 };
  if (!quick) return sizes;
  return { ...sizes, batches: sizes.batches.slice(0, 1), minutes: Math.min(sizes.minutes, 0.3), opRounds: 3 };
}

function benchStages(options: CheckOptions): Stage[] {
  const { device } = options;
  const { shape, batches, rounds, minutes, asvs, opRounds, samples } = benchSizes(options);
  const data = options.table && options.tree ? ["--table", options.table, "--tree", options.tree] : [];
  const bench = (subject: string, ...args: string[]): Stage => ({
    name: `bench-${subject}`,
    command: aam("bench", subject, ...args, "--device", device, "--json"),
    figures: lastJson,
  });
  const encoderShape = shape.slice(0, 6);
  return [
    bench("ops", "--rounds", String(opRounds)),
    ...batches.map((size, i) => ({
      ...bench("step", "--batch-size", String(size), "--rounds", String(rounds), ...data, ...shape),
      name: stepNames[i],
    })),
    bench("train", "--minutes", String(minutes), ...data, ...shape),
    bench("predict", "--batches", "2", "--batch-size", "4", ...data, ...shape),
    bench("encoder", "--asvs", String(asvs), "--rounds", String(3 * rounds), ...encoderShape),
    bench("unifrac", "--rounds", String(rounds), "--skbio-samples", String(samples), ...data),
  ];
}

/** Everything that is checked, in order. */
export function stagesOf(options: CheckOptions): Stage[] {
  const build: Stage = { name: "build", command: ["src/torch/tools/nativeProbe.ts"], figures: lastJson };
  return [build, ...parityStages(options), ...testStages(options), ...benchStages(options)];
}
