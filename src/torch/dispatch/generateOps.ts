import { isInternalOperator } from "./internalOperators.ts";
import { docOf } from "./opDocs.ts";
import { isCallable, sortOverloads } from "./overloadOrder.ts";
import { camelCase, parseSchema, type Schema, type SchemaArgument } from "./schema.ts";

const types: Record<string, string> = {
  Tensor: "Tensor",
  "Tensor[]": "readonly Tensor[]",
  "Tensor?[]": "readonly (Tensor | null)[]",
  int: "number",
  "int[]": "readonly number[]",
  float: "number",
  "float[]": "readonly number[]",
  bool: "boolean",
  "bool[]": "readonly boolean[]",
  str: "string",
  Scalar: "Scalar",
  "Scalar[]": "readonly Scalar[]",
  ScalarType: "DType",
  Layout: "Layout",
  Device: "Device",
  MemoryFormat: "MemoryFormat",
  Generator: "Generator",
};

/** Names that a variable cannot have, but an export can. */
const reservedWords = new Set(["var"]);

/** What `readResult` (boxedCall.ts) makes of each kind of result; all others are numbers. */
const resultTypes: Record<string, string> = {
  Tensor: "Tensor",
  "Tensor?": "Tensor | null",
  "Tensor[]": "Tensor[]",
  "int[]": "number[]",
  "SymInt[]": "number[]",
  bool: "boolean",
  Device: "string",
  "": "void",
};

function typeOf(formal: SchemaArgument): string {
  const single = formal.expands > 0 ? "number | " : "";
  return single + types[formal.kind] + (formal.optional ? " | null" : "");
}

function declaration(formal: SchemaArgument): string {
  return `${formal.name}${formal.hasDefault ? "?" : ""}: ${typeOf(formal)}`;
}

function returnType(schema: Schema, isMethod: boolean): string {
  if (schema.inPlace && schema.returns.length === 1) return isMethod ? "this" : "Tensor";
  const items = schema.returns.map((item) => resultTypes[item] ?? "number");
  return items.length === 1 ? items[0] : items.length === 0 ? "void" : `[${items.join(", ")}]`;
}

/**
 * The parameter lists of one overload: everything by position, and (where there are
 * defaults) the rest by name.
 */
function parameterLists(formals: readonly SchemaArgument[]): string[] {
  const usable = formals.filter((formal) => formal.kind !== "unsupported");
  const positional = usable.filter((formal) => !formal.byName);
  const named = usable.filter((formal) => formal.byName);
  const withOptions = (list: readonly SchemaArgument[], options: readonly SchemaArgument[]) => {
    const parts = list.map(declaration);
    if (options.length > 0) {
      const needed = options.some((formal) => !formal.hasDefault);
      parts.push(`options${needed ? "" : "?"}: { ${options.map(declaration).join("; ")} }`);
    }
    return parts.join(", ");
  };
  const firstDefault = positional.findIndex((formal) => formal.hasDefault);
  // Required options after optional positions cannot be declared; then only the form by name is.
  const declarable = firstDefault < 0 || named.every((formal) => formal.hasDefault);
  const lists = declarable ? [withOptions(positional, named)] : [];
  if (firstDefault >= 0) {
    lists.push(withOptions(positional.slice(0, firstDefault), [...positional.slice(firstDefault), ...named]));
  }
  return lists;
}

/**
 * A required parameter may not follow an optional one in TypeScript; such an overload keeps its leading
 * part optional by `null`.
 */
function isOrdered(formals: readonly SchemaArgument[]): boolean {
  const positional = formals.filter((formal) => !formal.byName);
  const firstDefault = positional.findIndex((formal) => formal.hasDefault);
  return firstDefault < 0 || positional.slice(firstDefault).every((formal) => formal.hasDefault);
}

/**
 * `parameterLists`, also for overloads that are not ordered: what has a default before
 * what has none must be given.
 */
function libraryParameterLists(formals: readonly SchemaArgument[]): string[] {
  const lastRequired = formals.findLastIndex((formal) => !formal.hasDefault && !formal.byName);
  return parameterLists(
    formals.map((formal, i) =>
      i < lastRequired && !formal.byName ? { ...formal, hasDefault: false } : formal,
    ),
  );
}

/**
 * The text of atenOps.gen.ts: the types of `torch.ops.aten`, every operator of the
 * library but the internal ones.
 */
