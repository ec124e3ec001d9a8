/** A stranger's project: what is packed, installed in a folder of its own, with a home of its own. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expectedShim } from "../../src/torch/setup/build.ts";
import { projectRoot } from "../helpers/projectFiles.ts";

export interface Packed {
  toolkit: string;
  product: string;
  prebuilt: string;
}

/** Packs everything into `output`; the tarballs' paths. */
export function pack(output: string): Packed & { said: string } {
  const script = join(projectRoot, "scripts/pack.ts");
  const done = Bun.spawnSync([process.execPath, script, "--prebuilt", "--output", output], {
    timeout: 110_000,
  });
  const said = `${done.stdout}${done.stderr}`;
  if (!done.success) throw new Error(`scripts/pack.ts failed: ${said}`);
  const tarball = (name: string) => {
    const found = new RegExp(`^(${name}-\\d\\S*\\.tgz): \\d+ KiB$`, "m").exec(said)?.[1];
    if (found === undefined) throw new Error(`scripts/pack.ts names no ${name}: ${said}`);
    return join(output, found);
  };
  const prebuilt = tarball(`aam-torch-${process.platform}-${process.arch}`);
  return { toolkit: tarball("aam-torch"), product: tarball("aam-bun"), prebuilt, said };
}

export class Project {
  readonly #folder: string;
  readonly home: string;
  readonly #env: Record<string, string | undefined>;

  /** `name` is a folder that does not exist yet. */
  constructor(name: string) {
    this.#folder = join(name, "project");
    this.home = join(name, "home");
    for (const folder of [this.#folder, this.home]) mkdirSync(folder, { recursive: true });
    this.write("package.json", JSON.stringify({ name: "stranger", type: "module", private: true }));
    this.#env = {
      PATH: process.env["PATH"],
      HOME: this.home,
      LIBTORCH: expectedShim().libtorch.root,
      BUN_INSTALL_CACHE_DIR: join(name, "packages"),
    };
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  write(name: string, text: string): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Runs a command in the project; it is ended before the test is. */
  run(
    command: string[],
    env: Record<string, string | undefined> = {},
  ): { code: number; out: string; err: string } {
    const done = Bun.spawnSync(command, {
      cwd: this.#folder,
      env: { ...this.#env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: 110_000,
      killSignal: "SIGKILL",
    });
    return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
  }

  bun(args: string[], env?: Record<string, string | undefined>) {
    return this.run([process.execPath, ...args], env);
  }

  /** Puts packages of this repository's node_modules into the project's, so that no registry is asked. */
  link(...names: string[]): void {
    for (const name of names) {
      mkdirSync(dirname(this.path(`node_modules/${name}`)), { recursive: true });
      symlinkSync(join(projectRoot, "node_modules", name), this.path(`node_modules/${name}`));
    }
  }
}

/** As `bun init` writes it. */
export const bunInitOptions = {
  lib: ["ESNext"],
  target: "ESNext",
  module: "Preserve",
  moduleDetection: "force",
  jsx: "react-jsx",
  allowJs: true,
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  noFallthroughCasesInSwitch: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
  noUnusedLocals: false,
  noUnusedParameters: false,
  noPropertyAccessFromIndexSignature: false,
};
