import { join } from "node:path";
import { UserError } from "../../src/common/userError.ts";
import type { Run } from "./measure.ts";

const scripts = join(import.meta.dir, "../python/bench");

export function benchScript(name: string): string {
  return join(scripts, name);
}

/** A Python program that stays and does one job after another: a line of JSON each way. */
export class PythonPeer implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  constructor(python: string, script: string) {
    this.#child = Bun.spawn([python, benchScript(script)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  /** Has it do a job, timed by itself. @throws UserError with its words if it fails. */
  async run(job: Readonly<Record<string, string | number>>): Promise<Run> {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    this.#child.stdin.flush();
    const { value } = await this.#lines.next();
    const answer = JSON.parse(value ?? '{"error": "it has ended"}') as
      | { seconds: number }
      | { error: string };
    if ("error" in answer) throw new UserError(`Python cannot do ${JSON.stringify(job)}: ${answer.error}`);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
