import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import { projectRoot } from "../../torch/native/libtorch.ts";
import { candidatePythons } from "../../torch/native/torchPython.ts";

/** The Python whose PyTorch a benchmark compares with: the project's own environment's, or the first on the PATH. */
function findPython(): string {
  const [found] = candidatePythons();
  if (!found)
    throw new UserError(
      "There is no Python to compare with: run `bun run setup`, or put one with torch on the PATH.",
    );
  return found;
}

/**
 * The other side of a benchmark: scripts/reference/plain_reference.py in a process of its own, one JSON answer per command, so
 * that both sides take turns within one run.
 */
export class PythonPartner implements AsyncDisposable {
  readonly #process;
  readonly #lines: AsyncGenerator<string>;
  /** What the partner said when it was ready. */
  readonly facts: Readonly<Record<string, unknown>>;

  private constructor(
    process: Bun.Subprocess<"pipe", "pipe", "pipe">,
    lines: AsyncGenerator<string>,
    facts: Record<string, unknown>,
  ) {
    this.#process = process;
    this.#lines = lines;
    this.facts = facts;
  }

  /** Starts it in a mode (`ops`, `step` ...). @throws UserError if it cannot start, with what Python said. */
  static async start(mode: string, config: object, extra: readonly string[] = []): Promise<PythonPartner> {
    const script = join(projectRoot, "scripts/reference/plain_reference.py");
    const child = Bun.spawn([findPython(), script, mode, "--config", JSON.stringify(config), ...extra], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const lines = linesOf(child.stdout);
    return new PythonPartner(child, lines, await readAnswer(child, lines));
  }

  /** Sends one command and waits for its answer. */
  async ask(command: string): Promise<Record<string, unknown>> {
    this.#process.stdin.write(`${command}\n`);
    await this.#process.stdin.flush();
    return await readAnswer(this.#process, this.#lines);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    await this.#process.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function readAnswer(
  child: Bun.Subprocess<"pipe", "pipe", "pipe">,
  lines: AsyncGenerator<string>,
): Promise<Record<string, unknown>> {
  const { value, done } = await lines.next();
  if (done) {
    const said = (await new Response(child.stderr).text()).trim().split("\n").at(-1);
    throw new UserError(
      `The Python side of the benchmark ended: ${said}. It needs torch (\`bun run setup\` installs it).`,
    );
  }
  const answer = JSON.parse(value) as Record<string, unknown>;
  if (answer["error"] !== undefined) {
    await child.exited;
    throw new UserError(`The Python side of the benchmark failed: ${answer["error"]}.`);
  }
  return answer;
}
