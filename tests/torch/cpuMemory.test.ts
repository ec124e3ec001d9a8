import { expect, test } from "bun:test";
import * as torch from "../../src/torch/index.ts";

// Nothing is written to these tensors, so that they cost no memory, whatever their size.
const mebibyte = 2 ** 20;
const made = (mebibytes: number) => torch.empty([mebibytes * mebibyte], { dtype: "uint8" });
const before = torch.memory().cpu.allocated;
/** What is in use here, and what waits. */
const used = () => {
  const { allocated, cached } = torch.memory().cpu;
  return { allocated: (allocated - before) / mebibyte, cached: cached / mebibyte };
};

test("a large tensor takes the memory of one that was a little smaller or larger", () => {
  torch.emptyCache();
  for (const [first, second] of [
    [70, 80],
    [80, 70],
    [100, 60],
  ]) {
    made(first).dispose();
    expect(used().cached).toBeCloseTo(first, 3);
    const next = made(second);
    expect(used().cached).toBe(0);
    expect(used().allocated).toBeCloseTo(second, 3);
    next.dispose();
    // What was touched of it stays touched.
    expect(used().cached).toBeCloseTo(Math.max(first, second), 3);
    torch.emptyCache();
  }
});

test("steps of many sizes hold little more memory than the largest has in use", () => {
  torch.emptyCache();
  let most = 0;
  let held = 0;
  // Growing, shrinking and mixed sizes, as batches have them; twelve tensors of a step live together.
  for (let step = 0; step < 60; step++) {
    const size = 30 + ((step * 37) % 53);
    const live = Array.from({ length: 12 }, (_, i) => made(size + (i % 3) * size));
    const { allocated, cached } = used();
    most = Math.max(most, allocated);
    held = Math.max(held, allocated + cached);
    for (const tensor of live) tensor.dispose();
  }
  expect(most).toBeGreaterThan(1000);
  expect(held).toBeLessThanOrEqual(1.25 * most + 1);
});
