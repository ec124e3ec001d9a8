import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { projectRoot } from "../../helpers/projectFiles.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

const read: Record<string, (path: string) => unknown[]> = {
  safetensors: (path) => {
    const { tensors, metadata } = torch.loadSafetensors(path);
    return [tensors.get("a"), metadata["n"]];
  },
  pickle: (path) => [...(torch.loadPickle(path) as Map<string, unknown>).values()],
};

test.each([
  ["safetensors", "saveSafetensors(path, new Map([['a', value]]), { n: 'x'.repeat(8 * n) })"],
  ["pickle", "savePickle(path, { a: value, n: 'x'.repeat(8 * n) })"],
])("of a %s file that is replaced meanwhile all comes from one", async (kind, save) => {
  const path = scratch.path(kind);
  const program = `import * as torch from ${JSON.stringify(join(projectRoot, "src/torch/index.ts"))};
    const path = ${JSON.stringify(path)};
    for (let i = 0; ; i++) {
      const n = i % 2 === 0 ? 1 : 100;
      using value = torch.full([10], n);
      torch.${save};
      if (i === 0) console.log("begun");
    }`;
  const writer = Bun.spawn([process.execPath, "-e", program], { stderr: "inherit", timeout: 110_000 });
  await writer.stdout.getReader().read();
  try {
    let last = "";
    for (let replaced = 0; replaced < 40; ) {
      using _scope = torch.scope();
      const [a, n] = read[kind](path) as [torch.Tensor, string];
      expect(a.toArray()).toEqual(new Array(10).fill(n.length / 8));
      if (n !== last) replaced++;
      last = n;
      await Bun.sleep(0);
    }
  } finally {
    writer.kill();
    await writer.exited;
  }
});
