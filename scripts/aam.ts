#!/usr/bin/env bun
import { runCommandLine } from "../src/cli/main.ts";

await runCommandLine(process.argv.slice(2));
