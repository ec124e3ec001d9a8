import packageJson from "../../../package.json" with { type: "json" };

/** What a process was asked to do: the provenance of the artifacts that it writes. */
export interface Action {
  /** The command's name, such as `unifrac`. */
  readonly name: string;
  /** The command line as it was typed. */
  readonly commandLine: string;
  /**
   * Files and folders that are read, by option. Of artifacts among them the provenance becomes part of
   * the result's.
   */
  readonly inputs: () => readonly (readonly [name: string, path: string])[];
  /** Files that are written, by option; their names are those of the results. */
  readonly outputs: readonly (readonly [name: string, path: string])[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly start: Date;
}

/** This program, as provenance names it. */
export const program = { name: "aam", package: packageJson.name, version: packageJson.version } as const;

let current: Action | undefined;

/** States what this process does from now on, undefined for nothing more; a process runs one command. */
export function setAction(action: Action | undefined): void {
  current = action;
}

/** What this process does; of a program of one's own that has not stated it, its script. */
export function currentAction(): Action {
  return (
    current ?? {
      name: "library",
      commandLine: process.argv.slice(1).join(" "),
      inputs: () => [],
      outputs: [],
      parameters: {},
      start: new Date(Date.now() - Math.round(process.uptime() * 1000)),
    }
  );
}
