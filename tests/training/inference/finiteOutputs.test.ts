import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";
import { refuseNonFiniteOutputs } from "../../../src/training/inference/finiteOutputs.ts";
import { loadWeights, saveWeights } from "../../../src/training/loop/checkpoint.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "a weight of %p is refused when it is loaded",
  (bad) => {
    using _scope = torch.scope();
    const model = new torch.nn.Linear(3, 2);
    const path = scratch.path("m.safetensors");
    saveWeights(path, model, {});
    loadWeights(path, model);
    torch.noGrad(() => model.weight.select(0, 1).fill_(bad));
    saveWeights(path, model, {});
    expect(userErrorOf(() => loadWeights(path, new torch.nn.Linear(3, 2)))).toMatch(
      /m\.safetensors: 3 of the 6 values of the weight "weight" are NaN or infinite/,
    );
  },
);

test("outputs that are not finite are refused before they are written", () => {
  const of = { checkpoint: "best.safetensors", what: "predictions of age" };
  refuseNonFiniteOutputs(Float32Array.of(1, 2, 3, 4), ["a", "b"], of);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(
      userErrorOf(() => refuseNonFiniteOutputs(Float64Array.of(1, 2, bad, bad, 5, 6), ["a", "b", "c"], of)),
    ).toMatch(/predictions of age that are NaN or infinite for 1 of 3 \(the first is "b"\)/);
});
