import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refuseForeign } from "../../../src/common/files/folderSwap.ts";
import { projectRoot } from "../../helpers/projectFiles.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

test("a folder that several processes write at once is never taken for someone else's", async () => {
  const folder = scratch.path("together");
  const script = scratch.write(
    "writer.ts",
    `import { writeFileSync } from "node:fs";
    import { writeFolderAtomic } from ${JSON.stringify(join(projectRoot, "src/common/files/folderSwap.ts"))};
    for (let round = 0; round < 300; round++) {
      writeFolderAtomic(process.argv[2], "marker", (folder) => {
        for (const name of ["a", "marker", "z"]) writeFileSync(folder + "/" + name, "x");
      });
    }`,
  );
  const children = Array.from({ length: 3 }, () =>
    Bun.spawn([process.execPath, script, folder], { stderr: "pipe", timeout: 110_000 }),
  );
  const errors = await Promise.all(children.map(({ stderr }) => new Response(stderr).text()));
  expect(errors).toEqual(["", "", ""]);
  expect(readdirSync(folder).sort()).toEqual(["a", "marker", "z"]);
});

test("a file, and a folder with other files, are refused", () => {
  expect(() => refuseForeign(scratch.write("taken", "x"), "marker")).toThrow("it is a file");
  expect(() => refuseForeign(scratch.path("."), "marker")).toThrow("holds other files");
  writeFileSync(scratch.path("marker"), "");
  expect(() => refuseForeign(scratch.path("."), "marker")).not.toThrow();
});
