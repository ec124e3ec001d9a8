/** No `!` after what is never null: it would say that there is something to mind where nothing is. */
import { expect, test } from "bun:test";
import { type Node, type NonNullExpression, SyntaxKind } from "typescript/unstable/ast";
import { API, type Project, type Type, TypeFlags, type UnionType } from "typescript/unstable/async";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const maybeNull = TypeFlags.Any | TypeFlags.Unknown | TypeFlags.Undefined | TypeFlags.Null | TypeFlags.Void;
const unresolved = TypeFlags.TypeParameter | TypeFlags.IndexedAccess | TypeFlags.Conditional;

async function mayBeNull(type: Type | undefined): Promise<boolean> {
  if (!type) return true;
  const parts = type.flags & TypeFlags.Union ? await (type as UnionType).getTypes() : [type];
  return parts.some((part) => part.flags & (maybeNull | unresolved));
}

/** `file:line` of each idle one in a project's own files, of those whose path `own` takes. */
async function idleAssertions(
  { program, checker }: Project,
  own: (path: string) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for (const name of await program.getSourceFileNames()) {
    const source = own(name) ? await program.getSourceFile(name) : undefined;
    if (!source || !/[\w)\]]!/.test(source.text)) continue;
    const operands: Node[] = [];
    const visit = (node: Node): void => {
      if (node.kind === SyntaxKind.NonNullExpression) operands.push((node as NonNullExpression).expression);
      node.forEachChild(visit);
    };
    visit(source);
    const types = await checker.getTypeAtLocation(operands);
    for (const [index, type] of types.entries())
      if (!(await mayBeNull(type)))
        found.push(`${name}:${source.text.slice(0, operands[index].end).split("\n").length}`);
  }
  return found;
}

async function idleIn(config: string, own: (path: string) => boolean): Promise<string[]> {
  const api = new API({ cwd: projectRoot });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [config] });
    return await idleAssertions(snapshot.getProjects()[0], own);
  } finally {
    await api.close();
  }
}

test("nothing that is never null is said not to be", async () => {
  const own = (path: string) =>
    path.startsWith(`${projectRoot}/`) && !/node_modules|\.d\.ts$|\.gen\./.test(path);
  expect(await idleIn(`${projectRoot}/tsconfig.json`, own)).toEqual([]);
});

test("the check tells idle ones from needed ones", async () => {
  const main = scratch.path("main.ts");
  await Bun.write(
    main,
    "declare const maybe: string | undefined;\ndeclare const sure: string[];\nmaybe!;\nsure[0]!;\nsure.at(0)!;\n",
  );
  const config = scratch.path("tsconfig.json");
  await Bun.write(config, JSON.stringify({ compilerOptions: { strict: true }, files: ["main.ts"] }));
  expect(await idleIn(config, (path) => path.endsWith("main.ts"))).toEqual([`${main}:4`]);
});
