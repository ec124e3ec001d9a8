import { describe, expect, test } from "bun:test";
import { maskToken } from "../../src/common/tokens.ts";
import { AsvEncoder, type AsvEncoderOptions } from "../../src/models/asvEncoder.ts";
import { packingOf } from "../../src/models/packing.ts";
import * as torch from "../../src/torch/index.ts";
import { nucleotideAccuracy, nucleotideLoss } from "../../src/training/objectives/losses.ts";
import { perturb, smallTransformer } from "../helpers/smallModels.ts";

torch.setNumThreads(1);

function encoder(options: Partial<AsvEncoderOptions> = {}): AsvEncoder {
  torch.manualSeed(4);
  const made = new AsvEncoder({ ...smallTransformer, maxBp: 20, predictNucleotides: true, ...options });
  perturb(made, 8);
  return made;
}

function sequences(rows: number, length = 15): torch.Tensor {
  const tokens = torch.randint(1, 5, [rows, length], { generator: new torch.Generator("cpu").manualSeed(9) });
  tokens.select(1, 0).fill_(5);
  return tokens;
}

/** Loss and gradients of everything the encoder gives. */
function train(
  model: AsvEncoder,
  tokens: torch.Tensor,
): { loss: number; gradients: Map<string, torch.Tensor> } {
  torch.manualSeed(12);
  model.zeroGrad();
  const { embeddings, nucleotides } = model.forward(tokens, { nucleotides: true });
  const multiplicity = torch.arange(1, tokens.size(0) + 1, { dtype: "float32" });
  const weights = torch.linspace(-1, 1, embeddings.numel).view(embeddings.shape);
  const loss = nucleotideLoss(nucleotides!, { tokens, multiplicity }).add(embeddings.mul(weights).sum());
  loss.backward();
  const gradients = new Map([...model.namedParameters()].map(([name, value]) => [name, value.grad!.clone()]));
  return { loss: loss.item(), gradients };
}

const plain = train(encoder({ maskRatio: 0.3 }), sequences(11));

for (const [name, options] of Object.entries({
  "chunks of 4": { chunkSize: 4 },
  "chunks of 1": { chunkSize: 1 },
  "a chunk larger than the batch": { chunkSize: 50 },
  "gradient checkpointing": { gradientCheckpointing: true },
  "chunks with gradient checkpointing": { chunkSize: 3, gradientCheckpointing: true },
})) {
  test(`${name}: the same loss and gradients`, () => {
    const { loss, gradients } = train(encoder({ maskRatio: 0.3, ...options }), sequences(11));
    expect(Math.abs(loss - plain.loss)).toBeLessThan(1e-5);
    expect([...gradients.keys()]).toEqual([...plain.gradients.keys()]);
    for (const [parameter, gradient] of gradients) {
      const expected = plain.gradients.get(parameter)!;
      const error = gradient.sub(expected).abs().max().item() / Math.max(expected.abs().max().item(), 0.1);
      expect({ parameter, fits: error < 1e-5 }).toEqual({ parameter, fits: true });
    }
  });
}

test("checkpointed chunks need a fraction of the memory", () => {
  const peak = (options: Partial<AsvEncoderOptions>) => {
    const model = encoder({ dim: 32, layers: 4, ...options });
    const tokens = sequences(400, 20);
    torch.tidy(() => train(model, tokens));
    torch.resetPeakMemory();
    const before = torch.memory().cpu.allocated;
    torch.tidy(() => train(model, tokens));
    return torch.memory().cpu.allocatedPeak - before;
  };
  expect(peak({ chunkSize: 40, gradientCheckpointing: true })).toBeLessThan(peak({}) / 3);
});

