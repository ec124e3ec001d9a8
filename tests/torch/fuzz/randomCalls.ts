/**
 * Calls random operators with random arguments, right and wrong: `bun randomCalls.ts SEED COUNT LOG`. Before
 * each call its text is written to LOG, so that after a crash its last line names the culprit. Everything
 * that `torch.ops` reaches without `unsafe` is called, operators with a typed function four times as often as
 * the others. Prints how the calls ended as JSON.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { Random } from "../../../src/common/random/random.ts";
import { describeValue } from "../../../src/torch/dispatch/argumentPack.ts";
import { isInternalOperator } from "../../../src/torch/dispatch/internalOperators.ts";
import { exposedOperators } from "../../../src/torch/dispatch/opList.ts";
import { isCallable } from "../../../src/torch/dispatch/overloadOrder.ts";
import { type ArgumentKind, parseSchema, type SchemaArgument } from "../../../src/torch/dispatch/schema.ts";
import * as torch from "../../../src/torch/index.ts";

/** Operators by names that are known at run time alone. */
const anyOperator = torch.ops.aten as unknown as Record<string, (...args: unknown[]) => unknown>;

const [seed, count, logPath] = process.argv.slice(2);
const random = new Random(Number(seed));
const log = openSync(logPath, "w");

const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)];
const chance = (probability: number): boolean => random.float() < probability;

const sizes = [0, 1, 2, 3, 4];
const dtypes = [
  "float32",
  "float32",
  "float64",
  "int64",
  "bool",
  "int32",
  "uint8",
  "bfloat16",
  "float16",
] as const;
const ordinary = [0, 1, 2, 3, -1, -2, 4];
// What is huge is so huge that no machine can try it.
const odd = [
  7,
  -5,
  100,
  -100,

  2 ** 40,
  2 ** 45,
  -(2 ** 45),
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
];
const integer = (): number => (chance(0.85) ? pick(ordinary) : pick(odd));
const number = (): number =>
  chance(0.7) ? pick([0, 1, 0.5, -1.5, 2, 1e-3]) : pick([Number.NaN, Infinity, -Infinity, 1e30, -1e-30, -0]);

/** What most tensors of one call have in common: unrelated ones would be refused at the first check. */
let common = { shape: [] as number[], dtype: "float32" as torch.DType };

function randomShape(): number[] {
  const { shape } = common;
  if (chance(0.5)) return [...shape];
  if (chance(0.4)) return shape.length > 1 ? shape.slice(chance(0.5) ? 1 : -1) : [...shape, pick(sizes)];
  return Array.from({ length: pick([0, 1, 1, 2, 2, 2, 3, 3, 4, 5]) }, () => pick(sizes));
}

function randomTensor(): torch.Tensor {
  const dtype = chance(0.7) ? common.dtype : pick(dtypes);
  const shape = randomShape();
  let tensor = torch.randint(-3, 5, shape).to(dtype);
  if (chance(0.1) && shape.length > 1) tensor = tensor.transpose(0, -1);
  if (chance(0.05)) tensor = tensor.unsqueeze(0).expand([2, ...tensor.shape]);
  if (chance(0.2) && dtype.startsWith("float")) tensor = tensor.detach().requiresGrad_();
  if (chance(0.01)) tensor.dispose();
  return tensor;
}

const list = <T>(make: () => T): T[] => Array.from({ length: pick([0, 1, 1, 2, 2, 3, 4]) }, make);

