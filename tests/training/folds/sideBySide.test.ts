import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sideBySide } from "../../../src/training/folds/sideBySide.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const module = join(import.meta.dir, "../../../src/training/folds/sideBySide.ts");

test.each(["", "b"])(
  "no temporary file of the processes is left, also where one fails: %p",
  async (failing) => {
    const script = scratch.write(
      "worker.ts",
      `import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { serveJobs } from ${JSON.stringify(module)};
serveJobs(() => async (job: string) => {
  if (job === ${JSON.stringify(failing)}) throw new Error("it failed");
  return mkdtempSync(tmpdir() + "/left-");
});
`,
    );
    const made: string[] = [];
    const waiting = ["a", "b", "c"];
    const keep = (path: string) => void made.push(`${path} ${existsSync(path)}`);
    const work = sideBySide({
      ...{ script, begin: {}, workers: 1, cure: "try again", keep },
      next: () => waiting.shift(),
    });
    if (failing === "") await work;
    else await expect(work).rejects.toThrow("it failed");
    expect(made).toHaveLength(failing === "" ? 3 : 1);
    for (const one of made) {
      const [path, wasThere] = one.split(" ");
      expect([wasThere, existsSync(path)]).toEqual(["true", false]);
    }
  },
);
