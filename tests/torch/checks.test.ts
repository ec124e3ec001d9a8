import { expect, test } from "bun:test";
import * as torch from "../../src/torch/index.ts";
import { checks } from "./checks.ts";

const warnings: string[] = [];
process.on("warning", (warning) => warnings.push(warning.message));
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test("what PyTorch refuses or warns of in Python is refused or told here", async () => {
  const failed: string[] = [];
  for (const { of, what, run, says, kind } of checks) {
    using _s = torch.scope();
    let message: string | null = null;
    try {
      run();
    } catch (cause) {
      message = (cause as Error).message;
    }
    if (kind === "warns") {
      await settled();
      if (message === null) message = warnings.at(-1) ?? null;
      else message = `threw ${message}`;
    }
    const fits = message !== null && (typeof says === "string" ? message.includes(says) : says.test(message));
    if (!fits) failed.push(`${of}, ${what}: ${message ?? "passed in silence"}`);
  }
  const table = new Map<string, string[]>();
  for (const { of, what, kind } of checks)
    table.set(of, [...(table.get(of) ?? []), kind === "warns" ? `${what} (warning)` : what]);
  console.log(`${checks.length} checks of ${table.size} functions and classes:`);
  for (const [of, list] of table) console.log(`  ${of}: ${list.join("; ")}`);
  expect(failed).toEqual([]);
});
