/**
 * Reading LibTorch's operator schemas, e.g.
 * `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.
 */

/** What an argument takes, apart from being optional. */
export type ArgumentKind =
  | "Tensor"
  | "Tensor[]"
  | "Tensor?[]"
  | "int"
  | "int[]"
  | "float"
  | "float[]"
  | "bool"
  | "bool[]"
  | "str"
  | "Scalar"
  | "Scalar[]"
  | "ScalarType"
  | "Layout"
  | "Device"
  | "MemoryFormat"
  | "Generator"
  | "unsupported";

export interface SchemaArgument {
  /** PyTorch's name in camelCase: `keepdim` stays, `attn_mask` becomes `attnMask`. */
  readonly name: string;
  readonly kind: ArgumentKind;
  readonly optional: boolean;
  readonly hasDefault: boolean;
  /** Only by name, in the options object. */
  readonly byName: boolean;
  /** Results are written into it: `Tensor(a!) out` by name. */
  readonly isOutput: boolean;
  /** `int[2]` takes a single number for all of its elements: 2; 0 where a list must be given. */
  readonly expands: number;
}

export interface Schema {
  /** The full text. */
  readonly text: string;
  /** E.g. `aten::add`. */
  readonly name: string;
  /** E.g. `Tensor`, or empty. */
  readonly overload: string;
  readonly arguments: readonly SchemaArgument[];
  /** `Tensor`, `Tensor[]`, `int` ... of each result. */
  readonly returns: readonly string[];
  /** Whether the first argument is changed and returned, as the in-place operators do. */
  readonly inPlace: boolean;
}

const bracketDepth: Record<string, number> = { "(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1 };

function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    depth += bracketDepth[character] ?? 0;
    if (character === "," && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  if (last) parts.push(last);
  return parts;
}

export function camelCase(name: string): string {
  const tail = /_*$/.exec(name)![0];
  const head = /^_*/.exec(name)![0];
  const body = name.slice(head.length, name.length - tail.length);
  return head + body.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase()) + tail;
}

/** The other way round: `weightDecay` is `weight_decay`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const baseKinds: Record<string, ArgumentKind> = {
  Tensor: "Tensor",
  int: "int",
  SymInt: "int",
  float: "float",
  bool: "bool",
  str: "str",
  Scalar: "Scalar",
  ScalarType: "ScalarType",
  Layout: "Layout",
  Device: "Device",
  MemoryFormat: "MemoryFormat",
  Generator: "Generator",
};

function parseType(type: string): { kind: ArgumentKind; optional: boolean; expands: number } {
  const plain = type.replace(/\([^)]*\)/g, "");
  const match = /^(\w+)(\?)?(?:\[(\d*)\])?(\?)?$/.exec(plain);
  if (!match) return { kind: "unsupported", optional: plain.endsWith("?"), expands: 0 };
  const [, base, innerOptional, size, outerOptional] = match;
  const isList = size !== undefined;
  const kind = baseKinds[base] ?? "unsupported";
  if (!isList) return { kind, optional: innerOptional !== undefined, expands: 0 };
  const list = innerOptional ? `${kind}?[]` : `${kind}[]`;
  const known: readonly string[] = ["Tensor[]", "Tensor?[]", "int[]", "float[]", "bool[]", "Scalar[]"];
  return {
    kind: known.includes(list) ? (list as ArgumentKind) : "unsupported",
    optional: outerOptional !== undefined,
    expands: size ? Number(size) : 0,
  };
}

/** Reads one schema. @throws Error for text that is not a schema (a bug, not a user's mistake). */
export function parseSchema(text: string): Schema {
  const head = /^([\w:]+)(?:\.(\w+))?\(/.exec(text);
  const arrow = text.lastIndexOf(") -> ");
  if (!head || arrow < 0) throw new Error(`internal: not an operator schema: ${text}`);
  const formals: SchemaArgument[] = [];
  let byName = false;
  let inPlace = false;
  for (const part of splitTopLevel(text.slice(head[0].length, arrow))) {
    if (part === "*") {
      byName = true;
      continue;
    }
    const equals = part.indexOf("=");
    const declaration = equals < 0 ? part : part.slice(0, equals);
    const space = declaration.lastIndexOf(" ");
    const type = declaration.slice(0, space);
    const name = declaration.slice(space + 1);
    if (formals.length === 0 && /\(\w+!/.test(type)) inPlace = true;
    const isOutput = byName && type.includes("!");
    // Newer collectives take objects here, too: a process group from 2.13 on, a ReduceOp from 2.15 on. Their
    // names are what can be passed.
    const passed = type === "Any" && ["group_name", "reduce_op"].includes(name) ? "str" : type;
    formals.push({ name: camelCase(name), ...parseType(passed), hasDefault: equals >= 0, byName, isOutput });
  }
  const result = text.slice(arrow + 5).trim();
  const returns = splitTopLevel(
    result.startsWith("(") && result.endsWith(")") ? result.slice(1, -1) : result,
  );
  return {
    text,
    name: head[1],
    overload: head[2] ?? "",
    arguments: formals,
    returns: returns.map((item) => item.replace(/\([^)]*\)/g, "").split(" ")[0]),
    inPlace: inPlace && head[1].endsWith("_"),
  };
}
