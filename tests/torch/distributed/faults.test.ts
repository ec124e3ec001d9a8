import { expect, test } from "bun:test";
import { join } from "node:path";
import { bunProcess } from "../../../src/common/bunProcess.ts";
import { rankVariables } from "../../../src/torch/distributed/ranks/launchRanks.ts";
import * as torch from "../../../src/torch/index.ts";
import { freePort } from "../../helpers/freePort.ts";

const program = join(import.meta.dir, "faultProgram.ts");

/** Starts two ranks, to one of which something happens; tells how the other ends, and how long after. */
async function withFault(
  fault: string,
  victim: number,
  limit: number,
  isServed = true,
): Promise<{ text: string; codes: (number | string | null)[]; seconds: number }> {
  // A store of this process, which no rank can take with it; or, as under mpirun, one of rank 0.
  const port = isServed ? (served ??= torch.distributed.serveStore()) : freePort();
  const children = [0, 1].map((rank) => {
    const { cmd, env } = bunProcess([program, fault, String(victim), String(limit)], {
      ...rankVariables(rank, 2, port),
      TORCHELASTIC_USE_AGENT_STORE: isServed ? "True" : "False",
      TORCHELASTIC_RESTART_COUNT: String(attempts),
    });
    return Bun.spawn(cmd, { env, stdout: "pipe", stderr: "pipe" });
  });
  attempts++;
  const other = children[1 - victim];
  // How long programs take to start is the machine's affair.
  await children[victim].stdout.getReader().read();
  const since = performance.now();
  await other.exited;
  const seconds = (performance.now() - since) / 1000;
  if (fault === "stop") children[victim].kill("SIGKILL");
  const texts = await Promise.all(children.map((child) => new Response(child.stderr).text()));
  await Promise.all(children.map((child) => child.exited));
  return {
    text: texts[1 - victim],
    codes: children.map((child) => child.signalCode ?? child.exitCode),
    seconds,
  };
}
let served: number | undefined;
let attempts = 0;

test.each([0, 1])(
  "rank %i killed: the other ends with a sentence that names it, long before the limit",
  async (victim) => {
    const { text, codes, seconds } = await withFault("kill", victim, 60);
    expect(codes[1 - victim]).toBe(1);
    expect(codes[victim]).toBe("SIGKILL");
    expect(text).toStartWith(`[${1 - victim}] Rank ${victim} no longer answers: ended, stopped or cut off`);
    expect(text.trim().split("\n")).toHaveLength(1);
    expect(seconds).toBeLessThan(20);
  },
);

test("rank 0 killed, with the store in it", async () => {
  const { text, codes, seconds } = await withFault("kill", 0, 60, false);
  expect(codes[1]).toBe(1);
  expect(text).toStartWith("[1] Rank 0 no longer answers: ended, stopped or cut off");
  expect(seconds).toBeLessThan(20);
});

test("a rank stopped: the other ends within the limit", async () => {
  const { text, codes, seconds } = await withFault("stop", 1, 8);
  expect(codes[0]).toBe(1);
  expect(text).toStartWith("[0] Rank 1 no longer answers: ended, stopped or cut off");
  expect(seconds).toBeLessThan(20);
});

test("an error in one rank: the other ends with its sentence", async () => {
  const { text, codes, seconds } = await withFault("error", 1, 60);
  expect(codes).toEqual([1, 1]);
  expect(text).toBe("[0] Rank 1 ended with an error: the disk is full\n");
  expect(seconds).toBeLessThan(20);
});

test("a rank that was never started is named when the limit is over", async () => {
  const { text, seconds } = await withFault("absent", 1, 2);
  expect(text).toBe("[0] rank 0 of 2 found no group: rank 1 of 2 did not start within 2 s\n");
  expect(seconds).toBeLessThan(40);
  const first = await withFault("absent", 0, 2, false);
  expect(first.text).toContain(
    "[1] rank 1 of 2 found no group: rank 0 did not start within 2 s: no store at 127.0.0.1:",
  );
});

test("rank 0 killed while others wait for its work: they end with a sentence that names it", async () => {
  const { text, seconds } = await withFault("wait", 0, 60);
  expect(text).toStartWith("[1] Rank 0 no longer answers: ended, stopped or cut off");
  expect(seconds).toBeLessThan(40);
});

test("different shapes at one collective are an error where ranks check each other", async () => {
  const { text, codes } = await withFault("mismatch", 1, 20);
  expect(codes).toEqual([1, 1]);
  expect(text).toContain("mismatch between collectives");
});
