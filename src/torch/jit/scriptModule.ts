import { accessSync, constants } from "node:fs";
import { describeReadError } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { type Device, parseDevice } from "../core/device.ts";
import { Tensor } from "../core/tensor.ts";
import { ArgumentPack, accepts, describeValue, expectation, tags } from "../dispatch/argumentPack.ts";
import { isOptions } from "../dispatch/boxedCall.ts";
import { camelCase, parseSchema, type Schema } from "../dispatch/schema.ts";
import { TorchError } from "../native/errors.ts";
import { check, readText, shim } from "../native/library.ts";

const encoder = new TextEncoder();
const packing = new ArgumentPack();
const results = new Float64Array(new ArrayBuffer(8 * 4096));
const models = new FinalizationRegistry<number>((number) => void shim.aamt_jit_free(number));

/** What a model of Python's gives: tensors, numbers, texts, lists (tuples too) and Maps of them. */
export type ScriptValue =
  | Tensor
  | number
  | boolean
  | string
  | null
  | ScriptValue[]
  | Map<unknown, ScriptValue>;

type Described =
  | number
  | boolean
  | string
  | null
  | Described[]
  | { readonly tensor: number }
  | { readonly pairs: [Described, Described][] }
  | { readonly number: string };

/** Puts the tensors into a result's structure. @internal */
export function readStructure(count: number): ScriptValue {
  const tensors = Array.from(results.subarray(0, count), (handle) => Tensor.fromHandle(handle, 0));
  const build = (value: Described): ScriptValue => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(build);
    if ("tensor" in value) return tensors[value.tensor];
    if ("number" in value) return Number(value.number);
    return new Map(value.pairs.map(([key, item]) => [build(key), build(item)]));
  };
  return build(
    JSON.parse(readText((buffer, capacity) => shim.aamt_jit_structure(buffer, capacity))) as Described,
  );
}

/** The buffer that results' handles come in. @internal */
export const resultHandles = results;

/** Python's notation of a method in that of operators: `forward(__torch__.M self, Tensor x) -> Tensor`. */
function schemaOf(line: string): { name: string; schema: Schema } {
  const name = /^([\w.]+)\(/.exec(line)?.[1] ?? "";
  const plain = line
    .replace(/^[\w.]+\((?:[^,()]|\([^)]*\))* self(?:, )?/, `${name.replace(/.*\./, "")}(`)
    .replaceAll("Optional[Tensor]", "Tensor?")
    .replaceAll(/Optional\[(\w+)\]/g, "$1?")
    .replaceAll(/List\[(\w+)\]/g, "$1[]");
  return { name: name.replace(/.*\./, ""), schema: parseSchema(plain) };
}

/** @throws UserError where there is no such file. @internal */
export function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw describeReadError(path, cause);
  }
}

/**
 * A model that was written by `torch.jit.save`. Its methods are called by name, `forward` as everywhere; what
 * it computes takes part in autograd, so it can be trained further.
 */
export class ScriptModule {
  readonly #number: number;
  readonly #schemas = new Map<string, Schema>();

  /** @internal use `torch.jit.load`. */
  constructor(number: number) {
    this.#number = number;
    models.register(this, number, this);
    const text = readText((buffer, capacity) => shim.aamt_jit_methods(number, buffer, capacity));
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const { name, schema } = schemaOf(line);
      this.#schemas.set(name, schema);
    }
  }

  /** The methods that can be called, `forward` among them. */
  get methods(): readonly string[] {
    return [...this.#schemas.keys()];
  }

  forward(...args: unknown[]): ScriptValue {
    return this.call("forward", ...args);
  }

  /**
   * Calls a method. Arguments go by position; a plain object as the last one holds
   * options by name (in camelCase).
   * @throws TypeError for arguments that do not fit, TorchError for what the model itself refuses.
   */
  call(method: string, ...args: unknown[]): ScriptValue {
    const schema = this.#schemas.get(method);
    if (!schema)
      throw new TypeError(`the model has no method ${method}; it has ${this.methods.join(", ") || "none"}`);
    const options = isOptions(args.at(-1)) ? (args.pop() as Record<string, unknown>) : {};
    packing.reset();
    if (args.length > schema.arguments.length)
      throw new TypeError(`${method}: takes ${schema.arguments.length} arguments, got ${args.length}`);
    for (const key of Object.keys(options))
      if (!schema.arguments.some((formal) => formal.name === key))
        throw new TypeError(
          `${method}: has no argument '${key}'; it takes ${schema.arguments.map(({ name }) => name).join(", ")}`,
        );
    schema.arguments.forEach((formal, i) => {
      const value = i < args.length ? args[i] : options[camelCase(formal.name)];
      if (value === undefined) {
        if (!formal.hasDefault) throw new TypeError(`${method}: argument '${formal.name}' is missing`);
        packing.put1(tags.default);
        return;
      }
      if (!accepts(formal, value))
        throw new TypeError(
          `${method}: argument '${formal.name}' must be ${expectation(formal)}, got ${describeValue(value)}`,
        );
      packing.put(formal, value, { operator: method, args });
    });
    const name = encoder.encode(method);
    const { values, length, text, textLength } = packing;
    const count = check(
      shim.aamt_jit_call(
        this.#number,
        name,
        name.length,
        values,
        length,
        text,
        textLength,
        results,
        results.length,
      ),
      method,
    );
    return readStructure(count);
  }

  #state(buffers: number): Map<string, Tensor> {
    const count = check(shim.aamt_jit_state(this.#number, buffers, results, results.length), "ScriptModule");
    return new Map(readStructure(count) as unknown as [string, Tensor][]);
  }

  /** The model's own parameters: an optimizer changes the model by them. */
  namedParameters(): Map<string, Tensor> {
    return this.#state(0);
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  namedBuffers(): Map<string, Tensor> {
    return this.#state(1);
  }

  stateDict(): Map<string, Tensor> {
    return new Map([...this.namedParameters(), ...this.namedBuffers()]);
  }

  /** Switches dropout and the like on or off. */
  train(on = true): this {
    check(shim.aamt_jit_train(this.#number, on ? 1 : 0), "train");
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Frees the model now. */
  dispose(): void {
    models.unregister(this);
    check(shim.aamt_jit_free(this.#number));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Reads a model that Python wrote with `torch.jit.save` (TorchScript). @throws UserError for other files.
 * @example
 * const model = torch.jit.load("model.pt");
 * const logits = model.forward(torch.randn([1, 3, 224, 224])) as torch.Tensor;
 */
export function load(path: string, options: { device?: Device } = {}): ScriptModule {
  checkReadable(path);
  const { type, index } = parseDevice(options.device ?? "cpu");
  const bytes = encoder.encode(path);
  let number: number;
  try {
    number = check(shim.aamt_jit_load(bytes, bytes.length, type, index), "torch.jit.load");
  } catch (cause) {
    if (!(cause instanceof TorchError)) throw cause;
    const first = cause.message.split("\n")[0];
    throw new UserError(
      `${path} cannot be read as TorchScript: ${first} Write it with torch.jit.save; torch.load reads files of torch.save.`,
    );
  }
  return new ScriptModule(number);
}
