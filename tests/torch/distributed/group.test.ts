import { expect, test } from "bun:test";
import { join } from "node:path";
import { parseSchema } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";
import { runRanks } from "./runRanks.ts";

test.each([1, 2, 3])("with %i ranks every collective gives what its name says", (ranks) => {
  const { code, out, err } = runRanks(ranks, join(import.meta.dir, "collectivesProgram.ts"));
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out.trim().split("\n").sort()).toEqual(
    Array.from({ length: ranks }, (_, rank) => `rank ${rank} of ${ranks} is done`),
  );
});

test("the launcher ends with the code of the rank that failed first, and names it", () => {
  const { code, err } = runRanks(2, join(import.meta.dir, "faultProgram.ts"), "kill", "1", "60");
  expect(code).toBe(137);
  expect(err).toContain("Rank 1 ended with SIGKILL; the others end, too.");
  expect(err).toContain("[0] Rank 1 no longer answers");
});

test("without a group the functions say what is missing", () => {
  expect(torch.distributed.isAvailable()).toBe(true);
  expect(torch.distributed.isInitialized()).toBe(false);
  expect(() => torch.distributed.getWorldSize()).toThrow("There is no process group; call");
  expect(() => torch.distributed.allReduce(torch.ones([1]))).toThrow("There is no process group");
  expect(() => torch.distributed.initProcessGroup()).toThrow(
    "say which rank this is; start the program with torchrun",
  );
  expect(() => torch.distributed.initProcessGroup({ timeoutSeconds: 0 })).toThrow("must be above 0");
});

test("names of groups and of reductions are text, whether a LibTorch declares them so or as anything", () => {
  for (const type of ["Any", "str"]) {
    const schema = parseSchema(
      `_c10d_functional::all_reduce_(Tensor(a!) input, ${type} reduce_op, ${type} group_name) -> Tensor(a!)`,
    );
    expect(schema.arguments.map(({ kind }) => kind)).toEqual(["Tensor", "str", "str"]);
  }
});
