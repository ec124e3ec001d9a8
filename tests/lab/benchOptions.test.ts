/**
 * What the options of `bench` do. Instead of the programs that it measures (bench.test.ts starts some) there
 * are stand-ins, which keep what they are told and answer at once; `data`, `encoder` and `unifrac` measure
 * small things in earnest.
 */
import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stackOperations } from "../../lab/bench/flops.ts";
import { Partner } from "../../lab/bench/partner.ts";
import * as pythonPartner from "../../lab/bench/pythonPartner.ts";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { writeNpy } from "../../src/formats/npy/npy.ts";
import * as torch from "../../src/torch/index.ts";
import { buildEncoder } from "../../src/training/config/buildModel.ts";
import { pretrainSchema } from "../../src/training/config/config.ts";
import { refusal, run, succeed } from "../helpers/commandLine.ts";
import { usePlainPlots } from "../helpers/plainPlots.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions, showsRows } from "../helpers/showsOptions.ts";

torch.setNumThreads(1);
usePlainPlots();
const scratch = useScratch();
let study: Study;
let other: Study;
let startPython: { mockRestore(): void };
afterAll(() => startPython.mockRestore());
beforeAll(async () => {
  startPython = spyOn(pythonPartner, "startPython").mockImplementation(
    (mode: string, config: object, reference = "plain") =>
      Partner.start("Python", [mode, JSON.stringify(config), reference]),
  );
  study = await makeStudy(scratch.path("study"), 12);
  other = await makeStudy(scratch.path("other"), 14);
});

const hash = (path: string) => Bun.hash(readFileSync(path)).toString();

/** Writes weights of the shape that the other side was asked for. */
function writeWeights(path: string, config: Record<string, number>): void {
  const { embedding_dim: embeddingDim, layers, heads, max_bp: maxBp, token_limit: tokenLimit } = config;
  const shape = pretrainSchema.parse({
    model: { embeddingDim, attentionLayers: layers, attentionHeads: heads, maxBp, tokenLimit },
  });
  torch.manualSeed(1);
  const model = buildEncoder(shape, { encoderType: "unifrac", predictNucleotides: true });
  torch.saveSafetensors(path, model.stateDict());
}

/**
 * What the sides of a benchmark are told, and what it prints. `isStarted`: end as soon as there
 * is something to measure.
 */
async function told(
  args: string[],
  isStarted = false,
): Promise<{ heard: string; out: string; error: string }> {
  const heard: unknown[] = [];
  const start = spyOn(Partner, "start").mockImplementation(async (name, command) => {
    const at = name === "Python" ? 1 : 2;
    const config = JSON.parse(command[at]);
    // Where data are prepared differs from call to call, what is in them must not.
    if (config.batches) config.batches = hash(config.batches);
    if (config.dataset)
      config.dataset = ["samples", "distances"].map((part) => hash(join(config.dataset, `${part}.arrow`)));
    heard.push({ name, config, more: name === "Python" ? [command[0], command[2]] : [] });
    const stand = {
      facts: {},
      peakBytes: () => 2 ** 20 * (config.samples?.[0]?.length ?? 1),
      ask: async (line: string) => {
        if (isStarted) throw Object.assign(new Error("enough"), { name: "UserError" });
        heard.push(line.replace(/\S*aam-bench-[^/]+/, ""));
        if (line.startsWith("kernels")) return { "fused layer": 3 };
        if (line.startsWith("save ")) writeWeights(line.slice(5), config);
        return { seconds: 0.5, memory: 2 ** 20, live_bytes: 2 ** 20, steps: 2, samples: 8, losses: [2, 1] };
      },
      [Symbol.asyncDispose]: async () => {},
    };
    return stand as unknown as Partner;
  });
  const summary = { "val.unifrac_r2": 0.5, "val.unifrac_mae": 0.1, "val.unifrac_pearson": 0.7, steps: 3 };
  const program = spyOn(Bun, "spawnSync").mockImplementation(((command: string[]) => {
    const folder = command[command.indexOf("--output") + 1];
    const data = command[command.indexOf("--dataset") + 1];
    heard.push(command.slice(3).map((word) => (word === folder || word === data ? "" : word)));
    mkdirSync(folder, { recursive: true });
    const figures = { ...summary, "train.samples_per_second": 9, samples: { validation: 3 } };
    writeFileSync(join(folder, "summary.json"), JSON.stringify(figures));
    return { exitCode: 0 };
  }) as unknown as typeof Bun.spawnSync);
  try {
    const { out, error } = await run("bench", ...args);
    return { heard: JSON.stringify(heard), out, error };
  } finally {
    start.mockRestore();
    program.mockRestore();
  }
}

