import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { describeWriteError, makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { FolderLock } from "../../common/files/folderLock.ts";
import { isFile } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { withPresentNames } from "../config/formerNames.ts";
import { isMainRank } from "../ranks/share.ts";

/** Where the files of a run lie. */
export class RunFolder {
  readonly path: string;
  /** The run's own folder, where its checkpoints are. */
  readonly #run: string;

  constructor(path: string, scratch?: string) {
    this.#run = resolve(path);
    this.path = scratch ?? this.#run;
  }

  /**
   * The folder of the run that this process trains. One rank writes it, the first; what the others would
   * write goes into a folder that is gone when they end. Checkpoints, which rank 0 alone writes, are
   * those of the run for all.
   */
  static ofTraining(path: string): RunFolder {
    if (isMainRank()) return new RunFolder(path);
    const scratch = mkdtempSync(join(tmpdir(), "aam-rank-"));
    process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
    return new RunFolder(path, scratch);
  }

  get config(): string {
    return join(this.path, "config.json");
  }
  /** What the run was made of: data, split, targets, versions. */
  get run(): string {
    return join(this.path, "run.json");
  }
  /** Every epoch's figures. */
  get history(): string {
    return join(this.path, "history.json");
  }
  get trainIds(): string {
    return join(this.path, "train_sample_ids.txt");
  }
  get validationIds(): string {
    return join(this.path, "val_sample_ids.txt");
  }
  /** What the training samples have of each ASV: what contributions to predictions are counted from. */
  get trainAsvs(): string {
    return join(this.path, "train_asvs.tsv");
  }
  /** Predictions of the validation samples. */
  get predictions(): string {
    return join(this.path, "val_predictions.tsv");
  }
  get baselines(): string {
    return join(this.path, "baselines");
  }
  get report(): string {
    return join(this.path, "report.html");
  }
  get summary(): string {
    return join(this.path, "summary.json");
  }
  get log(): string {
    return join(this.path, "training.log");
  }
  get events(): string {
    return join(this.path, "tensorboard");
  }
  get plots(): string {
    return join(this.path, "plots");
  }
  get bestCheckpoint(): string {
    return join(this.#run, "checkpoints", "best.safetensors");
  }
  get lastCheckpoint(): string {
    return join(this.#run, "checkpoints", "last.safetensors");
  }

  /**
   * Makes the folders and locks the run for this process. A folder that has a run already is refused
   * unless that run is to go on.
   * @throws UserError also if it cannot be written to, or another process trains in it.
   */
  create(options: { resume: boolean }): FolderLock {
    const refuse = () => {
      if (!options.resume && this.path === this.#run) this.refuseOther();
    };
    refuse();
    if (options.resume && !existsSync(this.lastCheckpoint)) {
      throw new UserError(
        `${this.path} holds no run to continue (no checkpoints/last.safetensors); leave --resume out.`,
      );
    }
    const lock = FolderLock.acquire(this.path);
    try {
      // Who had the lock until now may have left a run.
      refuse();
    } catch (cause) {
      lock.release();
      throw cause;
    }
    makeFolder(join(this.path, "checkpoints"));
    makeFolder(this.plots);
    makeFolder(this.events);
    return lock;
  }

  /** @throws UserError if the folder has a run already, or is a file. */
  refuseOther(): void {
    if (isFile(this.path)) throw describeWriteError(this.path, { code: "EEXIST" });
    if (!existsSync(this.lastCheckpoint)) return;
    throw new UserError(
      `${this.path} holds a run already; continue it with --resume, or choose another --output (or delete the folder).`,
    );
  }

  writeJson(path: string, content: unknown): void {
    writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
  }

  readConfig(): unknown {
    return withPresentNames(this.readJson(this.config));
  }

  /** A JSON file of the run. @throws UserError if it is missing or damaged. */
  readJson(path: string): unknown {
    if (!existsSync(path)) {
      throw new UserError(
        `${this.path} is no folder of a run, or of one that was not finished: it has no ${basename(path)}.`,
      );
    }
    try {
      return JSON.parse(readFileSync(path, "utf8"));
    } catch {
      throw new UserError(`${path} is not readable as JSON; restore it or start a new run.`);
    }
  }
}
