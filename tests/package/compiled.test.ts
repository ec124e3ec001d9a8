/** Programs that are bundled or compiled with the toolkit inside: they run or say what is missing, and never start themselves. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

/**
 * Writes down each of its starts, and after five of them ends at once: so this test ends whatever the toolkit does. Loading
 * the toolkit comes after that, as the static import of a program would.
 */
const program = `
import { appendFileSync, statSync } from "node:fs";
appendFileSync(process.env.STARTS, "x");
if (statSync(process.env.STARTS).size > 5) process.exit(99);
const torch = await import(${JSON.stringify(`${projectRoot}/src/torch/index.ts`)});
console.log(torch.ones([2]).sum().item());
`;

function run(command: string[], starts: string) {
  writeFileSync(starts, "");
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, {
    env: { ...process.env, STARTS: starts },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  return { code: exitCode, text: `${stdout}${stderr}`, starts: readFileSync(starts, "utf8").length };
}

test("a compiled or bundled program starts no process of itself", () => {
  const source = scratch.path("main.ts");
  writeFileSync(source, program);
  for (const [name, options] of [
    ["program", ["--compile"]],
    ["bundle.js", ["--target=bun"]],
  ] as const) {
    const built = scratch.path(name);
    const make = Bun.spawnSync([process.execPath, "build", ...options, source, "--outfile", built]);
    expect(make.exitCode).toBe(0);
    const { code, text, starts } = run(
      name === "program" ? [built] : [process.execPath, built],
      scratch.path("starts"),
    );
    expect({ code, starts }).toEqual({ code: 1, starts: 1 });
    expect(text).toContain("from within a bundled or compiled program: run it from its sources");
  }
});