const shape = "--embedding-dim 8 --layers 1 --heads 2 --token-limit 32 --max-bp 24 --threads 1".split(" ");
const dataset = () => ["--dataset", study.folder];
const shapeEffects = [
  ["--embedding-dim", "16"],
  ["--layers", "2"],
  ["--heads", "4"],
  ["--token-limit", "4"],
  ["--max-bp", "10"],
  ["--threads", "2"],
];
const trainingEffects = [["--gradient-checkpointing"], ["--mixed-precision", "bf16"]];

/** The subjects that compare two sides: what each needs for a short run, and what its own options may be. */
const subjects: [subject: string, brief: string[], own: string[][]][] = [
  [
    "step",
    ["--batch-size", "4", "--rounds", "1"],
    [
      ["--batch-size", "3"],
      ["--rounds", "2"],
      ["--nuc-share", "0.5"],
      ["--micro-batch", "2"],
      ["--no-partner"],
      ["--seed", "2"],
      ["--reference", "checkout"],
      ...trainingEffects,
    ],
  ],
  [
    "predict",
    ["--batch-size", "4", "--batches", "1", "--rounds", "1"],
    [
      ["--batch-size", "3"],
      ["--batches", "2"],
      ["--rounds", "2"],
      ["--reference", "checkout"],
    ],
  ],
  [
    "train",
    ["--batch-size", "4", "--minutes", "0.01"],
    [
      ["--batch-size", "3"],
      ["--minutes", "0.02"],
      ["--same-shape"],
      ["--reference", "checkout"],
      ["--mixed-precision", "bf16"],
    ],
  ],
  [
    "scaling",
    "--axes batch,samples,reference --batch-sizes 2,4 --samples 5,6 --reference-batch-sizes 2,3 --rounds 1".split(
      " ",
    ),
    [
      ["--axes", "batch"],
      ["--batch-sizes", "2,5"],
      ["--samples", "5,7"],
      ["--reference-batch-sizes", "2,4"],
      ["--rounds", "2"],
      ...trainingEffects,
    ],
  ],
];

showsOptions("bench train", "--gradient-checkpointing");
test("bench train has activations computed again where ours has transformers, and refuses it elsewhere", async () => {
  const command = ["train", ...dataset(), ...shape, "--batch-size", "4", "--minutes", "0.01"];
  const usual = await told([...command, "--same-shape"]);
  const again = await told([...command, "--same-shape", "--gradient-checkpointing"]);
  expect(usual.heard).not.toContain("--gradient-checkpointing");
  expect(again.heard).toContain("--gradient-checkpointing");
  const error = await refusal("bench", ...command, "--gradient-checkpointing");
  expect(error).toContain("add --same-shape, or leave it out");
});

