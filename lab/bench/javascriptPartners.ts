import { join } from "node:path";
import { bunProcess } from "../../src/common/bunProcess.ts";
import { type Answer, Partner } from "./partner.ts";

/** What JavaScript users have: names that javascriptProcess.ts knows. */
const names = ["tfjs", "jax-js"] as const;

/** The libraries' sides of a benchmark, as far as a folder has them; none without a folder. */
export async function startLibraries(
  folder?: string,
): Promise<{ javascript: ReadonlyMap<string, Partner> } & AsyncDisposable> {
  const javascript = new Map<string, Partner>();
  const program = join(import.meta.dir, "javascriptProcess.ts");
  for (const name of folder === undefined ? [] : names) {
    // Bun would fetch what is not there.
    const { cmd, env } = bunProcess(["--no-install", program, name, folder ?? ""]);
    javascript.set(name, await Partner.start(name, cmd, env));
  }
  return {
    javascript,
    async [Symbol.asyncDispose]() {
      for (const partner of javascript.values()) await partner[Symbol.asyncDispose]();
    },
  };
}

/** Why a library does not take part in some work, or undefined where it does. */
export function whyNot(facts: Answer, work: string): string | undefined {
  if (facts["missing"] !== undefined) return "not installed";
  if ((facts["names"] as readonly string[]).includes(work)) return undefined;
  return work in (facts["refused"] as object) ? "cannot" : "-";
}
