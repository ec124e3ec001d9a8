import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunProcess } from "../../common/bunProcess.ts";
import { describeWriteError } from "../../common/files/atomicFile.ts";
import { endOnInterrupt, removeOnInterrupt } from "../../common/interrupt.ts";
import { UserError } from "../../common/userError.ts";

type ToWorker = { readonly begin: unknown } | { readonly job: string };
type FromWorker = { readonly ready: true } | { readonly result: string } | { readonly error: string };

export interface SideBySideOptions {
  /** The program of each process; it calls `serveJobs`. */
  readonly script: string;
  /** What each process is told first. */
  readonly begin: unknown;
  readonly workers: number;
  /** The name of the next job; undefined when there is none. */
  next(): string | undefined;
  /** Takes the outcome of a job. */
  keep(result: string): void;
  /** What to do if a process dies, for the error. */
  readonly cure: string;
}

/**
 * Does jobs in processes of their own, each one job at a time.
 * @throws UserError if a job or process fails.
 */
export async function sideBySide(options: SideBySideOptions): Promise<void> {
  const { script, begin, workers, next, keep, cure } = options;
  const started: Bun.Subprocess[] = [];
  // A process that is ended leaves its temporary files: they are all in one folder, which goes with it.
  const scratch = makeScratch();
  const releaseScratch = removeOnInterrupt(scratch);
  const work = () =>
    new Promise<void>((resolve, reject) => {
      let isOver = false;
      const end = (error?: Error) => {
        if (isOver) return;
        isOver = true;
        // Not by SIGTERM, of which a command says that it was interrupted.
        child.kill("SIGKILL");
        release();
        if (error) reject(error);
        else resolve();
      };
      const child: Bun.Subprocess = Bun.spawn({
        ...bunProcess([script], { TMPDIR: scratch }),
        stdio: ["ignore", "inherit", "inherit"],
        ipc(message: FromWorker) {
          try {
            if ("error" in message) return end(new UserError(message.error));
            if ("result" in message) keep(message.result);
          } catch (error) {
            return end(error as Error);
          }
          const job = next();
          if (job === undefined) end();
          else child.send({ job } satisfies ToWorker);
        },
        onExit(_process, code, signal) {
          end(new UserError(`A process ended unexpectedly (${signal ?? `code ${code}`}); ${cure}.`));
        },
      });
      started.push(child);
      const release = endOnInterrupt(child.pid);
      child.send({ begin } satisfies ToWorker);
    });
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ exited }) => exited));
    rmSync(scratch, { recursive: true, force: true });
    releaseScratch();
  }
}

function makeScratch(): string {
  try {
    return mkdtempSync(join(tmpdir(), "aam-jobs-"));
  } catch (cause) {
    throw describeWriteError(tmpdir(), cause);
  }
}

/**
 * The other side of `sideBySide`: does the jobs that the parent process names, and ends with it.
 * @param open makes of what is told first the function that does jobs.
 */
export function serveJobs<Begin>(open: (begin: Begin) => (job: string) => Promise<string>): void {
  let run: (job: string) => Promise<string>;
  const send = (message: FromWorker) => process.send!(message);
  process.on("disconnect", () => process.exit(0));
  process.on("message", async (message: ToWorker) => {
    try {
      if ("begin" in message) {
        run = open(message.begin as Begin);
        send({ ready: true });
      } else send({ result: await run(message.job) });
    } catch (error) {
      send({ error: error instanceof Error ? error.message : String(error) });
    }
  });
}