describe.each(subjects)("bench %s", (subject, brief, own) => {
  // What `step` does with answers takes longer than all else, and bench.test.ts looks at it.
  const heard = async (...options: string[]) => {
    const data = options.includes("--dataset") ? [] : dataset();
    const { heard: all, error } = await told(
      [subject, ...data, ...shape, ...brief, ...options],
      subject === "step",
    );
    expect({ options, error }).toEqual({ options, error: subject === "step" ? "Error: enough\n" : "" });
    return all;
  };
  let usual: string;
  beforeAll(async () => {
    usual = await heard();
  });

  test("tells both sides the same for the same options", async () => {
    expect(JSON.parse(usual).length).toBeGreaterThan(1);
    expect(await heard()).toBe(usual);
  });

  showsRows(
    `bench ${subject}`,
    [...shapeEffects, ...own].map(([flag]) => [flag]),
  );
  test.each([...shapeEffects, ...own].map((option) => [option.join(" "), option] as const))(
    "tells them something else with %s",
    async (_text, option) => {
      expect(await heard(...option)).not.toBe(usual);
    },
  );

  showsOptions(["bench step", "bench train", "bench predict", "bench scaling"], "--dataset --table --tree");
  test("takes --dataset, or --table with --tree", async () => {
    expect(await heard("--dataset", other.folder)).not.toBe(usual);
    const from = async (table: string, tree: string) =>
      (await told([subject, "--table", table, "--tree", tree, ...shape, ...brief], subject === "step")).heard;
    const star = scratch.write(
      "star.nwk",
      `(${Array.from({ length: study.dataset.asvCount }, (_, i) => `${study.dataset.asvId(i)}:1`)});`,
    );
    const texts = [
      await from(study.table, study.tree),
      await from(other.table, other.tree),
      await from(study.table, star),
    ];
    expect(new Set(texts).size).toBe(3);
    const without = await told([subject, "--table", study.table]);
    expect(without.error).toContain("--table and --tree go together");
  });
});

showsOptions(["bench train", "bench predict", "bench scaling"], "--json");
test("bench predict, train and scaling print tables, or one JSON object with --json", async () => {
  for (const [subject, brief] of subjects.slice(1)) {
    const args = [subject, ...dataset(), ...shape, ...brief];
    const [text, json] = [(await told(args)).out, (await told([...args, "--json"])).out];
    expect(text).toStartWith(`${subject}: data ${study.folder}`);
    expect(JSON.parse(json)).toMatchObject({ subject });
  }
});

showsOptions("bench scaling", "--richness --dims --memory --output");
test("bench scaling: --richness and --dims are further axes, --memory is what batches must fit in, --output gets plots", async () => {
  const args = ["scaling", ...dataset(), ...shape, "--rounds", "1", "--json", "--axes"];
  const heard = async (...options: string[]) => (await told([...args, ...options])).heard;
  for (const [axis, option] of [
    ["richness", "--richness"],
    ["dim", "--dims"],
  ])
    expect(await heard(axis, option, "4")).not.toBe(await heard(axis, option, "8"));
  const batch = ["batch", "--batch-sizes", "2,4"];
  const limits = async (memory: string) =>
    JSON.parse((await told([...args, ...batch, "--memory", memory])).out).limits as Record<string, unknown>;
  expect((await limits("20"))["ours_is_all"]).toBe(true);
  expect((await limits("0.004"))["ours_is_all"]).toBe(false);
  const plots = scratch.path("plots");
  await told([...args, ...batch, "--output", plots]);
  expect(readdirSync(plots)).toContain("scaling-batch-time.svg");
});

showsOptions("bench scaling", "--from");
test("bench scaling --from prints reports that are there instead of measuring", async () => {
  const args = ["scaling", ...dataset(), ...shape, "--rounds", "1", "--json", "--axes"];
  const reports = [
    await told([...args, "batch", "--batch-sizes", "2,4"]),
    await told([...args, "samples", "--samples", "5"]),
  ].map(({ out }, i) => scratch.write(`report-${i}.json`, out));
  const { heard, out } = await told(["scaling", "--json", "--from", ...reports]);
  expect(heard).toBe("[]");
  expect(JSON.parse(out).axes.map(({ name }: { name: string }) => name)).toEqual(["batch", "samples"]);
});