export function generateLibraryTypes(library: string): { text: string; count: number } {
  const byName = new Map<string, Schema[]>();
  for (const line of library.split("\n")) {
    if (!line.startsWith("aten::")) continue;
    const schema = parseSchema(line);
    const name = schema.name.slice(6);
    if (!isCallable(schema) || isInternalOperator("aten", name)) continue;
    byName.set(name, [...(byName.get(name) ?? []), schema]);
  }
  const members = [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schemas]) => {
      const signatures = sortOverloads(schemas).flatMap((schema) =>
        libraryParameterLists(schema.arguments).map((list) => `(${list}): ${returnType(schema, false)}`),
      );
      const says = docOf(name);
      return `${says === undefined ? "" : `  /** ${says} */\n`}  readonly ${name}: { ${[...new Set(signatures)].join("; ")} };`;
    });
  const text = `// GENERATED by scripts/generateOps.ts from LibTorch's schemas; do not edit.
import type { Device } from "../core/device.ts";
import type { DType, Layout, MemoryFormat, Scalar } from "../core/dtype.ts";
import type { Generator } from "../core/generator.ts";
import type { Tensor } from "../core/tensor.ts";

/** Every operator of the newest LibTorch that is accepted, under its own name, but for the internal ones. */
export interface AtenOperators {
${members.join("\n")}
}
`;
  return { text, count: byName.size };
}

/**
 * The text of ops.gen.ts for the listed operators, typed by the library's schemas.
 * @throws Error for an unknown name.
 */
export function generateOps(
  list: Readonly<Record<string, string>>,
  library: string,
): { text: string; count: number } {
  const byName = new Map<string, Schema[]>();
  for (const line of library.split("\n")) {
    if (!line.startsWith("aten::")) continue;
    const schema = parseSchema(line);
    if (!isCallable(schema) || !isOrdered(schema.arguments)) continue;
    const known = byName.get(schema.name);
    if (known) known.push(schema);
    else byName.set(schema.name, [schema]);
  }
  const functions: string[] = [];
  const methods: string[] = [];
  const methodNames: string[] = [];
  let count = 0;
  const missing = Object.values(list).flatMap((names) =>
    names.split(" ").filter((name) => !byName.has(`aten::${name}`)),
  );
  if (missing.length > 0)
    throw new Error(`opList.ts: this LibTorch has no callable operators ${missing.join(", ")}`);
  for (const [group, names] of Object.entries(list)) {
    functions.push(`\n// ---- ${group} ----`);
    methods.push(`\n  // ---- ${group} ----`);
    for (const name of names.split(" ")) {
      const sorted = sortOverloads(byName.get(`aten::${name}`)!);
      const display = camelCase(name);
      count++;
      const overloads = JSON.stringify(sorted.map((schema) => schema.overload));
      const signatures = sorted.flatMap((schema) =>
        parameterLists(schema.arguments).map((parameters) => `(${parameters}): ${returnType(schema, false)}`),
      );
      const says = docOf(name);
      if (says === undefined) throw new Error(`opDocs.ts: no sentence for ${name}`);
      const schemas = sorted.map((schema) => ` * - \`${schema.text.slice(6)}\``);
      functions.push(["/**", ` * ${says}`, " *", ...schemas, " */"].join("\n"));
      const declared = reservedWords.has(display) ? `${display}$` : display;
      functions.push(
        `${declared === display ? "export " : ""}const ${declared} = operator("aten::${name}", ${overloads}, "${display}") as { ${[...new Set(signatures)].join("; ")} };`,
      );
      if (declared !== display) functions.push(`export { ${declared} as ${display} };`);
      const onTensor = sorted.filter(
        (schema) => schema.arguments[0]?.kind === "Tensor" && !schema.arguments[0].byName,
      );
      if (onTensor.length === 0) continue;
      methodNames.push(display);
      const ownSignatures = onTensor.flatMap((schema) =>
        parameterLists(schema.arguments.slice(1)).map(
          (parameters) => `  ${display}(${parameters}): ${returnType(schema, true)};`,
        ),
      );
      methods.push(...[...new Set(ownSignatures)].map((signature) => `  /** ${says} */\n${signature}`));
    }
  }
  const text = `// GENERATED by scripts/generateOps.ts from LibTorch's schemas; do not edit. The list is in opList.ts.
import type { Device } from "../core/device.ts";
import type { DType, Layout, MemoryFormat, Scalar } from "../core/dtype.ts";
import type { Generator } from "../core/generator.ts";
import { operator } from "./operators.ts";
import type { Tensor } from "../core/tensor.ts";
${functions.join("\n")}

/** The operators as methods: the tensor is their first argument. */
export interface TensorMethods {${methods.join("\n")}
}

/** The functions above that are methods as well. @internal */
export const methods = { ${methodNames.map((name) => (reservedWords.has(name) ? `${name}: ${name}$` : name)).join(", ")} };
`;
  return { text, count };
}
