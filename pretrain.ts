/**
 * `bun run pretrain`: the command `pretrain`, with every option.
 *
 * It is a file and no script of package.json because package managers run a script called "pretrain" before
 * every script called "train".
 */
import { runCommandLine } from "./src/cli/main.ts";

await runCommandLine(["pretrain", ...process.argv.slice(2)]);
