import { readFileSync } from "node:fs";
import { UserError } from "../../src/common/userError.ts";

type Child = Bun.Subprocess<"pipe", "pipe", "pipe">;
export type Answer = Readonly<Record<string, unknown>>;

/**
 * One side of a benchmark in a process of its own, one JSON answer per command, so that sides take turns
 * within one run and the memory of each can be told.
 */
export class Partner implements AsyncDisposable {
  readonly #process: Child;
  readonly #lines: AsyncGenerator<string>;
  readonly #name: string;
  /** What the partner said when it was ready. */
  readonly facts: Answer;

  private constructor(name: string, process: Child, lines: AsyncGenerator<string>, facts: Answer) {
    this.#name = name;
    this.#process = process;
    this.#lines = lines;
    this.facts = facts;
  }

  /**
   * Starts a program and waits until it is ready.
   * @throws UserError if it cannot start, with its last words.
   */
  static async start(
    name: string,
    command: readonly string[],
    env: Record<string, string | undefined> = process.env,
  ): Promise<Partner> {
    const child = Bun.spawn([...command], { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const lines = linesOf(child.stdout);
    return new Partner(name, child, lines, await readAnswer(name, child, lines));
  }

  /** Sends one command and waits for its answer. @throws UserError with what went wrong on the other side. */
  async ask(command: string): Promise<Answer> {
    this.#process.stdin.write(`${command}\n`);
    await this.#process.stdin.flush();
    return await readAnswer(this.#name, this.#process, this.#lines);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /**
   * The most memory the process has had so far, as the system counts it; undefined where
   * the system does not tell.
   */
  peakBytes(): number | undefined {
    try {
      const kibibytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1];
      return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
    } catch {
      return undefined;
    }
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

async function readAnswer(name: string, child: Child, lines: AsyncGenerator<string>): Promise<Answer> {
  const { value, done } = await lines.next();
  if (done) {
    const said = (await new Response(child.stderr).text()).trim().split("\n").at(-1);
    await child.exited;
    const killed = child.signalCode ? ` (${child.signalCode})` : "";
    throw new UserError(`The ${name} side of the benchmark ended${killed}: ${said || "it said nothing"}.`);
  }
  const answer = JSON.parse(value) as Record<string, unknown>;
  if (answer["error"] !== undefined) {
    await child.exited;
    throw new UserError(`The ${name} side of the benchmark failed: ${answer["error"]}.`);
  }
  return answer;
}
