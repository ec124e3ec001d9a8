import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../src/common/userError.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { makeStudy, pretrainStudy } from "../material/study.ts";
import type { Refusal, RefusalReport } from "./refusedChild.ts";
import { type Outcome, skipped, type Trial } from "./trial.ts";

const child = join(import.meta.dir, "refusedChild.ts");

/**
 * Mounts that only one process sees, and that go with it; as root, or as a user who may be
 * root in a space of his own.
 */
const unshare = ["unshare", "--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];

const mounts: Record<Refusal, string> = {
  full: 'mount -t tmpfs -o size=1m tmpfs "$1"',
  "read-only": 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
  vanished: "true",
};

function shell(script: string, folder: string, ...more: string[]) {
  return Bun.spawnSync([...unshare, "sh", "-c", script, "sh", folder, ...more], { stdin: "ignore" });
}

function canMount(refusal: Refusal, folder: string): boolean {
  if (refusal === "vanished") return true;
  try {
    return shell(mounts[refusal], folder).exitCode === 0;
  } catch {
    return false;
  }
}

function refuse(refusal: Refusal): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "aam-refused-"));
  try {
    if (!canMount(refusal, folder)) return skipped("nothing can be mounted here (unshare --mount)");
    const command = [process.execPath, child, refusal, folder];
    const { exitCode, stdout, stderr } =
      refusal === "vanished"
        ? Bun.spawnSync(command, { stdin: "ignore" })
        : shell(`${mounts[refusal]} && shift && exec "$@"`, folder, ...command);
    if (exitCode !== 0) return { tried: 1, lost: [`it ended with ${exitCode}: ${stderr}`], leaked: [] };
    const report = JSON.parse(stdout.toString().trim().split("\n").at(-1)!) as RefusalReport;
    return { tried: report.tried, lost: report.lost, leaked: [], note: report.sentences.join(" | ") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes the run's folder away while it is trained in. */
class VanishingDisplay extends ProgressDisplay {
  readonly #path: string;

  constructor(path: string) {
    super("quiet", { columns: 80, write: () => {}, writeError: () => {} });
    this.#path = path;
  }

  override begin(title: string, total: number, unit?: string): void {
    super.begin(title, total, unit);
    rmSync(this.#path, { recursive: true, force: true });
  }
}

async function takeAway(): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "aam-vanished-"));
  try {
    const study = await makeStudy(join(folder, "study"));
    const run = join(folder, "run");
    mkdirSync(run);
    await pretrainStudy(study, run, {}, { display: new VanishingDisplay(run) });
    return { tried: 1, lost: ["a training did not notice that its folder was gone"], leaked: [] };
  } catch (cause) {
    const { message } = cause as Error;
    const isTold =
      cause instanceof UserError && /folder does not exist \(any more\); create it/.test(message);
    return { tried: 1, lost: isTold ? [] : [`${cause}`], leaked: [] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const refusalTrials = (): Trial[] => [
  { area: "crash safety", what: "every writer on a full disk", run: () => refuse("full") },
  { area: "crash safety", what: "every writer in a read-only folder", run: () => refuse("read-only") },
  { area: "crash safety", what: "every writer in a folder that is gone", run: () => refuse("vanished") },
  { area: "crash safety", what: "a run's folder taken away in training", run: takeAway },
];
