import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describeWriteError } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { ownEnvironment } from "./places.ts";
import { askPython, type PythonReport, pythonsOnPath } from "./python.ts";

/**
 * The version that the project brings where the machine has none that fits. numpy
 * serves the reference scripts.
 */
const packages = ["torch==2.13.0", "numpy"];
const oldestPythonMinor = 10;

const installPython =
  process.platform === "darwin"
    ? "`brew install python`"
    : "`apt-get install python3 python3-venv python3-pip` (Debian, Ubuntu) or `dnf install python3 python3-pip` (Fedora)";

/** Runs a command in silence; what it printed is kept for an error's text. */
async function runQuietly(command: string[]): Promise<{ succeeded: boolean; output: string }> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [text, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { succeeded: (await child.exited) === 0, output: `${text}${errors}`.trim() };
}

async function hasPip(python: string): Promise<boolean> {
  return (await runQuietly([python, "-m", "pip", "--version"])).succeeded;
}

/** The first Python on the PATH that torch's wheels are made for. */
function installablePython(): PythonReport {
  const rejected: string[] = [];
  const named = [15, 14, 13, 12, 11, 10].map((minor) => Bun.which(`python3.${minor}`));
  for (const executable of [...pythonsOnPath(), ...named]) {
    if (executable === null) continue;
    const report = askPython(executable);
    const [major = 0, minor = 0] = (report?.version ?? "").split(".").map(Number);
    if (report && major === 3 && minor >= oldestPythonMinor) return report;
    rejected.push(`${executable} ${report ? `is Python ${report.version}` : "does not run"}`);
  }
  const seen = rejected.length > 0 ? ` (${rejected.join("; ")})` : "";
  throw new UserError(
    `LibTorch comes with pip, but no Python 3.${oldestPythonMinor} or newer is on the PATH${seen}: ` +
      `install one with ${installPython}, or set LIBTORCH to a LibTorch folder; then start again.`,
  );
}

/**
 * How pip installs into that environment, which is made first. Debian's Python may lack what puts pip into an
 * environment (its package python3-venv); the pip of the machine then installs from outside.
 */
async function prepareEnvironment(python: PythonReport): Promise<string[]> {
  const ownPython = join(ownEnvironment, "bin/python");
  const ownPip = [ownPython, "-m", "pip", "install"];
  if (existsSync(ownPython) && (await hasPip(ownPython))) return ownPip;
  console.error(`Making a Python environment in ${ownEnvironment}`);
  try {
    mkdirSync(ownEnvironment, { recursive: true });
  } catch (cause) {
    throw describeWriteError(ownEnvironment, cause);
  }
  const make = [python.executable, "-m", "venv", "--clear"];
  let attempt = await runQuietly([...make, ownEnvironment]);
  if (attempt.succeeded && (await hasPip(ownPython))) return ownPip;
  if (!(await hasPip(python.executable))) {
    throw new UserError(
      `LibTorch comes with pip, but ${python.executable} (Python ${python.version}) has neither pip nor a complete ` +
        `venv: install them with ${installPython}, then start again.`,
    );
  }
  attempt = await runQuietly([...make, "--without-pip", ownEnvironment]);
  if (!attempt.succeeded) {
    throw new UserError(
      `${python.executable} cannot make a Python environment in ${ownEnvironment}: ` +
        `${attempt.output.split("\n").at(-1)}. See that its venv module is there (${installPython}), then start again.`,
    );
  }
  const version = python.version.split(".").slice(0, 2).join(".");
  const packageFolder = join(ownEnvironment, `lib/python${version}/site-packages`);
  return [python.executable, "-m", "pip", "install", "--upgrade", "--target", packageFolder];
}

/**
 * Installs torch into the set-up's own Python environment (pip shows its progress).
 * @throws UserError that names the cure.
 */
export async function installOwnTorch(): Promise<void> {
  const python = installablePython();
  const install = await prepareEnvironment(python);
  console.error(`Installing ${packages.join(" and ")} with pip, once (a download of 200 MB or more)`);
  // pip tells its progress on standard output, which stays free for results here.
  const pip = Bun.spawn([...install, "--no-input", ...packages], {
    stdin: "ignore",
    stdout: 2,
    stderr: "inherit",
  });
  if ((await pip.exited) !== 0) {
    throw new UserError(
      `pip (Python ${python.version}) could not install ${packages[0]}; its messages are above: check the network and ` +
        "the free disk space (2 GB), or set LIBTORCH to a LibTorch folder; then start again.",
    );
  }
}
