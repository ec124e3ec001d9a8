import { expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import { loadedLibtorch } from "../../helpers/loadedLibtorch.ts";

const live = () => torch.memory().liveTensors;

test("a scope frees what was made in it and leaves alone what was kept", () => {
  const before = live();
  let kept: torch.Tensor;
  {
    using s = torch.scope();
    kept = torch.ones([3]).keep();
    torch.ones([3]).add(kept);
    expect(s.size).toBe(2);
    expect(torch.currentScope()).toBe(s);
  }
  expect(torch.currentScope()).toBeNull();
  expect(live()).toBe(before + 1);
  expect(kept.toArray()).toEqual([1, 1, 1]);
  kept.dispose();
  expect(live()).toBe(before);
});

test("scopes nest: keep moves one scope outwards, detachFromScope out of all", () => {
  const before = live();
  let free: torch.Tensor;
  {
    using outer = torch.scope();
    let moved: torch.Tensor;
    {
      using _inner = torch.scope();
      moved = torch.ones([1]).keep();
      free = torch.ones([1]).detachFromScope();
    }
    expect(moved.scope).toBe(outer);
    expect(moved.isDisposed).toBe(false);
  }
  expect(live()).toBe(before + 1);
  free.dispose();
});

test("a scope is closed when its block is left by an error", () => {
  const before = live();
  expect(() => {
    using _s = torch.scope();
    torch.ones([2]).add(torch.ones([3]));
  }).toThrow();
  expect(live()).toBe(before);
  expect(torch.currentScope()).toBeNull();
});

test("scopes closed in the wrong order neither leak nor free too early", () => {
  const before = live();
  const outer = torch.scope();
  const inner = torch.scope();
  const a = torch.ones([1]);
  outer[Symbol.dispose]();
  outer[Symbol.dispose]();
  expect(torch.currentScope()).toBe(inner);
  expect(a.isDisposed).toBe(false);
  a.keep();
  expect(a.scope).toBeNull();
  inner[Symbol.dispose]();
  expect(torch.currentScope()).toBeNull();
  a.dispose();
  expect(live()).toBe(before);
  expect(() => inner.run(() => 1)).toThrow(/closed/);
});

test("a long loop with disposed tensors does not make a scope grow", () => {
  using s = torch.scope();
  for (let i = 0; i < 20_000; i++) torch.ones([1]).dispose();
  expect(s.size).toBe(0);
});

test("tidy frees temporaries; its result comes out, nested in containers, once", () => {
  const before = live();
  const shared = torch.tidy(() => torch.ones([1]));
  const cycle: { self?: unknown } = {};
  const result = torch.tidy(() => {
    torch.rand([10]).exp();
    cycle.self = cycle;
    return {
      list: [torch.ones([1]), [torch.zeros([2])]],
      map: new Map([["a", torch.ones([1])]]),
      set: new Set([torch.ones([1])]),
      shared,
      number: 3,
      nothing: null,
      cycle,
    };
  });
  expect(live()).toBe(before + 5);
  expect((result.list[0] as torch.Tensor).item()).toBe(1);
  torch.tidy(() => 1);
  for (const tensor of [
    result.list[0],
    ...(result.list[1] as torch.Tensor[]),
    ...result.map.values(),
    ...result.set,
    shared,
  ])
    (tensor as torch.Tensor).dispose();
  expect(live()).toBe(before);
});

test("tidy refuses asynchronous functions and frees what they made", () => {
  const before = live();
  expect(() => torch.tidy(async () => torch.ones([1]))).toThrow(/tidyAsync/);
  expect(live()).toBe(before);
});

test("tidyAsync follows its function across awaits, also while others run", async () => {
  const before = live();
  const work = (delay: number) =>
    torch.tidyAsync(async (own) => {
      const first = torch.ones([1]);
      for (let i = 0; i < 5; i++) {
        await Bun.sleep(delay);
        expect(torch.currentScope()).toBe(own);
        first.add(i);
        torch.tidy(() => first.mul(2));
        using inner = torch.scope();
        expect(torch.currentScope()).toBe(inner);
        first.add(1);
      }
      await Promise.resolve();
      return first.add(41);
    });
  const results = await Promise.all([work(1), work(2), work(0), work(1)]);
  expect(results.map((result) => result.item())).toEqual([42, 42, 42, 42]);
  expect(torch.currentScope()).toBeNull();
  for (const result of results) result.dispose();
  expect(live()).toBe(before);
});

test("tidyAsync in a scope gives its result to that scope, and frees all on an error", async () => {
  const before = live();
  {
    using outer = torch.scope();
    const result = await torch.tidyAsync(async () => {
      await Bun.sleep(0);
      torch.ones([1]);
      return torch.ones([1]);
    });
    expect(result.scope).toBe(outer);
  }
  expect(live()).toBe(before);
  const failing = torch.tidyAsync(async () => {
    torch.ones([1]);
    await Bun.sleep(0);
    torch.ones([1]);
    throw new Error("stop");
  });
  expect(failing).rejects.toThrow("stop");
  await failing.catch(() => {});
  expect(live()).toBe(before);
});

test("autograd keeps what it needs beyond the scope", () => {
  const weight = torch.ones([2], { requiresGrad: true });
  const loss = torch.tidy(() =>
    weight
      .mul(torch.tensor([2, 3]))
      .exp()
      .sum(),
  );
  loss.backward();
  const gradient = weight.grad!;
  expect(gradient.at(0).item()).toBeCloseTo(2 * Math.exp(2), 4);
  for (const tensor of [weight, loss, gradient]) tensor.dispose();
});

test("views keep their memory when the tensor they look at is disposed", () => {
  const base = torch.arange(6);
  const view = base.view([2, 3]).at(1);
  const memory = base.dataView();
  base.dispose();
  expect(view.toArray()).toEqual([3, 4, 5]);
  expect([...(memory as BigInt64Array)]).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
});

test("outside scopes the collector frees small and large tensors, in a synchronous loop", () => {
  const script = join(import.meta.dir, "../fixtures/unscoped.ts");
  const run = Bun.spawnSync([process.execPath, script]);
  expect(run.stderr.toString()).toBe("");
  const { small, large, left } = JSON.parse(run.stdout.toString());
  // A LibTorch for CUDA fills more memory with its code alone.
  expect(small).toBeLessThan(loadedLibtorch.isForCuda ? 500 : 300);
  expect(large).toBeLessThan(1500);
  expect(left).toBeLessThan(50_000);
}, 120_000);
