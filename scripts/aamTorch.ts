#!/usr/bin/env bun
import { runCommandLine } from "../src/torch/tools/commandLine.ts";

try {
  process.exitCode = await runCommandLine();
} catch (cause) {
  console.error(`Error: ${cause instanceof Error ? cause.message : cause}`);
  process.exitCode = 1;
}