const makers: Record<ArgumentKind, () => unknown> = {
  Tensor: randomTensor,
  "Tensor[]": () => list(randomTensor),
  "Tensor?[]": () => list(() => (chance(0.3) ? null : randomTensor())),
  int: integer,
  "int[]": () => list(integer),
  float: number,
  "float[]": () => list(number),
  bool: () => chance(0.5),
  "bool[]": () => list(() => chance(0.5)),
  str: () => pick(["mean", "none", "sum", "linear", "reflect", "tanh", "trunc", "", "é"]),
  Scalar: () => (chance(0.5) ? integer() : chance(0.8) ? number() : chance(0.5)),
  "Scalar[]": () => list(() => (chance(0.5) ? integer() : number())),
  ScalarType: () => pick(dtypes),
  Layout: () => pick(["strided", "sparse"]),
  Device: () => pick(["cpu", "cpu", "cuda", "meta", "cpu:1"]),
  MemoryFormat: () => pick(["contiguous", "preserve", "channelsLast", "channelsLast3d"]),
  Generator: () => new torch.Generator(),
  unsupported: () => null,
};
const wrong = (): unknown =>
  pick<() => unknown>([
    () => undefined,
    () => null,
    () => "text",
    () => ({}),
    () => ({ nonsense: 1 }),
    () => [],
    () => [undefined],
    () => [null],
    () => () => 1,
    () => Symbol.iterator,
    () => 10n,
    () => 2n ** 80n,
    () => new Date(0),
    () => new Float32Array(2),
    () => Number.NaN,
    () => 1.5,
    () => [[1], 2],
    () => true,
    randomTensor,
  ])();

function argument(formal: SchemaArgument): unknown {
  if (chance(0.04)) return wrong();
  if (formal.optional && chance(0.4)) return null;
  return makers[formal.kind]();
}

const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));
const schemas = [...torch.librarySchemas()]
  .filter(([name]) => name.startsWith("aten::") && !isInternalOperator("aten", name.slice(6)))
  // It makes a file of any name that it is given.
  .filter(([name]) => name !== "aten::from_file")
  .flatMap(([name, texts]) => {
    const forms = texts.map(parseSchema).filter(isCallable);
    return forms.length > 0 ? [{ name: name.slice(6), forms }] : [];
  });
const known = new Set(exposed);
const pool = schemas.flatMap((entry) => (known.has(entry.name) ? [entry, entry, entry, entry] : [entry]));

const outcomes: Record<string, number> = {};
const unexpected: string[] = [];
for (let i = 0; i < Number(count); i++) {
  using _s = torch.scope();
  common = { shape: [], dtype: pick(dtypes) };
  common.shape = randomShape();
  const { name, forms } = pick(pool);
  const form = pick(forms);
  const args: unknown[] = [];
  const options: Record<string, unknown> = {};
  for (const formal of form.arguments) {
    if (formal.hasDefault && chance(0.5)) {
      if (formal.byName) continue;
      break;
    }
    if (formal.byName) options[formal.name] = argument(formal);
    else args.push(argument(formal));
  }
  if (chance(0.03)) args.pop();
  if (chance(0.03)) args.push(wrong());
  if (Object.keys(options).length > 0 || chance(0.05)) args.push(options);
  const shown = (value: unknown): string =>
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
      ? `{${Object.entries(value).map(([key, item]) => `${key}: ${shown(item)}`)}}`
      : describeValue(value);
  // It walks through its window, whatever the size: to the end of days here.
  if (name.startsWith("max_pool") && /\d{10}/.test(args.map(shown).join())) continue;
  writeSync(log, `${i} ${form.text.slice(0, form.text.indexOf("("))}(${args.map(shown).join(", ")})\n`);
  let outcome = "returned";
  try {
    const result = anyOperator[name](...args);
    for (const item of Array.isArray(result) ? result : [result]) {
      if (!(item instanceof torch.Tensor) || item.isDisposed) continue;
      outcome = "returned tensors";
      if (item.numel < 10_000 && chance(0.3)) String(item);
      if (chance(0.1) && item.requiresGrad && item.numel === 1) item.backward();
    }
  } catch (cause) {
    outcome = (cause as Error).name;
    if (!(cause instanceof torch.TorchError || cause instanceof TypeError))
      unexpected.push(`${name}: ${(cause as Error).stack}`);
    else if (
      !cause.message.includes(name) &&
      !/disposed|backward|dtype|device|dense|counterpart/.test(cause.message)
    )
      unexpected.push(`${name}: ${cause.message}`);
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
closeSync(log);
console.log(JSON.stringify({ outcomes, unexpected: unexpected.slice(0, 20), operators: schemas.length }));
