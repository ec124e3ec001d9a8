#!/usr/bin/env bun
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runCommandLine } from "../src/cli/main.ts";

// The benchmarks are for maintainers: a checkout has them, an installed package does not.
const lab = existsSync(join(import.meta.dir, "../lab"))
  ? (await import("../lab/commands.ts")).labCommands
  : [];
await runCommandLine(process.argv.slice(2), lab);
