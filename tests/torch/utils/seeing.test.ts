import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEventFile } from "../../../lab/material/tensorboard/eventReader.ts";
import * as torch from "../../../src/torch/index.ts";

const { nn, utils, profiler } = torch;
const folder = mkdtempSync(join(tmpdir(), "aam-seeing-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

test("the profiler tells operators, shapes, memory and marks, and writes a trace", () => {
  using _s = torch.scope();
  const x = torch.rand([32, 16], { requiresGrad: true });
  const w = torch.rand([16, 8]);
  const recorded = profiler.profile(
    () => profiler.recordFunction("my part", () => x.mm(w).sum().backward()),
    { recordShapes: true, profileMemory: true },
  );
  const names = new Set(recorded.events.map(({ name }) => name));
  for (const name of ["my part", "aten::mm", "aten::sum"]) expect(names).toContain(name);
  expect([...names].some((name) => name.includes("MmBackward0"))).toBe(true);
  const product = recorded.events.find(({ name }) => name === "aten::mm")!;
  expect(product.shapes.slice(0, 2)).toEqual([
    [32, 16],
    [16, 8],
  ]);
  const averages = recorded.keyAverages();
  const mm = averages.rows.find(({ name }) => name === "aten::mm")!;
  expect(mm.count).toBe(2);
  expect(mm.total).toBeGreaterThan(0);
  expect(mm.total).toBeGreaterThanOrEqual(mm.self);
  expect(averages.rows.some(({ selfBytes }) => selfBytes >= 32 * 8 * 4)).toBe(true);
  expect(String(averages)).toContain("aten::mm");
  expect(recorded.keyAverages({ groupByInputShape: true }).rows.length).toBeGreaterThan(
    averages.rows.length - 1,
  );
  const path = join(folder, "trace.json");
  recorded.exportChromeTrace(path);
  const trace = JSON.parse(readFileSync(path, "utf8")) as { traceEvents: { name: string }[] };
  expect(trace.traceEvents.some(({ name }) => name === "aten::mm")).toBe(true);
  expect(() => profiler.profile(() => profiler.profile(() => 1))).toThrow(/recorded already/);
  expect(() => profiler.profile(() => Promise.resolve())).toThrow(/asynchronous/);
  expect(profiler.profile(() => 5).result).toBe(5);
  expect(() => recorded.exportChromeTrace(path)).toThrow(/another profile/);
});

test("floating-point operations, forward and backward", () => {
  using _s = torch.scope();
  const a = torch.rand([10, 20], { requiresGrad: true });
  const b = torch.rand([20, 30], { requiresGrad: true });
  const { total, byOperator, result } = utils.flopCounter.countFlops(() => a.mm(b));
  expect(byOperator.get("aten::mm")).toBe(2 * 10 * 20 * 30);
  expect(total).toBe(12000);
  const backward = utils.flopCounter.countFlops(() => result.sum().backward());
  expect(backward.byOperator.get("aten::mm")).toBe(2 * 12000);
});

test("a module's summary has shapes and parameters, and leaves the module as it was", () => {
  using _s = torch.scope();
  const shared = new nn.Linear(8, 8);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 4, 3),
    new nn.Flatten(),
    new nn.Linear(4 * 36, 8),
    shared,
    shared,
  );
  const found = utils.summary(model, torch.zeros([2, 1, 8, 8]));
  expect(found.parameters).toBe(4 * 9 + 4 + 144 * 8 + 8 + 72);
  const conv = found.layers.find(({ type }) => type === "Conv2d")!;
  expect([conv.inputShapes, conv.outputShapes]).toEqual([[[2, 1, 8, 8]], [[2, 4, 6, 6]]]);
  expect(String(found)).toContain("[2, 4, 6, 6]");
  expect(String(found)).toContain("1,272 parameters");
  expect(model.training).toBe(true);
  expect(nn.hasHooks(model)).toBe(false);
});

test("SummaryWriter's files are TensorBoard's", () => {
  using _s = torch.scope();
  const run = join(folder, "run");
  {
    using writer = new utils.tensorboard.SummaryWriter(run);
    writer.addScalar("loss", torch.tensor(0.5), 3);
    writer.addScalars("both", { a: 1, b: 2 }, 1);
    writer.addHistogram("weights", torch.randn([100]), 1);
    writer.addImage("picture", torch.rand([3, 4, 5]), 1);
    writer.addText("note", "**bold**");
    writer.addHparams({ rate: 0.1 }, { score: 0.9 });
  }
  const file = readdirSync(run).find((name) => name.startsWith("events"))!;
  const tags = JSON.stringify(readEventFile(join(run, file)));
  for (const tag of ["loss", "weights", "picture", "note", "score"]) expect(tags).toContain(tag);
  expect(readdirSync(run)).toContain("both_a");
});

test("a progress line tells how far a loop is", async () => {
  let written = "";
  const stream = { write: (text: string) => void (written += text), isTTY: true, columns: 80 };
  const seen: number[] = [];
  for (const i of utils.progress([1, 2, 3], { description: "epoch", stream, every: 0 })) seen.push(i);
  expect(seen).toEqual([1, 2, 3]);
  expect(written).toContain("epoch:  66%|");
  expect(written).toMatch(/100%\|█+\| 3\/3 \[00:00<00:00, .*it\/s\]\n$/);
  const bar = new utils.Progress({ stream, total: 4 });
  bar.update(2);
  bar.setPostfix({ loss: 0.123456 });
  expect(String(bar)).toMatch(/ 50%\|.* 2\/4 .*loss=0.1235/);
  for await (const _ of utils.progress(
    (async function* () {
      yield 1;
    })(),
    { stream },
  ));
  expect(written).toContain("1it [");
});
