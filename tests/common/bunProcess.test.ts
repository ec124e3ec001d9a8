import { expect, test } from "bun:test";
import { bunProcess } from "../../src/common/bunProcess.ts";

/** Starts itself again and again, as far as it is let. */
const chain = `
  const { bunProcess } = await import(${JSON.stringify(import.meta.resolve("../../src/common/bunProcess.ts"))});
  console.log("started");
  const { cmd, env } = bunProcess(["-e", process.env.PROGRAM]);
  const { stdout, stderr } = Bun.spawnSync(cmd, { env, stdout: "pipe", stderr: "inherit" });
  process.stdout.write(stdout);
`;

test("a chain of processes that start each other ends by itself, with a sentence", () => {
  // Even if nothing else held, the fourth second would end it.
  const done = Bun.spawnSync([process.execPath, "-e", chain], {
    env: { ...process.env, PROGRAM: chain },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  expect(done.stdout.toString()).toBe("started\n".repeat(5));
  expect(done.stderr.toString()).toContain("4 processes have started each other in a row");
});

test("a script is run as a file alone: what a bundle holds is refused with the cure", () => {
  for (const script of ["/$bunfs/root/probe.ts", `${import.meta.dir}/noSuchFile.ts`]) {
    expect(() => bunProcess([script])).toThrow(/is not there to be run .* run it from its sources/);
  }
  const { cmd, env } = bunProcess([import.meta.path, "--option"], { MORE: "1" });
  expect(cmd).toEqual([process.execPath, import.meta.path, "--option"]);
  expect(env).toMatchObject({ AAM_PROCESS_DEPTH: "1", MORE: "1" });
  // It would make programs that are compiled with Bun behave as Bun: only such a one must hand it on.
  expect(env["BUN_BE_BUN"]).toBeUndefined();
});
