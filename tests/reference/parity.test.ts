import { afterAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { testDevice } from "../../lab/material/testDevice.ts";
import { findCases } from "../../src/reference/parity/caseFile.ts";
import { runCaseFolder } from "../../src/reference/parity/runCase.ts";
import * as torch from "../../src/torch/index.ts";
import { outsideParity } from "../helpers/outsideData.ts";

torch.setNumThreads(1);

const root = join(import.meta.dir, "..", "..");
const own = join(root, "tests", "fixtures", "parity");
const scratch = mkdtempSync(join(tmpdir(), "parity-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function failures(folder: string): string[] {
  const { comparisons } = runCaseFolder(folder, testDevice);
  expect(comparisons.length).toBeGreaterThan(0);
  return comparisons
    .filter(({ within }) => !within)
    .map(({ name, error, problem }) => `${name}: ${problem ?? error}`);
}

for (const folder of findCases(own)) {
  test(`the reference's numbers: ${basename(folder)}`, () => {
    expect(failures(folder)).toEqual([]);
  });
}

test.skipIf(!existsSync(outsideParity))("the reference's numbers: all cases beside AAM_TEST_DATA", () => {
  for (const folder of existsSync(outsideParity) ? findCases(outsideParity) : []) {
    expect({ folder, failures: failures(folder) }).toEqual({ folder, failures: [] });
  }
});

/** A copy of a case with a changed description or tensors. */
function altered(
  name: string,
  change: (description: Record<string, unknown>, tensors: Map<string, torch.Tensor>) => void,
): string {
  const folder = join(scratch, `case-${Bun.hash(change.toString())}`);
  cpSync(join(own, name), folder, { recursive: true });
  const description = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
  const tensors = new Map(
    [...torch.loadSafetensors(join(folder, "tensors.safetensors")).tensors].map(([key, value]) => [
      key,
      value.clone(),
    ]),
  );
  change(description, tensors);
  writeFileSync(join(folder, "case.json"), JSON.stringify(description));
  torch.saveSafetensors(join(folder, "tensors.safetensors"), tensors);
  return folder;
}

test("a number that is off is found: in outputs, losses and gradients", () => {
  for (const key of ["outputs/embeddings", "losses/unifrac_loss", "grads/encoder_transformer.norm.weight"]) {
    const folder = altered("encoder-unifrac", (_, tensors) => {
      const tensor = tensors.get(key)!;
      tensor.flatten().narrow(0, 0, 1).add_(tensor.abs().max().mul(0.001).add(0.0001));
    });
    expect(failures(folder).map((failure) => failure.split(":")[0])).toEqual([key]);
    rmSync(folder, { recursive: true });
  }
});

test("a case of the first state needs no arguments that came later, and tells its state by raw distances", () => {
  const folder = altered("predictor-seed", (description) => {
    const config = description["config"] as Record<string, unknown>;
    delete config["vocab_size"];
    delete config["target_layer_norm"];
    delete (description["loss"] as Record<string, unknown>)["seed_version"];
  });
  expect(failures(folder)).toEqual([]);
  const later = altered("predictor-seed", (description) => {
    (description["loss"] as Record<string, unknown>)["seed_version"] = false;
  });
  expect(failures(later).some((failure) => failure.startsWith("losses/count_loss"))).toBe(true);
});

test("a gradient that should not be there is found", () => {
  const folder = altered("encoder-unifrac", (_, tensors) => {
    tensors.delete("grads/encoder_transformer.norm.weight");
  });
  expect(failures(folder)).toHaveLength(1);
});

test("a training that went elsewhere is found", () => {
  const folder = altered("train-12-steps-tanh", (description) => {
    (description["optimizer"] as Record<string, unknown>)["weight_decay"] = 0.5;
  });
  expect(failures(folder).length).toBeGreaterThan(10);
});

test("what is not understood is an error, never left aside", () => {
  const config = (key: string, value: unknown) => (description: Record<string, unknown>) => {
    (description["config"] as Record<string, unknown>)[key] = value;
  };
  const check = (name: string, change: (description: Record<string, unknown>) => void, message: RegExp) => {
    const folder = altered(name, (description) => change(description));
    expect(() => runCaseFolder(folder)).toThrow(message);
    rmSync(folder, { recursive: true });
  };
  check("encoder-unifrac", config("tree_depth", 3), /unknown settings: tree_depth/);
  check("encoder-unifrac", config("embedding_dim", "8"), /embedding_dim is "8", expected a number/);
  check("encoder-unifrac", config("encoder_type", "jaccard"), /encoder_type.*expected one of/);
  check("encoder-unifrac", config("sample_num_heads", 3), /not divisible by 3 heads/);
  check("encoder-unifrac", config("embedding_dim", 16), /has shape/);
  check("encoder-unifrac", (description) => (description["colour"] = "red"), /colour/);
  check("encoder-unifrac", (description) => (description["kind"] = "dream"), /kind/);
  check(
    "encoder-unifrac",
    (description) => ((description["loss"] as Record<string, unknown>)["beta"] = 1),
    /beta/,
  );
  check(
    "encoder-unifrac",
    (description) => ((description["call"] as Record<string, unknown>)["verbose"] = true),
    /verbose/,
  );
  check("predictor-gmu", config("categorical_fusion", "sum"), /categorical_fusion/);
  check("predictor-base-model", config("base_model", { depth: 3 }), /base_model has unknown settings: depth/);
  check("predictor-base-model", config("base_model", 3), /base_model is 3, expected an object/);
  expect(() => runCaseFolder(scratch)).toThrow(/no parity case/);
  expect(() => findCases(import.meta.dir)).toThrow(/holds no parity case/);
});

test("the command ends with 0 within and 1 beyond the tolerance", () => {
  const bad = altered(
    "encoder-faith-pd",
    (_, tensors) => void tensors.get("outputs/base_prediction")!.add_(1),
  );
  const run = (folder: string) => {
    const done = Bun.spawnSync([process.execPath, "scripts/aam.ts", "parity", "--case", folder], {
      cwd: root,
    });
    return { code: done.exitCode, text: done.stdout.toString() };
  };
  const good = run(join(own, "encoder-faith-pd"));
  expect(good.code).toBe(0);
  expect(good.text).toContain("outputs/base_prediction  ok");
  const wrong = run(bad);
  expect(wrong.code).toBe(1);
  expect(wrong.text).toContain("outputs/base_prediction  FAILED");
});

test("of a folder of cases all are compared, also after one that cannot be run", () => {
  const folder = join(scratch, "several");
  for (const name of ["asv-encoder-gelu", "asv-encoder-relu"]) {
    cpSync(join(own, name), join(folder, name), { recursive: true });
  }
  const broken = join(folder, "asv-encoder-gelu", "case.json");
  writeFileSync(broken, readFileSync(broken, "utf8").replace("num_layers", "depth"));
  const done = Bun.spawnSync([process.execPath, "scripts/aam.ts", "parity", "--cases", folder], {
    cwd: root,
  });
  const text = done.stdout.toString();
  expect(done.exitCode).toBe(1);
  expect(text).toMatch(/FAILED .*asv-encoder-gelu: .*unknown settings: depth/);
  expect(text).toContain("passed  asv-encoder-relu");
  expect(text).toContain("1 of 2 cases passed");
});

test("a model's loss may say that samples have weights, which then must be there", () => {
  const weighted = (wanted: boolean, remove = false) =>
    altered("predictor-weights-mse", (description, tensors) => {
      (description["loss"] as Record<string, unknown>)["sample_weights"] = wanted;
      if (remove) tensors.delete("targets/sample_weights");
    });
  expect(failures(weighted(true))).toEqual([]);
  expect(failures(weighted(false)).length).toBeGreaterThan(0);
  expect(() => failures(weighted(true, true))).toThrow(/no targets\/sample_weights; add them \[B\]/);
});
