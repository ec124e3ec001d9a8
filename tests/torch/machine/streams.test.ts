import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { ensureFakeCuda, whyNoFakeCuda } from "../../fakeCuda/build.ts";

const root = resolve(import.meta.dir, "../../..");

test.skipIf(torch.accelerator() !== null)("without an accelerator streams, events and graphs say so", () => {
  const { cuda } = torch;
  for (const make of [
    () => new cuda.Stream(),
    () => new cuda.Event(),
    () => new cuda.CUDAGraph(),
    () => cuda.currentStream(),
  ])
    expect(make).toThrow(/no accelerator.*CUDA/);
});

const obstacle = whyNoFakeCuda();
if (obstacle) console.log(`streams on the fake CUDA device: skipped, ${obstacle}`);

test.skipIf(obstacle !== null)(
  "streams, events, graphs and functions of one's own on a device",
  () => {
    ensureFakeCuda();
    const program = `
    const torch = await import("./src/torch/index.ts");
    const { cuda } = torch;
    const check = (on, what) => { if (!on) throw new Error(what); };
    const fails = (fn, text) => { try { fn(); } catch (error) { check(error.message.includes(text), error.message); return; } throw new Error("no error: " + text); };
    const own = new cuda.Stream();
    check(cuda.currentStream().equals(cuda.defaultStream()), "default first");
    const start = new cuda.Event({ enableTiming: true });
    const end = new cuda.Event({ enableTiming: true });
    cuda.stream(own, () => {
      check(cuda.currentStream().equals(own), "own inside");
      start.record();
      torch.ones([3], { device: "cuda" }).mul(2);
      end.record();
    });
    check(cuda.currentStream().equals(cuda.defaultStream()), "default after");
    fails(() => cuda.stream(own, () => { throw new Error("mine"); }), "mine");
    check(cuda.currentStream().equals(cuda.defaultStream()), "default after an error");
    end.synchronize();
    check(end.query() && own.query() && start.elapsedTime(end) >= 0, "events");
    own.waitStream(cuda.currentStream());
    own.synchronize();
    const graph = new cuda.CUDAGraph();
    const x = torch.ones([2], { device: "cuda" });
    fails(() => graph.captureBegin(), "default stream");
    cuda.graph(graph, () => x.mul(2));
    graph.replay();
    fails(() => new cuda.CUDAGraph().replay(), "nothing has been captured");
    class Cube extends torch.autograd.Function {
      static forward(ctx, v) { ctx.saveForBackward(v); return v.pow(3); }
      static backward(ctx, g) {
        const [v] = ctx.savedTensors;
        // A backward pass within: the device's own thread would wait for itself.
        const inner = v.detach().requiresGrad_();
        const [found] = torch.enableGrad(() => torch.grad(inner.pow(3).sum(), inner));
        return found.mul(g);
      }
    }
    const leaf = torch.tensor([2, 3], { device: "cuda", requiresGrad: true });
    leaf.registerHook((g) => g.mul(10));
    cuda.stream(own, () => Cube.apply(Cube.apply(leaf)).sum().backward());
    console.log(leaf.grad.cpu().toArray().join());
    console.log("done");`;
    const done = Bun.spawnSync([process.execPath, "-e", program], {
      cwd: root,
      env: { ...process.env, BUN_OPTIONS: `--preload=${join(root, "tests/fakeCuda/load.ts")}` },
      stdout: "pipe",
      stderr: "pipe",
      timeout: 60_000,
    });
    const text = done.stdout.toString() + done.stderr.toString();
    expect(text).toContain("done");
    expect(text).toContain([3 * 64 * 12 * 10, 3 * 27 ** 2 * 27 * 10].join());
  },
  90_000,
);