showsOptions("bench ops", "--javascript");
test("bench ops --javascript: libraries that are installed take part, others are told", async () => {
  const facts: Record<string, Record<string, unknown>> = {
    Python: { torch: "?" },
    tfjs: { version: "4", backend: "wasm", names: ["add"], refused: { gpt: "no kernel" } },
    "jax-js": { missing: "not installed in node" },
  };
  const asked: string[] = [];
  const start = spyOn(Partner, "start").mockImplementation(async (name, command) => {
    if (name !== "Python") expect(command).toContain("node");
    const ask = async () => {
      asked.push(name);
      return { median_ns: 1e9 };
    };
    return { facts: facts[name], ask, [Symbol.asyncDispose]: async () => {} } as unknown as Partner;
  });
  try {
    const args = ["bench", "ops", "--only", "add", "--rounds", "2"];
    const [add] = JSON.parse((await run(...args, "--javascript", "node", "--json")).out).ops;
    expect(add.javascript["jax-js"]).toEqual({ missing: "not installed" });
    expect(add.javascript.tfjs.ns).toBe(1e9);
    expect(add.javascript.tfjs.ratio).toBeLessThan(0.1);
    expect(asked.includes("jax-js")).toBe(false);
    const text = await succeed(...args, "--javascript", "node");
    expect(text).toContain("tfjs cannot gpt: no kernel");
    expect(text).toContain("jax-js: not installed in node");
    expect(await succeed(...args)).toContain("TensorFlow.js and jax-js: not measured");
  } finally {
    start.mockRestore();
  }
});

showsOptions("bench ops", "--only --rounds --threads --json");
test("bench ops: --only, --rounds and --threads", async () => {
  const asks: string[] = [];
  const configs: object[] = [];
  const start = spyOn(Partner, "start").mockImplementation(async (_name, command) => {
    configs.push(JSON.parse(command[1]));
    const ask = async (line: string) => {
      asks.push(line);
      return { median_ns: 1000 };
    };
    return { facts: { torch: "?" }, ask, [Symbol.asyncDispose]: async () => {} } as unknown as Partner;
  });
  try {
    const measured = await run("bench", "ops", "--only", "add", "--rounds", "2", "--threads", "2", "--json");
    expect(JSON.parse(measured.out).ops.map(({ name }: { name: string }) => name)).toEqual(["add"]);
    expect([measured.threads, configs]).toEqual([2, [{ threads: 2, device: "cpu" }]]);
    const few = asks.length;
    const text = await succeed("bench", "ops", "--only", "add", "--rounds", "5");
    expect((asks.length - few) / few).toBe(5 / 2);
    expect(text).toContain("1 thread(s)");
    expect(await refusal("bench", "ops", "--only", "nothing")).toContain('no line "nothing"');
  } finally {
    start.mockRestore();
  }
});

const encoderRows: [option: string, ...values: string[]][] = [
  ["--asvs", "4"],
  ["--embedding-dim", "16"],
  ["--layers", "2"],
  ["--rounds", "2"],
  ["--threads", "2"],
  ["--table", "table"],
  ["--heads", "3"],
  ["--json"],
];
showsRows("bench encoder", encoderRows);
test.each(encoderRows.map((row) => [row] as const))(
  "bench encoder: %p changes what is computed, or how often",
  async ([option, ...values]) => {
    const brief = "--asvs 3 --embedding-dim 8 --layers 1 --heads 2 --rounds 1 --threads 1".split(" ");
    const outcome = async (...words: string[]) => {
      const { code, out, error, threads } = await run("bench", "encoder", ...brief, ...words);
      if (!out.startsWith("{")) return { code, threads, error };
      const { facts, ours } = JSON.parse(out).rows.find(({ what }: { what: string }) => what === "forward");
      return { code, threads, error, work: facts.GFLOP, rounds: ours.rounds };
    };
    const words = [option, ...values.map((value) => (value === "table" ? study.table : value))];
    const usual = option === "--json" ? [] : ["--json"];
    const changed = await outcome(...usual, ...words);
    // Heads are told by what they must divide.
    expect([changed.code, changed.error === ""]).toEqual(option === "--heads" ? [1, false] : [0, true]);
    expect(changed).not.toEqual(await outcome(...usual));
  },
);

