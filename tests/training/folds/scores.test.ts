import { expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type LearnTask, meanLoss } from "../../../src/training/predictors/learner.ts";
import { probabilitiesOf, sharesOf, sharpened } from "../../../src/training/predictors/scores.ts";

const n = 400;
const train = Int32Array.from({ length: n }, (_, i) => i);
const isLikely = (row: number) => row % 40 < 20;
/** The second class has one sample in five: 35 % of those that are likely, 5 % of the others. */
const values = Float64Array.from(train, (i) => Number(isLikely(i) ? i % 40 < 7 : i % 40 === 20));
const target = { kind: "classes", column: "x", classes: ["common", "rare"], values } as const;
const shares = sharesOf(target, train);
/** Probabilities of which the second class's are these, by row. */
const saying = (rare: (row: number) => number) =>
  Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 1 ? rare(i >> 1) : 1 - rare(i >> 1)));
const calibrate = (said: Float64Array) => {
  const { unseen, predict } = sharpened({ target, train } as unknown as LearnTask, {}, said, () => said);
  expect(predict(train)).toEqual(unseen);
  return unseen;
};

test("a predictor that knows nothing comes to say the classes' shares, not that both are as likely", () => {
  const random = new Random(5);
  const noise = Array.from({ length: n }, () => 0.3 + 0.4 * random.float());
  const ofShares = meanLoss(
    target,
    train,
    saying(() => 0.2),
  );
  expect(meanLoss(target, train, calibrate(saying((row) => noise[row])))).toBeLessThanOrEqual(
    ofShares + 1e-9,
  );
  expect(probabilitiesOf(new Float64Array(2), shares)[1]).toBeCloseTo(0.2, 12);
  expect(probabilitiesOf(Float64Array.of(-3, 5), shares, 0)[1]).toBeCloseTo(0.2, 12);
});

test("probabilities that fit stay nearly as they are, and those that are too sure come back to them", () => {
  const fitting = saying((row) => (isLikely(row) ? 0.35 : 0.05));
  const sure = saying((row) => (isLikely(row) ? 0.7 : 0.005));
  for (const said of [fitting, sure]) {
    const unseen = calibrate(said);
    expect(unseen[1]).toBeGreaterThan(0.3);
    expect(unseen[1]).toBeLessThan(0.4);
    expect(unseen[2 * 20 + 1]).toBeLessThan(0.07);
  }
});
