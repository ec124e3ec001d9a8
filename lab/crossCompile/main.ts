/**
 * Compiles and links the native part for a kind of machine that this one is not, with the flags of a build
 * there:
 *
 *     bun lab/crossCompile/main.ts --target linux-arm64 --libtorch FOLDER [--output FOLDER]
 *
 * `--libtorch` is the torch folder of an unpacked wheel for that machine: `pip download --no-deps
 * --only-binary=:all: --platform manylinux_2_28_aarch64 torch==2.13.0`, or `--platform macosx_14_0_arm64`.
 * CXX names the compiler. Ends with 1 when a source has an error or a warning, or when linking fails.
 */

import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { reportError } from "../../src/cli/text/reportError.ts";
import { UserError } from "../../src/common/userError.ts";
import { linkFlags, shimSources, sourceFlags, sourceFolder } from "../../src/torch/setup/build.ts";
import { firstErrors } from "../../src/torch/setup/compiler.ts";
import { groupSource, groupVariants } from "../../src/torch/setup/groupVariants.ts";
import { inspectLibtorchFolder, sharedLibraryName } from "../../src/torch/setup/libtorchFolder.ts";

const targets = {
  "linux-x64": { platform: "linux", compiler: "g++" },
  "linux-arm64": { platform: "linux", compiler: "aarch64-linux-gnu-g++" },
  "darwin-arm64": { platform: "darwin", compiler: "python3 -m ziglang c++ -target aarch64-macos" },
} as const;

interface Flags {
  target: keyof typeof targets;
  libtorch: string;
  output: string;
}

/** What a compiler says on standard error, and whether it succeeded. */
async function run(command: string[]): Promise<{ succeeded: boolean; said: string }> {
  const child = Bun.spawn(command, { cwd: sourceFolder, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = (await new Response(child.stderr).text()).trim();
  return { succeeded: (await child.exited) === 0, said };
}

async function crossCompile({ target, libtorch: root, output }: Flags): Promise<boolean> {
  const { platform, compiler: usual } = targets[target];
  const { libtorch, verdict } = inspectLibtorchFolder(resolve(root), "--libtorch", { platform });
  if (libtorch === undefined) throw new UserError(`--libtorch ${root}: ${verdict}; name one for ${target}.`);
  const compiler = (process.env["CXX"]?.trim() || usual).split(/\s+/);
  if (Bun.which(compiler[0] ?? "") === null)
    throw new UserError(`${compiler[0]} does not exist: install it, or set CXX to a compiler for ${target}.`);
  const folder = resolve(output, target);
  mkdirSync(folder, { recursive: true });
  const common = [
    ...sourceFlags(libtorch, platform),
    ...libtorch.includeDirs.flatMap((path) => ["-isystem", path]),
    ...["-idirafter", join(sourceFolder, "absent"), '-DAAM_TORCH_SOURCE_HASH="crossCompile"'],
  ];
  // NCCL's headers are those of the machine at hand: process groups come with gloo alone, as LibTorch's
  // packages have it.
  const groups = groupVariants({ ...libtorch, cuda: null }, sourceFolder)[0]?.flags ?? [];
  const names = shimSources().filter((name) => name.endsWith(".cpp"));
  const queue = [...names];
  const objects: string[] = [];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const object = join(folder, `${name}.o`);
      const own = name === groupSource ? groups : [];
      const { succeeded, said } = await run([...compiler, ...common, ...own, "-c", name, "-o", object]);
      if (succeeded) objects.push(object);
      console.log(
        `${target} ${name}: ${succeeded ? "compiled" : "failed"}${said && `\n${firstErrors(said)}`}`,
      );
      if (said) process.exitCode = 1;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  console.log(
    `${target}: ${objects.length} of ${names.length} sources compiled, LibTorch ${libtorch.version}`,
  );
  if (objects.length < names.length) return false;
  const library = join(folder, sharedLibraryName("aam_torch", platform));
  const { succeeded, said } = await run([
    ...compiler,
    ...["-shared", "-o", library, ...objects.sort(), `-L${libtorch.libDir}`],
    ...linkFlags(platform),
    ...["-ltorch", "-ltorch_cpu", "-lc10"],
  ]);
  console.log(succeeded ? `${target}: linked ${library}` : `${target}: linking failed\n${firstErrors(said)}`);
  return succeeded;
}

const command = new Command("crossCompile")
  .description("compile and link the native part for another kind of machine")
  .addOption(new Option("--target <name>", "for what").choices(Object.keys(targets)).makeOptionMandatory())
  .requiredOption("--libtorch <folder>", "LibTorch for that machine")
  .option("--output <folder>", "where objects and the library go", "build/cross");
try {
  const flags = command.parse().opts<Flags>();
  if (!(await crossCompile(flags))) process.exitCode = 1;
} catch (error) {
  process.exit(reportError(error));
}
