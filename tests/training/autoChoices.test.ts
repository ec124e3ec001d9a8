import { expect, test } from "bun:test";
import { buildEncoder, decideAuto, euclideanFormOf } from "../../src/training/config/buildModel.ts";
import { pretrainMetrics, pretrainSchema } from "../../src/training/config/config.ts";

const small = { embeddingDim: 8, layers: 1, heads: 2 };

test("auto takes tanh for metrics that end at 1, and counts into the encoder for those that depend on them", () => {
  const decided = pretrainMetrics.map((metric) => {
    const config = pretrainSchema.parse({ metric, model: small });
    const form = euclideanFormOf(config);
    const encoder = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: false });
    const hasCounts = encoder.namedParameters().some(([name]) => name.includes("count"));
    decideAuto(config);
    const { distance, countEmbedding } = config.model;
    expect(form).toEqual(distance === "tanh" ? { tanhScale: 1 } : "raw");
    expect(hasCounts).toBe(countEmbedding !== "none");
    return [metric, distance, countEmbedding];
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
  const model = { ...small, distance: "raw", countEmbedding: "film", tanhScale: 3 } as const;
  const config = pretrainSchema.parse({ metric: "unweighted", model });
  decideAuto(config);
  expect(config.model).toMatchObject(model);
  const none = pretrainSchema.parse({ metric: "generalized", model: { ...small, countEmbedding: "none" } });
  decideAuto(none);
  expect(none.model.countEmbedding).toBe("none");
});
