import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { runRanks } from "./runRanks.ts";

test.each([1, 2, 3])("with %i ranks a divided state makes the steps of a whole one, bit by bit", (ranks) => {
  const { code, out, err } = runRanks(ranks, join(import.meta.dir, "zeroProgram.ts"));
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const shares = JSON.parse(out) as number[];
  expect(shares).toHaveLength(ranks);
  // A rank has its share of the elements, as far as parameters that stay whole allow.
  for (const share of shares) expect(Math.abs(share * ranks - 1)).toBeLessThan(0.1);
});

test("without a group it says what is missing", () => {
  const { ZeroRedundancyOptimizer } = torch.distributed.optim;
  const params = [torch.ones([2]).requiresGrad_()];
  expect(() => new ZeroRedundancyOptimizer(params, torch.optim.SGD)).toThrow("There is no process group");
});
