import { type CommandEntry, groups } from "../src/cli/main.ts";

/** Commands that a checkout has and an installed package does not. */
export const labCommands: readonly CommandEntry[] = [
  {
    name: "bench",
    group: groups.program,
    summary: "measure this program against others",
    load: () => import("./bench/command.ts"),
  },
];
