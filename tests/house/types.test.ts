/** The package's types in somebody else's project, stricter than ours, that checks declaration files too. */
import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

function tsc(...args: string[]): { code: number; out: string } {
  const compiler = join(projectRoot, "node_modules/typescript/bin/tsc");
  const done = Bun.spawnSync([process.execPath, compiler, ...args], { stdout: "pipe", stderr: "pipe" });
  return { code: done.exitCode, out: done.stdout.toString() + done.stderr.toString() };
}

const options = {
  target: "ESNext",
  module: "ESNext",
  moduleResolution: "bundler",
  lib: ["ESNext"],
  types: [],
  noEmit: true,
  strict: true,
  skipLibCheck: false,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
};

const program = `import * as torch from "aam-bun/torch";
const { nn } = torch;
class Classifier extends nn.Module {
  readonly body = new nn.Sequential(new nn.Conv1d(4, 8, 3), new nn.ReLU(), new nn.MaxPool1d(2), new nn.Flatten());
  readonly head = new nn.Linear(24, 3);
  forward(x: torch.Tensor): torch.Tensor {
    return this.head.forward(this.body.forward(x));
  }
}
const model = new Classifier();
const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-3 });
const loss = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 });
using _step = torch.scope();
loss.forward(model.forward(torch.randn([2, 4, 8])), torch.tensor([0, 2])).backward();
optimizer.step();
export const shape: readonly number[] = torch.randn([2, 3]).shape;
const loader = new torch.utils.data.DataLoader(new torch.utils.data.TensorDataset(torch.randn([4, 2]), torch.randn([4, 1])));
for (const [x, y] of loader) model.forward(x).sub(y);
const [gradient] = torch.grad(torch.randn([2]).sum(), torch.randn([2]));
export const size: number = gradient.size(0);
const [u, s, v] = torch.ops.aten.linalg_svd(torch.randn([2, 2]));
export const product: torch.Tensor = u.mul(s).mm(v);
export const same: boolean = torch.ops.aten.equal(u, v);
// @ts-expect-error: the schema has no such argument.
torch.ops.aten.relu(u, 3);
// @ts-expect-error: there is no such operator.
torch.ops.aten.noSuchOperator(u);
// @ts-expect-error: were the types lost, this would be no mistake.
export const wrong: string = torch.randn([2, 3]).shape[0];
torch.saveSafetensors("model.safetensors", model.stateDict());
`;

test("a strict project finds them complete, and they find its mistakes", () => {
  expect(tsc("-p", join(projectRoot, "tsconfig.types.json"))).toEqual({ code: 0, out: "" });
  const folder = scratch.path("project");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(projectRoot, join(folder, "node_modules/aam-bun"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "project", type: "module" }));
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["main.ts", "data.ts"] }),
  );
  writeFileSync(join(folder, "main.ts"), program);
  writeFileSync(
    join(folder, "data.ts"),
    'import { readTable } from "aam-bun";\nexport const read = readTable;\n',
  );
  expect(tsc("-p", folder)).toEqual({ code: 0, out: "" });
});
