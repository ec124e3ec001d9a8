import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FolderLock, refuseOtherFiles } from "../../../src/common/files/folderLock.ts";
import { thisProcess } from "../../../src/common/files/processIdentity.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const module = JSON.stringify(join(import.meta.dir, "../../../src/common/files/folderLock.ts"));

/** A process that locks `folder`, says so, and goes on until it is killed. */
async function holderOf(folder: string): Promise<Bun.Subprocess<"ignore", "pipe", "inherit">> {
  const program = `import { FolderLock } from ${module};
    FolderLock.acquire(${JSON.stringify(folder)});
    console.log("locked");
    setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("locked\n");
  reader.releaseLock();
  return child;
}

test("one holder at a time; released locks leave nothing", () => {
  const folder = scratch.path("one/two");
  {
    using lock = FolderLock.acquire(folder);
    expect(userErrorOf(() => FolderLock.acquire(folder))).toMatch(
      new RegExp(
        `^${folder} is in use by process ${process.pid} since .* UTC; wait until it has ended, or choose`,
      ),
    );
    lock.release();
    using again = FolderLock.acquire(folder);
    expect(again.folder).toBe(folder);
  }
  expect(readdirSync(folder)).toEqual([]);
});

test("a lock holds against other processes, and ends with kill -9", async () => {
  const folder = scratch.path("killed");
  for (let round = 0; round < 3; round++) {
    const child = await holderOf(folder);
    expect(userErrorOf(() => FolderLock.acquire(folder))).toContain(
      `is in use by process ${child.pid} since`,
    );
    child.kill("SIGKILL");
    await child.exited;
    expect(readdirSync(folder).length).toBe(1);
  }
  FolderLock.acquire(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("files beside locks are refused, unless they are of the same work", () => {
  const folder = scratch.path("work");
  refuseOtherFiles(folder, "made.json");
  using _lock = FolderLock.acquire(folder);
  writeFileSync(join(folder, "made.json.killed.tmp"), "");
  refuseOtherFiles(folder, "made.json");
  writeFileSync(join(folder, "notes.txt"), "");
  expect(userErrorOf(() => refuseOtherFiles(folder, "made.json"))).toContain("holds other files");
  writeFileSync(join(folder, "made.json"), "{}");
  refuseOtherFiles(folder, "made.json");
});

test("a process that ends by itself gives its lock free", () => {
  const folder = scratch.path("ended");
  const program = `import { FolderLock } from ${module}; FolderLock.acquire(${JSON.stringify(folder)}); process.exit(3);`;
  expect(Bun.spawnSync([process.execPath, "-e", program]).exitCode).toBe(3);
  expect(readdirSync(folder)).toEqual([]);
});

test("a process number that was given to another program does not block", () => {
  const folder = scratch.path("reused");
  mkdirSync(folder);
  const { pid, place, start } = thisProcess();
  writeFileSync(
    join(folder, ".lock-1"),
    JSON.stringify({ pid, place, start: `${start}1`, since: "2026-01-01T00:00:00Z" }),
  );
  FolderLock.acquire(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("another machine's lock holds until it has been silent for 15 minutes", () => {
  const folder = scratch.path("foreign");
  mkdirSync(folder);
  const path = join(folder, ".lock-7");
  writeFileSync(
    path,
    JSON.stringify({ pid: 1, place: "elsewhere pid:[1]", start: "x", since: "2026-01-01T00:00:00Z" }),
  );
  expect(userErrorOf(() => FolderLock.acquire(folder))).toContain(
    "by process 1 on elsewhere since 2026-01-01 00:00:00 UTC",
  );
  const past = new Date(Date.now() - 16 * 60_000);
  utimesSync(path, past, past);
  FolderLock.acquire(folder).release();
  expect(existsSync(path)).toBe(false);
});

test("a damaged lock and a folder that cannot be made", () => {
  const folder = scratch.path("damaged");
  mkdirSync(folder);
  writeFileSync(join(folder, ".lock-3"), '{"pid":');
  FolderLock.acquire(folder).release();
  expect(userErrorOf(() => FolderLock.acquire(join(scratch.write("file", "x"), "folder")))).toContain(
    "is a file, not a folder",
  );
});

test("of many who try at once, one at a time gets it", async () => {
  const folder = scratch.path("race");
  const log = scratch.write("race.log", "");
  // Everyone writes when he enters and when he leaves; a dead holder is there at the start.
  const first = await holderOf(folder);
  first.kill("SIGKILL");
  await first.exited;
  const program = `import { appendFileSync } from "node:fs"; import { FolderLock } from ${module};
    for (let done = 0; done < 5; ) {
      try {
        using lock = FolderLock.acquire(${JSON.stringify(folder)});
        appendFileSync(${JSON.stringify(log)}, "in " + process.pid + "\\n");
        Bun.sleepSync(2);
        appendFileSync(${JSON.stringify(log)}, "out " + process.pid + "\\n");
        done++;
      } catch (cause) {
        if (cause.name !== "UserError") throw cause;
        Bun.sleepSync(1);
      }
    }`;
  const children = Array.from({ length: 4 }, () => Bun.spawn([process.execPath, "-e", program]));
  for (const child of children) expect(await child.exited).toBe(0);
  const lines = (await Bun.file(log).text()).trim().split("\n");
  expect(lines.length).toBe(40);
  for (let i = 0; i < lines.length; i += 2) expect(lines[i + 1]).toBe(lines[i].replace("in", "out"));
});

test("who waits comes after the other, is told once whom he waits for, and nothing is left", async () => {
  const folder = scratch.path("queue");
  const events: string[] = [];
  const waits: number[] = [];
  const work = async (name: string) => {
    using _lock = await FolderLock.wait(folder, (pid) => waits.push(pid));
    events.push(`${name} begins`);
    await Bun.sleep(150);
    events.push(`${name} ends`);
  };
  await Promise.all([work("a"), work("b")]);
  expect(events).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  expect(waits).toEqual([process.pid]);
  await expect(
    (async () => {
      using _lock = await FolderLock.wait(folder, () => {});
      throw new Error("no");
    })(),
  ).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});

test("who waits for a killed process, or for a machine that is silent, need not wait for ever", async () => {
  const folder = scratch.path("waited");
  const child = await holderOf(folder);
  const waits: number[] = [];
  const waiting = FolderLock.wait(folder, (pid) => waits.push(pid));
  await Bun.sleep(50);
  expect(waits).toEqual([child.pid]);
  child.kill("SIGKILL");
  await child.exited;
  (await waiting).release();
  const path = join(folder, ".lock-7");
  writeFileSync(
    path,
    JSON.stringify({ pid: 1, place: "elsewhere", start: "x", since: "2026-01-01T00:00:00Z" }),
  );
  const past = new Date(Date.now() - 4 * 60_000);
  utimesSync(path, past, past);
  (await FolderLock.wait(folder, () => {})).release();
  expect(readdirSync(folder)).toEqual([]);
});
