import { expect, test } from "bun:test";
import { buildEncoder, decideAuto, euclideanFormOf } from "../../src/training/config/buildModel.ts";
import { pretrainMetrics, pretrainSchema } from "../../src/training/config/config.ts";
import { pretrainConfig } from "../../src/training/config/defaults.ts";

const small = { embeddingDim: 8, attentionLayers: 1, attentionHeads: 2 };

test("auto takes tanh for metrics that end at 1, and counts into the encoder for those that depend on them", () => {
  const decided = pretrainMetrics.map((metric) => {
    const config = pretrainSchema.parse({ unifracMetric: metric, model: small });
    const form = euclideanFormOf(config);
    const encoder = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: false });
    const hasCounts = encoder.namedParameters().some(([name]) => name.includes("count"));
    decideAuto(config, 1000);
    const { distanceForm, countEmbeddingMethod: countEmbedding } = config.model;
    expect(form).toEqual(distanceForm === "tanh" ? { tanhScale: 1 } : "raw");
    expect(hasCounts).toBe(countEmbedding !== "none");
    return [metric, distanceForm, countEmbedding];
  });
  expect(decided).toEqual([
    ["unweighted", "tanh", "none"],
    ["weighted_normalized", "tanh", "film"],
    ["weighted_unnormalized", "raw", "film"],
    ["generalized", "tanh", "film"],
    ["faith_pd", "raw", "none"],
  ]);
});

test("auto leaves alone what was chosen", () => {
  const model = { ...small, distanceForm: "raw", countEmbeddingMethod: "film", tanhScale: 3 } as const;
  const config = pretrainSchema.parse({ unifracMetric: "unweighted", model });
  decideAuto(config, 1000);
  expect(config.model).toMatchObject(model);
  const none = pretrainSchema.parse({
    unifracMetric: "generalized",
    model: { ...small, countEmbeddingMethod: "none" },
  });
  decideAuto(none, 1000);
  expect(none.model.countEmbeddingMethod).toBe("none");
});

test("auto compares by long words where few samples train, presence counts and codes come from words", () => {
  const chosen = (input: Parameters<typeof pretrainConfig>[0], trainSamples: number) => {
    const config = pretrainConfig(input);
    decideAuto(config, trainSamples);
    const model = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: false });
    const has = model.namedParameters().some(([name]) => name.startsWith("long_word_sets"));
    expect(has).toBe(config.model.longWords !== "none");
    return config.model.longWords;
  };
  expect(chosen({}, 200)).toBe(10);
  expect(chosen({}, 201)).toBe("none");
  expect(chosen({ model: { longWords: 8 } }, 5000)).toBe(8);
  expect(chosen({ model: { longWords: "none" } }, 20)).toBe("none");
  expect(chosen({ unifracMetric: "weighted_normalized" }, 20)).toBe("none");
  expect(chosen({ model: { codes: "transformer" } }, 20)).toBe("none");
  expect(chosen({ model: { encoder: "aam" } }, 20)).toBe("none");
  expect(() => chosen({ unifracMetric: "weighted_normalized", model: { longWords: 10 } }, 20)).toThrow(
    /--long-words is for set encoders with codes from words and metrics of presence; leave it out/,
  );
});
