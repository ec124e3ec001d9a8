import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeFolder, writeFileAtomic } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";

/** Where the files of a run lie. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get config(): string {
    return join(this.path, "config.json");
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
    return join(this.path, "checkpoints", "best.safetensors");
  }
  get lastCheckpoint(): string {
    return join(this.path, "checkpoints", "last.safetensors");
  }

  /**
   * Makes the folders. A folder that has a run already is refused unless that run is to go on.
   * @throws UserError also if it cannot be written to.
   */
  create(options: { resume: boolean }): void {
    if (!options.resume && existsSync(this.lastCheckpoint)) {
      throw new UserError(
        `${this.path} holds a run already; continue it with --resume, or choose another --output (or delete the folder).`,
      );
    }
    if (options.resume && !existsSync(this.lastCheckpoint)) {
      throw new UserError(
        `${this.path} holds no run to continue (no checkpoints/last.safetensors); leave --resume out.`,
      );
    }
    makeFolder(join(this.path, "checkpoints"));
    makeFolder(this.plots);
    makeFolder(this.events);
  }

  writeJson(path: string, content: unknown): void {
    writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
  }

  readConfig(): unknown {
    if (!existsSync(this.config))
      throw new UserError(`${this.path} is no run's folder: it has no config.json.`);
    try {
      return JSON.parse(readFileSync(this.config, "utf8"));
    } catch {
      throw new UserError(`${this.config} is not readable as JSON; restore it or start a new run.`);
    }
  }
}
