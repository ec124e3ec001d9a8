import { expect, test } from "bun:test";
import * as torch from "../../src/torch/index.ts";
import { readProjectText } from "../helpers/projectFiles.ts";

const rows = (readProjectText("FEATURES.md") ?? "")
  .split("\n")
  .filter((line) => /^\| [^|-]/.test(line))
  .slice(1)
  .map((line) => line.split("|").map((cell) => cell.trim()));

/**
 * Whether a dotted name is there: below the namespace, as a method or property of tensors where
 * it begins with `Tensor.`.
 */
function exists(name: string): boolean {
  if (name.startsWith("Tensor.")) return name.slice("Tensor.".length) in torch.Tensor.prototype;
  let place: unknown = torch;
  for (const part of name.split(".")) {
    if (typeof place !== "object" || place === null || !(part in place)) return false;
    place = (place as Record<string, unknown>)[part];
  }
  return true;
}

test("what FEATURES.md says we have is there", () => {
  const names = rows.flatMap(([, , have = ""]) =>
    [...have.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
  );
  expect(names.length).toBeGreaterThan(300);
  // `expand`, `reshape` and the like are functions as well as methods.
  expect(names.filter((name) => !exists(name))).toEqual([]);
  expect(exists("nn.NoSuchLayer") || exists("Tensor.noSuchMethod")).toBe(false);
});

test("what FEATURES.md says is missing is missing", () => {
  const names = rows.flatMap(([, , , , missing = ""]) =>
    [...missing.matchAll(/`([\w.]+)`/g)].map((m) => m[1] ?? ""),
  );
  const places = (name: string) => [
    name,
    `nn.${name}`,
    `nn.functional.${name}`,
    `nn.init.${name}`,
    `optim.${name}`,
  ];
  expect(names.length).toBeGreaterThan(5);
  const plain = names.filter((name) => !name.startsWith("torch."));
  expect(plain.filter((name) => places(name).some(exists))).toEqual([]);
});