test("bench encoder: each option changes what is computed, and how often", async () => {
  const command = ["bench", "encoder", "--heads", "2"];
  const measured = async (options: string) => {
    const { out, threads } = await run(...command, ...options.split(" "), "--json");
    const { facts, ours } = JSON.parse(out).rows.find(({ what }: { what: string }) => what === "forward");
    return { work: facts.GFLOP, rounds: ours.rounds, threads };
  };
  const work = (asvs: number, tokens: number, sizes: { dim: number; layers: number }) =>
    stackOperations(new Array<number>(asvs).fill(tokens), sizes) / 1e9;
  const [usual, other] = [
    await measured("--asvs 3 --embedding-dim 8 --layers 1 --rounds 1 --threads 1"),
    await measured("--asvs 4 --embedding-dim 16 --layers 2 --rounds 2 --threads 2"),
  ];
  expect(usual).toEqual({ work: work(3, 101, { dim: 8, layers: 1 }), rounds: 1, threads: 1 });
  expect(other).toEqual({ work: work(4, 101, { dim: 16, layers: 2 }), rounds: 2, threads: 2 });
  const brief = ["--asvs", "5", "--embedding-dim", "8", "--layers", "1", "--rounds", "1"];
  const text = await succeed(...command, ...brief, "--table", study.table);
  const ofTable = work(5, study.dataset.manifest.counts.longestAsv, { dim: 8, layers: 1 });
  expect(text).toContain(`, GFLOP ${Number(ofTable.toPrecision(3))},`);
  expect(await refusal(...command, ...brief, "--heads", "3")).toContain("3 attention heads do not divide");
});

showsOptions(
  "bench data",
  "--table --tree --samples --tips --batch-size --pcoa-samples --rounds --python --json",
);
test("bench data: each option changes what is read, opened or made, and how often", async () => {
  // Instead of Python: has every module, and is quick.
  const python = scratch.write(
    "python",
    '#!/bin/sh\n[ "$1" = -c ] && exit 0\nwhile read job; do echo \'{"seconds": 0.5}\'; done\n',
  );
  chmodSync(python, 0o755);
  const none = scratch.write("none", "#!/bin/sh\nexit 1\n");
  chmodSync(none, 0o755);
  const files = ["--table", study.table, "--tree", study.tree];
  const brief = [
    "bench",
    "data",
    "--samples",
    "9",
    "--tips",
    "20",
    "--rounds",
    "1",
    "--batch-size",
    "2",
    "--pcoa-samples",
    "30",
    "--python",
    python,
  ];
  const report = JSON.parse(await succeed(...brief, ...files, "--json"));
  const rows = report.rows as {
    what: string;
    ours: { rounds: number };
    theirs?: { medianSeconds: number };
  }[];
  expect(rows.map(({ what }) => what)).toEqual([
    "read a table",
    "read a tree",
    "read a tree of 20 tips",
    "10 axes of 30 samples' distances",
    "open a data set of 9 samples",
    "open a data set of 9 samples, for the first time in a process",
    // The last would be of one sample.
    "4 batches of 2, made in this thread",
    "4 batches of 2, made in a worker",
  ]);
  expect(rows.map(({ ours }) => ours.rounds)).toEqual(rows.map(() => 1));
  expect(rows.slice(0, 2).map(({ theirs }) => theirs?.medianSeconds)).toEqual([0.5, 0.5]);
  const other = ["--samples", "12", "--tips", "30", "--rounds", "2", "--batch-size", "3"];
  other.push("--pcoa-samples", "40");
  const text = await succeed(...brief, ...files, ...other);
  for (const part of [
    "read a tree of 30 tips",
    "10 axes of 40 samples' distances",
    "open a data set of 12 samples",
    "4 batches of 3, made in a worker",
  ])
    expect(text).toContain(part);
  for (const option of ["--table", "--tree"])
    expect(await refusal(...brief, ...files, option, "nowhere")).toContain("nowhere");
  expect(await refusal(...brief, ...files, "--python", none)).toContain(`${none} is no Python that has biom`);
});

