import { expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import { faithPd, shearTree, type UniFracMetric, uniFracOfBatch } from "../../src/data/unifrac/index.ts";
import { pairwiseDistances } from "../../src/models/pairwiseDistances.ts";
import { denseToRagged, type RaggedBatch } from "../../src/models/raggedBatch.ts";
import { withEmptyRow } from "../../src/models/sampleSequenceEncoder.ts";
import { SetDistance } from "../../src/models/setDistance.ts";
import { SetEncoder, type SetEncoderOptions } from "../../src/models/setEncoder.ts";
import { SetPooling, setPoolings } from "../../src/models/setPooling.ts";
import { startFrom } from "../../src/models/setStart.ts";
import { readWordKinds } from "../../src/models/words/wordKinds.ts";
import { WordTable } from "../../src/models/words/wordTable.ts";
import * as torch from "../../src/torch/index.ts";
import { unifracLoss } from "../../src/training/objectives/losses.ts";
import { smallTransformer } from "../helpers/smallModels.ts";
import { tokenize } from "../helpers/tokenize.ts";
import { randomTree, tableOf } from "../helpers/uniFracTables.ts";

torch.setNumThreads(1);

const maxBp = 20;
const words = (kinds: string, buckets = 65536) =>
  new WordTable({ kinds: readWordKinds(kinds), maxBp, dim: 3, buckets });

/** The tokens of sequences, padded to the longest. */
function tokensOf(...sequences: string[]): torch.Tensor {
  const length = Math.max(...sequences.map((sequence) => sequence.length)) + 1;
  const rows = sequences.map((sequence) =>
    [...tokenize(sequence), ...new Array(length).fill(0)].slice(0, length),
  );
  return torch.tensor(rows, { dtype: "int64" });
}

const setOptions = (options: Partial<SetEncoderOptions> = {}): SetEncoderOptions => ({
  source: "kmer",
  codes: 6,
  words: { kinds: [{ length: 3, stretch: 0 }], maxBp, dim: 4, buckets: 65536 },
  asv: { ...smallTransformer, maxBp, predictNucleotides: true },
  pooling: "union",
  distance: { kind: "tanimoto" },
  ...options,
});

/** Samples of random sequences, some empty, some equal. */
function randomBatch(random: Random): RaggedBatch {
  const length = 4 + random.integer(maxBp - 4);
  const pool = Array.from({ length: 1 + random.integer(8) }, () =>
    Array.from({ length }, () => "ACGTN"[random.integer(5)]).join(""),
  );
  const slots = 1 + random.integer(5);
  const samples = Array.from({ length: 2 + random.integer(5) }, () => {
    const own = Array.from({ length: random.integer(slots + 1) }, () => pool[random.integer(pool.length)]);
    const rows = own.map((sequence) => [...tokenize(sequence)]);
    return [...rows, ...Array.from({ length: slots - own.length }, () => new Array(length + 1).fill(0))];
  });
  const tokens = torch.tensor(samples, { dtype: "int64" });
  return denseToRagged(tokens, torch.randint(1, 50, [samples.length, slots]).to("float32"));
}

test("words are all runs of known bases, told apart by length, place and nothing else", () => {
  const rows = (kinds: string, sequence: string, buckets?: number) =>
    words(kinds, buckets).index.rowsOf(tokensOf(sequence)).toArray() as number[][];
  // AA, AC, CA: base 4 with A = 0, from row 1 on.
  expect(rows("2", "AACA")).toEqual([[1, 2, 5]]);
  expect(rows("2", "ANCA")).toEqual([[0, 0, 5]]);
  expect(rows("2", "A")).toEqual([[0]]);
  expect(rows("1,2", "CA")).toEqual([[2, 1, 4 + 5]]);
  // Places 0 and 1 are in the first stretch of two bases, 2 in the second.
  expect(rows("2@2", "AAAA")).toEqual([[1, 1, 17]]);
  const hashed = rows("6", "ACGTACGTTT", 10)[0];
  expect(hashed).toEqual(rows("6", "ACGTACGTTT", 10)[0]);
  expect(hashed.every((row) => row >= 1 && row <= 10)).toBe(true);
  expect(new Set(hashed).size).toBeGreaterThan(2);
  expect(words("6", 10).weight.shape).toEqual([11, 3]);
});

test("kinds of words that are none are refused with what is expected", () => {
  for (const text of ["", "0", "13", "6@0", "a", "6,", "6@"])
    expect(() => readWordKinds(text)).toThrow(/no kind of words/);
  expect(readWordKinds(" 6, 8@25")).toEqual([
    { length: 6, stretch: 0 },
    { length: 8, stretch: 25 },
  ]);
});

test("sums of words are those of embedding_bag, forward and backward, and the same on any number of threads", () => {
  for (const dtype of ["float32", "float64"] as const) {
    const table = torch.randn([40, 300], { dtype }).requiresGrad_(true);
    const rows = torch.randint(0, 40, [17, 9], { dtype: "int32" });
    const sums = torch.ops.aamt.word_sums(table, rows) as torch.Tensor;
    const starts = torch.arange(0, 17 * 9, 9, { dtype: "int32" });
    const given = torch.randn([17, 300], { dtype });
    const [bag] = torch.embeddingBag(table, rows.flatten(), starts, false, 0, false, null, false, 0);
    expect(torch.allclose(sums, bag, 1e-5, 1e-6)).toBe(true);
    const [own] = torch.grad([sums], [table], { gradOutputs: [given] });
    const [theirs] = torch.grad([bag], [table], { gradOutputs: [given] });
    expect(torch.allclose(own, theirs, 1e-5, 1e-5)).toBe(true);
    torch.setNumThreads(2);
    expect(torch.equal(torch.ops.aamt.word_sums(table, rows) as torch.Tensor, sums)).toBe(true);
    torch.setNumThreads(1);
  }
  const table = torch.zeros([4, 2]);
  const refuse = (rows: torch.Tensor) => () => torch.ops.aamt.word_sums(table, rows);
  expect(refuse(torch.full([1, 1], 4, { dtype: "int32" }))).toThrow(/words from 0 to 3/);
  expect(refuse(torch.full([1, 1], -1, { dtype: "int32" }))).toThrow(/words from 0 to 3/);
  expect(refuse(torch.zeros([1, 1], { dtype: "int64" }))).toThrow(/int32/);
  expect(
    (torch.ops.aamt.word_sums(table, torch.zeros([0, 3], { dtype: "int32" })) as torch.Tensor).shape,
  ).toEqual([0, 2]);
});

/** A distance that nothing has been learned of. */
function plainDistance(kind: "tanimoto" | "l1", normalized = true): SetDistance {
  const distance = new SetDistance({ kind, normalized });
  torch.noGrad(() => void distance.shared.fill_(-60));
  return distance;
}

test("were codes the branches of the tree, distances would be UniFrac and norms Faith's PD", () => {
  const random = new Random(3);
  for (let round = 0; round < 20; round++) {
    using _scope = torch.scope();
    const tips = 3 + random.integer(12);
    const tree = randomTree(random, tips);
    const counts = Array.from({ length: 6 }, () =>
      Array.from({ length: tips }, (_, tip) =>
        tip === 0 ? 1 : random.integer(3) === 0 ? random.integer(20) : 0,
      ),
    );
    const table = tableOf(
      counts,
      Array.from({ length: tips }, (_, tip) => `t${tip}`),
    );
    const sheared = shearTree(tree, table.asvIds);
    // Which tips lie below each branch.
    const below = Array.from(tree.parent, () => new Array<number>(tips).fill(0));
    tree.names.forEach((name, node) => {
      const tip = table.asvIds.indexOf(name ?? "");
      if (tip < 0) return;
      for (let at = node; at >= 0; at = tree.parent[at]) below[at][tip] = 1;
    });
    const lengths = torch.tensor(
      Float64Array.from(tree.parent, (parent, node) => (parent < 0 ? 0 : tree.length[node])),
    );
    const branches = torch.tensor(below).to("float64");
    const given = torch.tensor(counts).to("float64");
    const shares = given.div(given.sum([1], true)).matmul(branches.t());
    const expected = (metric: UniFracMetric) => [
      ...uniFracOfBatch(table, sheared, { metric, precision: "float64" }),
    ];
    const upper = (square: torch.Tensor) => {
      const values = square.toArray() as number[][];
      return values.flatMap((row, i) => row.slice(i + 1));
    };
    const close = (actual: number[], wanted: number[]) =>
      actual.forEach((value, i) => {
        expect(value).toBeCloseTo(wanted[i], 6);
      });
    const presence = shares.gt(0).to("float64").mul(lengths.sqrt());
    close(upper(plainDistance("tanimoto").forward(presence, presence)), expected("unweighted"));
    const amounts = shares.mul(lengths);
    close(upper(plainDistance("l1").forward(amounts, amounts)), expected("weighted_normalized"));
    close(upper(plainDistance("l1", false).forward(amounts, amounts)), expected("weighted_unnormalized"));
    close(presence.square().sum([1]).toArray() as number[], [...faithPd(table, tree)]);
  }
});

test("coordinates are those of the formulas, own branches among them", () => {
  for (const kind of setPoolings) {
    const pooling = new SetPooling(kind, 2);
    torch.noGrad(() => pooling.length.copy_(torch.tensor([0.3, -1])));
    const length = [Math.log1p(Math.exp(0.3)), Math.log1p(Math.exp(-1))];
    const sums = [0.5, 2];
    const wanted = sums.map((sum, k) =>
      kind === "union"
        ? Math.sqrt(length[k]) * (1 - Math.exp(-sum))
        : kind === "share"
          ? length[k] * sum
          : length[k] * (Math.sqrt(sum + 1e-6) - 1e-3),
    );
    const [given] = pooling.forward(torch.tensor([sums])).toArray() as number[][];
    given.forEach((value, k) => {
      expect(value).toBeCloseTo(wanted[k], 5);
    });
    const own = pooling.own(torch.tensor([[0.25, 0]]), torch.tensor([4, 9])).toArray() as number[][];
    expect(own[0][0]).toBeCloseTo(
      kind === "union" ? 0.5 : kind === "share" ? 1 : 4 * (Math.sqrt(0.25 + 1e-6) - 1e-3),
      5,
    );
    expect(own[0][1]).toBe(0);
  }
});

test("ASVs that are known give what their sequences give, whatever their order; the order of a sample's ASVs is nothing", () => {
  const random = new Random(1);
  for (let round = 0; round < 30; round++) {
    using _scope = torch.scope();
    const pooling = setPoolings[round % 3];
    const kind = pooling === "union" ? "tanimoto" : "l1";
    const model = new SetEncoder(setOptions({ pooling, distance: { kind } })).eval();
    const batch = randomBatch(random);
    startFrom(model, batch);
    const first = model.forward(batch).embeddings!;
    const known = withEmptyRow(model.asvEncoder.forward(batch.asvTokens).embeddings);
    expect(
      torch.allclose(model.forward(batch, { asvEmbeddings: known }).embeddings!, first, 1e-5, 1e-6),
    ).toBe(true);
    const turned = { ...batch, asvIndex: batch.asvIndex.flip([1]), counts: batch.counts.flip([1]) };
    expect(torch.allclose(model.forward(turned).embeddings!, first, 1e-5, 1e-6)).toBe(true);
    const distances = pairwiseDistances(first, model.distance!);
    expect(torch.allclose(distances, distances.t(), 1e-5, 1e-6)).toBe(true);
    expect(distances.diagonal().abs().sum().item()).toBe(0);
  }
});

test("gradients are finite: empty samples, equal ones, a single one, no known base, and in bf16", () => {
  const random = new Random(5);
  for (const source of ["kmer", "transformer", "both"] as const)
    for (const pooling of setPoolings)
      for (const dtype of [null, "bfloat16"] as const) {
        for (let round = 0; round < 4; round++) {
          using _scope = torch.scope();
          const kind = pooling === "union" ? "tanimoto" : "l1";
          const model = new SetEncoder(setOptions({ source, pooling, distance: { kind } }));
          const drawn = randomBatch(random);
          const samples = round === 3 ? 1 : drawn.asvIndex.size(0);
          const batch = {
            ...drawn,
            asvIndex: drawn.asvIndex.narrow(0, 0, samples),
            counts: drawn.counts.narrow(0, 0, samples),
          };
          const compute = () => {
            const { embeddings, features } = model.forward(batch);
            const target = torch.full([samples, samples], 0.5);
            return unifracLoss(embeddings!, target, { form: model.distance! }).add(features!.sum().mul(0));
          };
          const loss = dtype ? torch.autocast({ device: "cpu", dtype }, compute) : compute();
          loss.backward();
          expect(Number.isFinite(loss.item())).toBe(true);
          for (const [name, value] of model.namedParameters())
            if (value.grad) expect([name, value.grad.isfinite().all().item()]).toEqual([name, 1]);
        }
      }
});

test("the start puts each code on in a third of the samples and the line of distances on the truth", () => {
  const random = new Random(2);
  const sequences = Array.from({ length: 60 }, () =>
    Array.from({ length: maxBp }, () => "ACGT"[random.integer(4)]).join(""),
  );
  const samples = Array.from({ length: 40 }, () =>
    Array.from({ length: 8 }, () => [...tokenize(sequences[random.integer(60)])]),
  );
  const batch = denseToRagged(torch.tensor(samples, { dtype: "int64" }), torch.ones([40, 8]));
  const model = new SetEncoder(setOptions({ codes: 20 }));
  const values = torch.rand([40, 40]).mul(0.1).add(0.6);
  startFrom(model, batch, { distances: [{ values, known: torch.ones([40, 40]).triu(1).gt(0) }] });
  const { features, embeddings } = model.forward(batch);
  const on = features!.narrow(1, 0, 20).mean([0]).toArray() as number[];
  for (const share of on) expect(share).toBeCloseTo(0.35, 1);
  expect(pairwiseDistances(embeddings!, model.distance!).sum().item() / (40 * 39)).toBeCloseTo(0.65, 1);
  // Codes, words and own branches weigh the same.
  const words = model.wordSets!.length.numel;
  const part = (from: number, size: number) => embeddings!.narrow(1, from, size).square().sum().item();
  expect(part(20, words)).toBeCloseTo(part(0, 20), 0);
  expect(part(20 + words, embeddings!.size(1) - 20 - words)).toBeCloseTo(part(0, 20), 0);
});

test("with long words alone the distance is the Jaccard distance of the samples' sets of them", () => {
  const random = new Random(9);
  const batch = randomBatch(random);
  const model = new SetEncoder(setOptions({ codes: 6, longWords: 5 }));
  const [codes, words, long, own] = model.parts(
    torch.zeros([batch.asvTokens.size(0), 6]),
    torch.zeros([batch.asvTokens.size(0)]),
    batch,
  );
  expect(words.size(1)).toBe(4 ** 3);
  const sets = (batch.asvIndex.toArray() as number[][]).map((slots) => {
    const tokens = batch.asvTokens.toArray() as number[][];
    const found = new Set<string>();
    for (const slot of slots.filter((one) => one > 0)) {
      const text = tokens[slot - 1].slice(1).map((token) => "?ACGT"[token] ?? "?");
      for (let i = 0; i + 5 <= text.length; i++) {
        const word = text.slice(i, i + 5).join("");
        if (!word.includes("?")) found.add(word);
      }
    }
    return found;
  });
  const distance = new SetDistance({ kind: "tanimoto" });
  torch.noGrad(() => void distance.shared.fill_(-100));
  const jaccard = distance.uncalibrated(long, long).toArray() as number[][];
  sets.forEach((a, i) => {
    sets.forEach((b, j) => {
      const both = [...a].filter((word) => b.has(word)).length;
      const either = a.size + b.size - both;
      if (either > 0) expect(jaccard[i][j]).toBeCloseTo(1 - both / either, 5);
    });
  });
  const { embeddings } = model.forward(batch);
  expect(embeddings!.size(1)).toBe(codes.size(1) + words.size(1) + long.size(1) + own.size(1));
});

test("Faith's PD comes from the same coordinates", () => {
  const model = new SetEncoder(setOptions({ encoderType: "faith_pd", distance: null }));
  const batch = randomBatch(new Random(4));
  const { basePrediction, embeddings } = model.forward(batch);
  const [weight, bias] = [model.valueHead!.weight.item(), model.valueHead!.bias!.item()];
  const sizes = embeddings!.square().sum([1]).toArray() as number[];
  (basePrediction!.flatten().toArray() as number[]).forEach((value, i) => {
    expect(value).toBeCloseTo(weight * sizes[i] + bias, 4);
  });
});
