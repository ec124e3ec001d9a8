import { Command, Option } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import type { Tensor } from "../../src/torch/index.ts";
import { checkModel } from "../../src/training/config/checkModel.ts";
import { modelSchema } from "../../src/training/config/config.ts";
import { stackOperations } from "./flops.ts";
import { type Contestant, interleave, timed } from "./measure.ts";
import { printReport, type Row } from "./printReport.ts";

interface EncoderBenchFlags {
  table?: string;
  asvs: number;
  embeddingDim: number;
  layers: number;
  heads: number;
  threads?: number;
  device: "auto" | "cpu" | "cuda";
  rounds: number;
  json: boolean;
}

export function makeCommand(): Command {
  return new Command("encoder")
    .description(
      "The ASV encoder's forward and backward pass: floating-point operations per second against those of a plain product of matrices",
    )
    .option("--table <file>", "BIOM table whose ASVs are encoded; default: random ones of 100 bases")
    .option("--asvs <n>", "how many of them are encoded", positiveWholeNumber, 1024)
    .option("--embedding-dim <n>", "size of the embedding", positiveWholeNumber, 128)
    .option("--layers <n>", "transformer layers", positiveWholeNumber, 4)
    .option("--heads <n>", "attention heads of each", positiveWholeNumber, 4)
    .option(
      "--threads <n>",
      "CPU threads that one operation may use; all cores if not given",
      positiveWholeNumber,
    )
    .addOption(
      new Option("--device <name>", "where it computes, in the precision that training uses there")
        .choices(["auto", "cpu", "cuda"])
        .default("cpu"),
    )
    .option("--rounds <n>", "how often each part is measured after its first run", positiveWholeNumber, 9)
    .action(run);
}

/** Side of the square matrices that the machine's rate is taken from. */
const productSides = { cpu: 1536, cuda: 8192 } as const;

interface Pass {
  readonly name: string;
  readonly operations: number;
  readonly run: () => void;
}

async function run(flags: EncoderBenchFlags): Promise<void> {
  const torch = await import("../../src/torch/index.ts");
  const { AsvEncoder } = await import("../../src/models/asvEncoder.ts");
  const { precisionOn, withMixedPrecision } = await import("../../src/training/loop/mixedPrecision.ts");
  const { setMatmulPrecision } = await import("../../src/training/tasks/runTraining.ts");
  const device = await chooseDevice(flags.device);
  if (flags.threads) torch.setNumThreads(flags.threads);
  const asked = { mixedPrecision: "auto", tf32: null } as const;
  setMatmulPrecision(asked, device);
  const { mixedPrecision } = precisionOn(asked, device);
  const precisely = <T>(fn: () => T): T => withMixedPrecision(mixedPrecision, device, fn);
  torch.manualSeed(1);
  const { embeddingDim: dim, layers, heads } = flags;
  checkModel(modelSchema.parse({ embeddingDim: dim, attentionLayers: layers, attentionHeads: heads }));
  const tokens = (await asvTokens(flags)).to(device);
  const [count, length] = tokens.shape;
  const encoder = new AsvEncoder({ dim, layers, heads, dropout: 0, maxBp: length - 1 });
  encoder.to(device);
  const gradient = torch.randn([count, dim], { device });
  const request = { hasPadding: false };
  let output: Tensor | undefined;
  const productSide = productSides[device];
  const square = torch.randn([productSide, productSide], { device });
  const once = stackOperations(new Array<number>(count).fill(length), { dim, layers });
  const plain = (name: string, product: () => Tensor): Pass => ({
    name,
    operations: 2 * productSide ** 3,
    run: () => product().dispose(),
  });
  const products =
    device === "cpu"
      ? [
          plain("product, MKL", () => torch.mm(square, square)),
          plain("product, oneDNN", () => torch.ops.aamt.layer_product(square, square) as Tensor),
        ]
      : [plain("product", () => torch.mm(square, square))];
  const passes: Pass[] = [
    ...products,
    {
      name: "inference",
      operations: once,
      run: () => torch.inferenceMode(() => encoder.forward(tokens, request).embeddings.dispose()),
    },
    {
      name: "forward",
      operations: once,
      run: () => {
        output = torch.tidy(() => encoder.forward(tokens, request).embeddings);
      },
    },
    {
      name: "backward",
      operations: 2 * once,
      run: () => {
        output!.backward({ gradient });
        output!.dispose();
      },
    },
  ];
  const timings = await interleave(
    passes.map(({ name, run }): Contestant => {
      const whole = () => {
        precisely(run);
        torch.synchronize();
      };
      return { name, run: () => timed(whole) };
    }),
    flags.rounds,
  );
  const rates = passes.map(({ name, operations }) => operations / timings[name].medianSeconds);
  const best = Math.max(...rates.slice(0, products.length));
  const row = (name: string, operations: number, seconds: number): Row => ({
    what: name,
    ours: timings[name],
    facts: {
      GFLOP: operations / 1e9,
      "GFLOP/s": operations / seconds / 1e9,
      "share of the best product": operations / seconds / best,
    },
  });
  const both = timings["forward"].medianSeconds + timings["backward"].medianSeconds;
  printReport(
    "encoder",
    {
      asvs: count,
      tokens: length,
      dim,
      layers,
      heads,
      device,
      precision: mixedPrecision === "none" ? "float32" : mixedPrecision,
      threads: torch.getNumThreads(),
    },
    [
      ...passes.map(({ name, operations }) => row(name, operations, timings[name].medianSeconds)),
      row("forward and backward", 3 * once, both),
    ],
    flags.json,
  );
}

/** [U, L]: the sequences of a table, or random ones of 100 bases. All that count have the same length. */
async function asvTokens({ table, asvs }: EncoderBenchFlags): Promise<Tensor> {
  const torch = await import("../../src/torch/index.ts");
  const { startToken } = await import("../../src/common/tokens.ts");
  const { tokenizeAll } = await import("../../src/data/sequences/tokenizer.ts");
  if (table === undefined) {
    const start = torch.full([asvs, 1], startToken, { dtype: "int64" });
    return torch.cat([start, torch.randint(1, 5, [asvs, 100])], 1);
  }
  const { readTable } = await import("../../src/data/table/read.ts");
  const { resolveSequences } = await import("../../src/data/prepare/asvSequences.ts");
  const sequences = resolveSequences((await readTable(table)).asvIds, table);
  const { length } = sequences[0];
  const chosen = sequences.filter((one) => one.length === length).slice(0, asvs);
  const { values } = tokenizeAll(chosen);
  return torch.tensor(values, { shape: [chosen.length, length + 1], dtype: "int64" });
}
