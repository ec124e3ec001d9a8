import { describe, expect, test } from "bun:test";
import { PlateauFactor, type ScheduleName, scheduleFactor } from "../../../src/training/loop/schedule.ts";

const at = (name: ScheduleName, progress: number, more = {}) =>
  scheduleFactor(progress, { name, warmup: 0.1, floor: 0.01, ...more });

describe("the learning rate", () => {
  test("of warmup_cosine rises in the warm-up, is whole at its end, and falls to the floor", () => {
    expect(at("warmup_cosine", 0)).toBeLessThan(0.02);
    expect(at("warmup_cosine", 0.05)).toBeCloseTo(0.5, 9);
    expect(at("warmup_cosine", 0.1)).toBeCloseTo(1, 9);
    expect(at("warmup_cosine", 0.55)).toBeCloseTo(0.505, 9);
    expect(at("warmup_cosine", 1)).toBeCloseTo(0.01, 9);
    expect(at("warmup_cosine", 1, { warmup: 1 })).toBeGreaterThan(0);
  });

  test.each(["warmup_cosine", "cosine", "cosine_restarts", "onecycle", "plateau", "constant"] as const)(
    "B22: of %s stays between 0 and 1, also when training goes on beyond its planned end",
    (name) => {
      for (let progress = 0; progress <= 1.5; progress += 0.01) {
        const factor = at(name, progress);
        expect(factor).toBeGreaterThan(0);
        expect(factor).toBeLessThanOrEqual(1);
      }
      expect(at(name, 1.5)).toBe(at(name, 1));
    },
  );

  test("of cosine_restarts starts again after a quarter, then after twice as long", () => {
    const restarts = { firstCycle: 0.25, cycleGrowth: 2 };
    expect(at("cosine_restarts", 0.2499, restarts)).toBeLessThan(0.02);
    expect(at("cosine_restarts", 0.25, restarts)).toBeCloseTo(1, 9);
    expect(at("cosine_restarts", 0.5, restarts)).toBeCloseTo(0.505, 9);
    expect(at("cosine_restarts", 0.75, restarts)).toBeCloseTo(1, 9);
  });

  test("of onecycle starts at a 25th, is whole after 30 %", () => {
    expect(at("onecycle", 0)).toBeCloseTo(1 / 25, 9);
    expect(at("onecycle", 0.3)).toBeCloseTo(1, 9);
    expect(at("onecycle", 1)).toBeCloseTo(0.01, 9);
  });
});

test("a plateau lowers the rate after too many epochs without improvement, down to the floor, and its state can be saved", () => {
  const make = () => new PlateauFactor({ factor: 0.5, patience: 1, floor: 0.2 });
  const plateau = make();
  for (const value of [3, 2, 2]) plateau.step(value);
  expect(plateau.factor).toBe(1);
  const copy = make();
  copy.restore(JSON.parse(JSON.stringify(plateau.state())));
  for (const one of [plateau, copy]) {
    one.step(2);
    expect(one.factor).toBe(0.5);
    for (let i = 0; i < 10; i++) one.step(2);
    expect(one.factor).toBe(0.2);
  }
});
