import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";

/** What an example prints; one thread, since the numbers are small. */
async function run(name: string, ranks = 0): Promise<string> {
  const file = join(projectRoot, "examples", `${name}.ts`);
  expect(readFileSync(file, "utf8").split("\n").length).toBeLessThanOrEqual(80);
  const launcher = ranks > 0 ? [join(projectRoot, "scripts/ranks.ts"), String(ranks)] : [];
  const child = Bun.spawn([process.execPath, ...launcher, file], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  const [text, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(code === 0 ? "" : errors).toBe("");
  return text;
}

const numbers = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

test("linear regression finds the line", async () => {
  const text = await run("linearRegression");
  const [, slope, intercept] = /y = (\S+) x \+ (\S+),/.exec(text)!;
  expect(Number(slope)).toBeCloseTo(3, 1);
  expect(Number(intercept)).toBeCloseTo(-1, 1);
  const losses = numbers(text, /loss (\S+)/g);
  expect(losses.at(-1)).toBeLessThan(losses[0] / 100);
}, 60_000);

test("a study goes from files to distances without a tree and to predictions of metadata", async () => {
  const text = await run("study");
  expect(numbers(text, /R2 (\S+)/g)[0]).toBeGreaterThan(0.5);
  expect(numbers(text, /pH of \S+(?: \S+)*: (\S+)$/gm)[0]).toBeWithin(3, 10);
}, 120_000);

test("the perceptron reads digits that it has not seen", async () => {
  const text = await run("digits");
  expect(text).toContain("parameters");
  const accuracies = numbers(text, /accuracy (\S+)/g);
  expect(accuracies.length).toBe(6);
  expect(accuracies.at(-1)).toBeGreaterThan(0.85);
  expect(accuracies.at(-1)).toBeGreaterThan(accuracies[0]);
}, 60_000);

test("the transformer goes on with the text that it has learned", async () => {
  const text = await run("characterTransformer");
  const losses = numbers(text, /loss (\S+)/g);
  expect(losses[0]).toBeGreaterThan(2.5);
  expect(losses.at(-1)).toBeLessThan(0.6);
  expect(text).toContain("written: the quick brown fox jumps");
}, 110_000);

test("LBFGS finds the oscillation behind noisy points in five steps", async () => {
  const text = await run("lbfgsFit");
  const found = /found: (.*)/.exec(text)![1].split(" ").map(Number);
  [2, 0.3, 3, 0.5].forEach((value, i) => {
    expect(Math.abs(found[i] - value)).toBeLessThan(0.05);
  });
  expect(numbers(text, /loss (\S+)/g).at(-1)).toBeLessThan(0.004);
}, 60_000);

test("the LSTM writes the sentence that it has learned", async () => {
  const text = await run("lstmLanguageModel");
  const losses = numbers(text, /loss (\S+)/g);
  expect(losses[0]).toBeGreaterThan(2.5);
  expect(losses.at(-1)).toBeLessThan(0.2);
  expect(text).toContain("written: gut microbes ferment fibre to short chain fatty acids.");
}, 110_000);

test("two ranks learn what one learns of the whole batch", async () => {
  const [one, two] = [await run("dataParallel", 1), await run("dataParallel", 2)];
  const losses = numbers(two, /loss (\S+)/g);
  expect(losses.length).toBe(3);
  numbers(one, /loss (\S+)/g).forEach((loss, i) => {
    expect(Math.abs(losses[i] - loss)).toBeLessThan(2e-4);
  });
  expect(two).toContain("over 2 ranks");
  expect(numbers(two, /accuracy (\S+)/g)[0]).toBeGreaterThan(0.97);
}, 60_000);

test("a function with a backward of its own trains a network of ones and zeros", async () => {
  const accuracies = numbers(await run("autogradFunction"), /accuracy (\S+),/g);
  expect(accuracies.at(-1)!).toBeGreaterThan(0.9);
  expect(accuracies.at(-1)!).toBeGreaterThan(accuracies[0]);
}, 60_000);

test("graph attention tells groups by who knows whom", async () => {
  const accuracies = numbers(await run("gat"), /accuracy (\S+)/g);
  expect(accuracies.at(-1)!).toBeGreaterThan(0.85);
}, 60_000);

test("BERT from a Hugging Face folder gives transformers' logits", async () => {
  // The sum and the largest of the first text in tests/fixtures/torch/bert/answers.json.
  expect(await run("bert")).toContain("logits [1,8,21], sum -29.1104; best: cat 0.8010, [SEP] 0.3371");
}, 60_000);

test("the residual network tells shapes apart that it has not seen", async () => {
  const accuracies = numbers(await run("resnet"), /accuracy (\S+)/g);
  expect(accuracies.length).toBe(3);
  expect(accuracies.at(-1)!).toBeGreaterThan(0.8);
}, 110_000);

test("what the DCGAN draws becomes discs", async () => {
  const text = await run("dcgan");
  const [first, ...later] = numbers(text, /step \d+: roundness (\S+)/g);
  expect(numbers(text, /real: roundness (\S+)/g)[0]).toBeGreaterThan(0.9);
  expect(first).toBeLessThan(0.6);
  expect(later.at(-1)!).toBeGreaterThan(0.7);
}, 110_000);