describe("bench unifrac", () => {
  let wholeMatrix: string;
  beforeAll(async () => {
    wholeMatrix = scratch.path("whole.h5");
    await succeed("unifrac", "--table", study.table, "--tree", study.tree, "--output", wholeMatrix);
  });
  /**
   * What the programs are told, and the report; stand-ins write matrices, of `few` samples for scikit-bio.
   */
  const measured = async (options: string[], few = 4) => {
    const heard: unknown[] = [];
    const which = spyOn(Bun, "which").mockImplementation(() => "ssu");
    const spawn = spyOn(Bun, "spawnSync").mockImplementation(((
      command: string[],
      { env }: { env?: Record<string, string> },
    ) => {
      const output = command.findLast((word) => /\.(h5|npy)$/.test(word));
      if (output?.endsWith(".h5")) copyFileSync(wholeMatrix, output);
      else if (output) writeNpy(output, new Float32Array(few * few), [few, few]);
      heard.push([...command.filter((word) => !word.includes("aam-bench-")), env?.["OMP_NUM_THREADS"]]);
      return { exitCode: 0 };
    }) as unknown as typeof Bun.spawnSync);
    try {
      const files = ["--table", study.table, "--tree", study.tree];
      const brief = [
        "--metrics",
        "unweighted",
        "--rounds",
        "1",
        "--threads",
        "1",
        "--batch-size",
        "5",
        "--skbio-samples",
        "4",
      ];
      const given = [...files, ...brief];
      // What is given again would be one too many.
      for (const option of options) if (given.includes(option)) given.splice(given.indexOf(option), 2);
      const { out, error } = await run("bench", "unifrac", ...given, ...options);
      expect({ options, error }).toEqual({ options, error: "" });
      return { heard: JSON.stringify(heard), out };
    } finally {
      which.mockRestore();
      spawn.mockRestore();
    }
  };

  /** What the programs are told, and what is measured; null where that is no JSON. */
  const outcome = async (options: string[]) => {
    const { heard, out } = await measured(options);
    const rows: { what: string }[] | null = out.startsWith("{") ? JSON.parse(out).rows : null;
    return { heard, measured: rows?.map(({ what }) => what) ?? null };
  };
  const rows: [option: string, ...values: string[]][] = [
    ["--metrics", "generalized"],
    ["--rounds", "2"],
    ["--threads", "2"],
    ["--python", "another"],
    ["--tree", "other"],
    ["--batch-size", "3"],
    ["--json"],
  ];
  showsRows("bench unifrac", rows);
  test.each(rows.map((row) => [row] as const))(
    "%p changes what the programs are told, or what is measured",
    async ([option, ...values]) => {
      const words = [option, ...values.map((value) => (value === "other" ? other.tree : value))];
      const json = option === "--json" ? [] : ["--json"];
      const usual = await outcome(json);
      expect(await outcome(json)).toEqual(usual);
      expect(await outcome([...words, ...json])).not.toEqual(usual);
    },
  );

  showsOptions("bench unifrac", "--table --skbio-samples");
  test("--table, --batch-size and --skbio-samples decide what is computed", async () => {
    const rows = async (options: string[], few?: number) =>
      JSON.parse((await measured([...options, "--json"], few)).out) as {
        settings: { samples: number };
        rows: { what: string }[];
      };
    const usual = await rows([]);
    expect(usual.settings.samples).toBe(12);
    expect(usual.rows.map(({ what }) => what)).toEqual([
      "unweighted, 12 samples, float32",
      "unweighted, 4 samples",
      "unweighted, a batch of 5 in memory",
    ]);
    const changed = await rows(["--batch-size", "3", "--skbio-samples", "6"], 6);
    expect(changed.rows.map(({ what }) => what).slice(1)).toEqual([
      "unweighted, 6 samples",
      "unweighted, a batch of 3 in memory",
    ]);
    const error = await refusal("bench", "unifrac", "--table", study.table);
    expect(error).toContain("--table and --tree go together");
    expect(await refusal("bench", "unifrac", "--table", "nowhere", "--tree", study.tree)).toContain(
      "nowhere",
    );
  });
});
