import { expect, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";

const fixture = join(import.meta.dir, "../../fixtures/torch/bert");
const answers = (await Bun.file(join(fixture, "answers.json")).json()) as {
  texts: string[];
  inputIds: number[][];
  attentionMask: number[][];
};
const folder = mkdtempSync(join(tmpdir(), "aam-hub-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

test("a folder's tokenizer gives transformers' numbers, and texts back", () => {
  using _s = torch.scope();
  const tokenizer = torch.hub.readTokenizer(fixture);
  const { inputIds, attentionMask } = tokenizer.batch(answers.texts);
  expect(inputIds.toArray()).toEqual(answers.inputIds);
  expect(attentionMask.toArray()).toEqual(answers.attentionMask);
  expect(tokenizer.encode("a dog").tokens).toEqual(["[CLS]", "a", "dog", "[SEP]"]);
  expect(tokenizer.encode("a dog", { addSpecialTokens: false }).ids.length).toBe(2);
  expect(tokenizer.decode(answers.inputIds[1])).toContain("a dog run ##ning");
});

test("weights in several files are one state; what is missing is named", () => {
  using _s = torch.scope();
  const state = torch.hub.readPretrained(fixture).stateDict();
  expect(state.get("bert.embeddings.word_embeddings.weight")!.shape).toEqual([21, 16]);
  cpSync(fixture, folder, { recursive: true });
  rmSync(join(folder, "model-00001-of-00002.safetensors"), { force: true });
  expect(() => torch.hub.readPretrained(folder).stateDict()).toThrow(/00001/);
  rmSync(join(folder, "model.safetensors.index.json"));
  expect(() => torch.hub.readPretrained(folder).stateDict()).toThrow(/neither model.safetensors nor/);
  writeFileSync(join(folder, "config.json"), "{");
  expect(() => torch.hub.readPretrained(folder)).toThrow(/config.json is no JSON/);
  rmSync(join(folder, "tokenizer.json"));
  expect(() => torch.hub.readTokenizer(folder)).toThrow(/tokenizer.json/);
});
