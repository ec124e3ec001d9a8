/**
 * SIGINT and SIGTERM while files are being written, by programs that wait in the midst of it and look at no
 * events.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const common = join(projectRoot, "src/common");

/** Runs a program until it has written "now", sends it a signal, and gives how it ended. */
async function interrupted(name: string, program: string, signal: "SIGINT" | "SIGTERM" = "SIGINT") {
  const folder = scratch.path(name);
  mkdirSync(folder);
  const script = scratch.write(
    `${name}.ts`,
    `import { writeSync } from "node:fs";
    import { watchInterrupts, endOnInterrupt } from ${JSON.stringify(join(common, "interrupt.ts"))};
    import { writeFileAtomic } from ${JSON.stringify(join(common, "files/atomicFile.ts"))};
    import { writeFolderAtomic } from ${JSON.stringify(join(common, "files/folderSwap.ts"))};
    import { FolderLock } from ${JSON.stringify(join(common, "files/folderLock.ts"))};
    import { SquareStore } from ${JSON.stringify(join(projectRoot, "src/data/unifrac/squareStore.ts"))};
    const path = (name: string) => ${JSON.stringify(`${folder}/`)} + name;
    /** As a long computation. */
    const compute = () => { writeSync(1, "now"); Bun.sleepSync(20_000); };
    watchInterrupts();
    ${program}`,
  );
  writeFileSync(join(folder, "kept.txt"), "old");
  const child = Bun.spawn([process.execPath, script], { stdout: "pipe", stderr: "pipe" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const during = readdirSync(folder);
  const started = performance.now();
  child.kill(signal);
  await child.exited;
  const seconds = (performance.now() - started) / 1000;
  const error = await new Response(child.stderr).text();
  expect(seconds).toBeLessThan(10);
  return {
    said: new TextDecoder().decode(value),
    during,
    error,
    code: child.exitCode,
    left: readdirSync(folder),
  };
}

const whole = {
  code: 130,
  error: "Interrupted; no file was left half-written.\n",
  left: ["kept.txt"],
};

test("a file that is being written is removed, and the one that it would replace stays", async () => {
  const program = `writeFileAtomic(path("kept.txt"), (function* () {
    yield new Uint8Array(1 << 20);
    compute();
  })());`;
  const { during, ...ended } = await interrupted("file", program);
  expect(during).toHaveLength(2);
  expect(ended).toMatchObject(whole);
  expect(readFileSync(scratch.path("file/kept.txt"), "utf8")).toBe("old");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("a folder that is being filled is removed with all that is in it: %s", async (signal, code) => {
  const program = `writeFolderAtomic(path("set"), "manifest.json", (folder) => {
    writeFileAtomic(folder + "/manifest.json", "{}");
    compute();
  });`;
  const { during, ...ended } = await interrupted(`folder-${signal}`, program, signal);
  expect(during).toHaveLength(2);
  expect(ended).toMatchObject({ ...whole, code });
});

test("a matrix that is too large for memory, and a folder's lock, are removed", async () => {
  const program = `const store = new SquareStore(50, "float32", path("matrix.npy"), 0);
  const lock = FolderLock.acquire(path("."));
  compute();
  store[Symbol.dispose]();
  lock.release();`;
  const { during, ...ended } = await interrupted("matrix", program);
  expect(during).toHaveLength(3);
  expect(ended).toMatchObject(whole);
});

test("what is finished stays", async () => {
  const program = `writeFileAtomic(path("whole.txt"), "whole");
  writeFolderAtomic(path("set"), "manifest.json", () => {});
  compute();`;
  const { left } = await interrupted("finished", program);
  expect(left.sort()).toEqual(["kept.txt", "set", "whole.txt"]);
});

test.skipIf(process.platform !== "linux")("processes that were started end too", async () => {
  const program = `const other = Bun.spawn(["sleep", "60"]);
  endOnInterrupt(other.pid);
  writeSync(1, String(other.pid) + " ");
  Bun.sleepSync(20_000);`;
  const { said, code } = await interrupted("processes", program);
  expect(code).toBe(130);
  const isOver = () => {
    try {
      // Whoever inherits it may not have taken notice of its end yet.
      return "ZX".includes(readFileSync(`/proc/${said.trim()}/stat`, "utf8").split(") ")[1][0]);
    } catch {
      return true;
    }
  };
  for (let i = 0; i < 250 && !isOver(); i++) await Bun.sleep(20);
  expect(isOver()).toBe(true);
});