test("dropout draws the same numbers again in a checkpoint", () => {
  const once = train(encoder({ dropout: 0.3 }), sequences(6));
  const again = train(encoder({ dropout: 0.3, gradientCheckpointing: true }), sequences(6));
  for (const [parameter, gradient] of again.gradients) {
    const error = gradient.sub(once.gradients.get(parameter)!).abs().max().item();
    expect({ parameter, fits: error < 1e-4 }).toEqual({ parameter, fits: true });
  }
});

test("a mask that is not needed changes nothing", () => {
  const model = encoder().eval();
  const tokens = sequences(5);
  const masked = model.forward(tokens, { hasPadding: true }).embeddings;
  const unmasked = model.forward(tokens, { hasPadding: false }).embeddings;
  expect(masked.sub(unmasked).abs().max().item()).toBeLessThan(1e-5);
});

test("tokens may be bytes, and a shorter batch gives the same as a padded one", () => {
  const model = encoder().eval();
  const tokens = sequences(5);
  const expected = model.forward(tokens).embeddings;
  const bytes = model.forward(tokens.to("uint8")).embeddings;
  expect(bytes.equal(expected)).toBe(true);
  const padded = torch.cat([tokens, torch.zeros([5, 3], { dtype: "int64" })], 1);
  expect(model.forward(padded).embeddings.sub(expected).abs().max().item()).toBeLessThan(1e-5);
});

test("in training bases are hidden; in evaluation, or without the question, none are", () => {
  const model = encoder({ maskRatio: 0.5 });
  const tokens = sequences(6);
  const { mask, positions, filled, logits } = model.forward(tokens, { nucleotides: true }).nucleotides!;
  const places = [...filled!.toFloat64Array()].flatMap((full, i) =>
    full ? [positions!.toFloat64Array()[i]] : [],
  );
  const hidden = [...mask!.flatten().toFloat64Array()].flatMap((value, i) => (value ? [i] : []));
  expect(places).toEqual(hidden);
  expect(hidden.length).toBeGreaterThan(20);
  expect(logits.size(0)).toBe(positions!.numel);
  expect(model.forward(tokens).nucleotides).toBeNull();
  const evaluated = model.eval().forward(tokens, { nucleotides: true }).nucleotides!;
  expect(evaluated.mask).toBeNull();
  expect(evaluated.logits.shape).toEqual([6 * 15, 7]);
});

test("the head sees the mask token, not the base", () => {
  const model = encoder({ maskRatio: 0.5 });
  const tokens = sequences(1);
  const mask = torch.zeros([1, 15], { dtype: "bool" });
  mask.select(1, 4).fill_(true);
  const other = tokens.clone();
  other.select(1, 4).copy_(tokens.select(1, 4).remainder(4).add(1));
  const first = model.forward(tokens, { nucleotides: true, mask });
  const second = model.forward(other, { nucleotides: true, mask });
  expect(first.embeddings.equal(second.embeddings)).toBe(true);
  const written = model.eval().forward(tokens.maskedFill(mask, maskToken), { nucleotides: true });
  expect(written.nucleotides!.logits.sub(first.nucleotides!.logits).abs().max().item()).toBeLessThan(1e-5);
});

test("accuracy counts occurrences: hidden positions, or all definite bases", () => {
  const tokens = torch.tensor([[5, 1, 2, 0]], { dtype: "int64" });
  const multiplicity = torch.tensor([3]);
  const logits = torch.nn.functional.oneHot(torch.tensor([5, 1, 3, 0], { dtype: "int64" }), 7).to("float32");
  const all = { logits, positions: null, filled: null, mask: null };
  const open = nucleotideAccuracy(all, { tokens, multiplicity });
  expect([open.correct.item(), open.total.item()]).toEqual([3, 6]);
  const mask = torch.tensor([[false, false, true, false]]);
  const hidden = nucleotideAccuracy({ ...all, filled: mask.flatten(), mask }, { tokens, multiplicity });
  expect([hidden.correct.item(), hidden.total.item()]).toEqual([0, 3]);
});

