import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import * as torch from "../../../src/torch/index.ts";
import { chooseJudged, judgedName, judgedOf } from "../../../src/training/objectives/judgedSamples.ts";
import { evaluatePairs } from "../../../src/training/objectives/pairEvaluation.ts";

describe("which samples are judged", () => {
  test("all of a few thousand; of more the same choice every time, which the figures' names say", () => {
    expect(chooseJudged(4096)).toBeNull();
    expect(judgedName("r2", 4096)).toBe("r2");
    const chosen = chooseJudged(60_000)!;
    expect(new Set(chosen).size).toBe(2048);
    expect([...chosen]).toEqual([...chosen].sort((a, b) => a - b));
    expect(chooseJudged(60_000)).toEqual(chosen);
    expect(chooseJudged(60_001)).not.toEqual(chosen);
    expect(judgedName("r2", 60_000)).toBe("r2_of_2048_samples");
  });

  test("their pairs alone are compared, with the embeddings of the right samples", () => {
    const n = 4100;
    const random = new Random(4);
    const places = Float32Array.from({ length: n }, () => random.float());
    const samples = Int32Array.from({ length: n }, (_, i) => 7 * i + 3);
    // The truth is half the predicted distance but for a shift, so only matching pairs fit.
    const distancesOf = (some: Int32Array) => {
      expect(some).toEqual(judgedOf(samples));
      const own = Array.from(some, (sample) => places[(sample - 3) / 7]);
      return Float32Array.from({ length: own.length ** 2 }, (_, k) => {
        const [i, j] = [Math.floor(k / own.length), k % own.length];
        return Math.abs(own[i] - own[j]) / 2 + 0.1;
      });
    };
    const embeddings = torch.tensor(places, { shape: [n, 1] });
    const { result, predicted } = evaluatePairs(embeddings, distancesOf, samples, "raw", 100);
    expect(result.n).toBe((2048 * 2047) / 2);
    expect(result.pearson).toBeCloseTo(1, 5);
    expect(predicted.length).toBeLessThanOrEqual(100);
  });
});
