import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { temporaryName, writeFileAtomic } from "../../../src/common/files/atomicFile.ts";
import { Random } from "../../../src/common/random/random.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

test("parts of all sizes arrive in order", () => {
  const random = new Random(1);
  const sizes = [0, 1, 7, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_000_000];
  for (let round = 0; round < 30; round++) {
    const parts = Array.from({ length: random.integer(12) }, () => {
      const size = sizes[random.integer(sizes.length)];
      return new Uint8Array(size).fill(random.integer(256));
    });
    const path = scratch.path("parts");
    // The parts share one array that is used again, as generators do.
    const shared = new Uint8Array(1_000_000);
    writeFileAtomic(
      path,
      (function* () {
        for (const part of parts) {
          shared.set(part);
          yield shared.subarray(0, part.length);
        }
      })(),
    );
    expect(Buffer.concat(parts).equals(readFileSync(path))).toBe(true);
  }
});

test("an error in the content is thrown as it is, and the old file stays", () => {
  const path = scratch.write("kept", "old");
  const failing = function* () {
    yield new Uint8Array(1_000_000);
    throw new TypeError("a bug");
  };
  expect(() => writeFileAtomic(path, failing())).toThrow(new TypeError("a bug"));
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(scratch.path(".")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("a symbolic link stays, its target is replaced", () => {
  mkdirSync(scratch.path("elsewhere"));
  const target = scratch.write("elsewhere/target", "old");
  symlinkSync(target, scratch.path("link"));
  writeFileAtomic(scratch.path("link"), "new");
  expect([readlinkSync(scratch.path("link")), readFileSync(target, "utf8")]).toEqual([target, "new"]);
  symlinkSync(scratch.path("nowhere"), scratch.path("dangling"));
  writeFileAtomic(scratch.path("dangling"), "new");
  expect(readFileSync(scratch.path("dangling"), "utf8")).toBe("new");
});

test("devices and pipes are written to and stay what they are", async () => {
  writeFileAtomic("/dev/null", "gone");
  expect((await Bun.file("/dev/null").stat()).isCharacterDevice()).toBe(true);
  const pipe = scratch.path("pipe");
  Bun.spawnSync(["mkfifo", pipe]);
  const reader = Bun.spawn(["cat", pipe]);
  writeFileAtomic(pipe, "through");
  expect(await new Response(reader.stdout).text()).toBe("through");
  expect(readdirSync(scratch.path(".")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("folders in the way, missing folders and impossible names are told", () => {
  mkdirSync(scratch.path("folder/inner"), { recursive: true });
  const write = (name: string) => userErrorOf(() => writeFileAtomic(scratch.path(name), "x"));
  expect(write("folder")).toMatch(/^Cannot write .*folder: it is a folder; give a file's path\.$/);
  expect(write("missing/file")).toContain(
    "its folder does not exist (any more); create it or choose another",
  );
  expect(write(`${scratch.write("plain", "x").slice(scratch.path("").length)}/file`)).toContain(
    "is a file, not a folder",
  );
  expect(write("x".repeat(300))).toContain("its name is too long");
  symlinkSync(scratch.path("round"), scratch.path("round"));
  expect(write("round/file")).toContain("circles");
});

test("leftovers of killed writers go, those of living ones and other files stay", () => {
  const path = scratch.path("tidy");
  const program = `import { temporaryName } from ${JSON.stringify(join(import.meta.dir, "../../../src/common/files/atomicFile.ts"))};
    console.write(temporaryName(${JSON.stringify(path)}));`;
  const ended = Bun.spawnSync([process.execPath, "-e", program]).stdout.toString();
  const others = [
    temporaryName(path),
    `${path}.backup.tmp`,
    `${path}2.a-1-b-0-0.tmp`,
    `${path}.elsew-1-abc-0-0.tmp`,
  ];
  for (const name of [ended, ...others]) scratch.write(name.slice(scratch.path("").length), "");
  writeFileAtomic(path, "x");
  expect(existsSync(ended)).toBe(false);
  for (const name of others) expect(existsSync(name)).toBe(true);
});