describe("words of three bases as tokens", () => {
  const words = { basesPerToken: 3, maxBp: 21 };

  test("chunks and checkpoints change neither loss nor gradients", () => {
    const whole = train(encoder({ ...words, maskRatio: 0.3 }), sequences(11));
    const options = { chunkSize: 4, gradientCheckpointing: true };
    const parts = train(encoder({ ...words, maskRatio: 0.3, ...options }), sequences(11));
    expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(1e-5);
    for (const [name, gradient] of parts.gradients)
      expect(gradient.sub(whole.gradients.get(name)!).abs().max().item()).toBeLessThan(1e-4);
  });

  test("padding changes nothing, whether it fills a word, ends within one, or is left out by a packing", () => {
    const model = encoder(words).eval();
    for (const length of [15, 16, 17]) {
      const tokens = sequences(5, length);
      const expected = model.forward(tokens).embeddings;
      for (const more of [1, 2, 4]) {
        const padded = torch.cat([tokens, torch.zeros([5, more], { dtype: "int64" })], 1);
        const packing = packingOf(padded.toFloat64Array(), 5, length + more);
        for (const request of [{}, { packing }])
          expect(model.forward(padded, request).embeddings.sub(expected).abs().max().item()).toBeLessThan(
            1e-5,
          );
      }
    }
  });

  test("every base of a word counts, and an unknown one is another word", () => {
    const model = encoder(words).eval();
    const tokens = sequences(1, 16);
    const expected = model.forward(tokens).embeddings;
    for (let at = 1; at < 16; at++)
      for (const token of [(tokens.toFloat64Array()[at] % 4) + 1, 0]) {
        const other = tokens.clone();
        other.select(1, at).fill_(token);
        expect(model.forward(other).embeddings.sub(expected).abs().max().item()).toBeGreaterThan(1e-4);
      }
  });

  test("bases are predicted one by one, at the places that were hidden", () => {
    const model = encoder({ ...words, maskRatio: 0.5 });
    const tokens = sequences(6, 16);
    const { mask, positions, filled } = model.forward(tokens, { nucleotides: true }).nucleotides!;
    const places = positions!.maskedSelect(filled!).toFloat64Array();
    expect([...places]).toEqual(
      [...mask!.flatten().toFloat64Array()].flatMap((hidden, i) => (hidden ? [i] : [])),
    );
    const all = model.eval().forward(tokens, { nucleotides: true }).nucleotides!;
    expect(all.logits.shape).toEqual([6 * 16, 7]);
    const optimizer = new torch.optim.Adam(model.train().parameters(), { lr: 0.01 });
    const lossOf = () => {
      const { nucleotides } = model.forward(tokens, { nucleotides: true, mask: mask! });
      return nucleotideLoss(nucleotides!, { tokens, multiplicity: torch.ones([6]) });
    };
    for (let step = 0; step < 200; step++) {
      using _step = torch.scope();
      optimizer.zeroGrad();
      lossOf().backward();
      optimizer.step();
    }
    expect(lossOf().item()).toBeLessThan(0.2);
  });
});

test("wrong options are refused in words", () => {
  expect(() => encoder({ maskStrategy: "blocks" as "span" })).toThrow(/mask strategy "blocks"/);
  expect(() => encoder({ maskRatio: 1 })).toThrow(/mask ratio/);
  const small = encoder({ maskRatio: 0.1, vocabulary: 6 });
  expect(small.eval().forward(sequences(1), { nucleotides: true }).nucleotides!.mask).toBeNull();
  expect(() => small.train().forward(sequences(1), { nucleotides: true })).toThrow(/vocabulary of 7/);
  expect(() => encoder({ chunkSize: 0 })).toThrow(/chunk/);
  expect(() => encoder({ heads: 3 })).toThrow(/divisible/);
  expect(() => encoder({ layers: 0 })).toThrow(/at least one layer/);
  expect(() => encoder().forward(sequences(1, 22))).toThrow(/knows 21 positions/);
});
