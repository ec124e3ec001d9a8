/** Scopes and mixed precision in asynchronous functions that run at once. */
import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

const live = () => {
  Bun.gc(true);
  return torch.memory().liveTensors;
};

/** Makes tensors in a scope across several awaits, and looks whether each is its own and lives. */
async function work(value: number, pauses: readonly number[]): Promise<number> {
  using own = torch.scope();
  let sum = torch.full([3], value);
  for (const pause of pauses) {
    await Bun.sleep(pause);
    expect(torch.currentScope()).toBe(own);
    sum = sum.add(value);
    expect(sum.scope).toBe(own);
  }
  return sum.sum().item();
}

test("scopes of functions that overlap free what is theirs alone", async () => {
  const before = live();
  const pauses = [
    [9, 1, 1],
    [1, 9, 1],
    [1, 1, 9],
    [3, 3, 3],
    [0, 0, 0],
  ];
  const sums = await Promise.all(pauses.map((list, i) => work(i + 1, list)));
  expect(sums).toEqual([12, 24, 36, 48, 60]);
  expect(torch.currentScope()).toBeNull();
  expect(live()).toBeLessThanOrEqual(before);
});

test("each request of a server has its own scope; what runs outside has none", async () => {
  const before = live();
  using server = Bun.serve({
    port: 0,
    async fetch(request) {
      expect(torch.currentScope()).toBeNull();
      const value = Number(new URL(request.url).searchParams.get("value"));
      return new Response(String(await work(value, [1 + (value % 3), 2, value % 2])));
    },
  });
  const ask = async (value: number) => (await fetch(`${server.url}?value=${value}`)).text();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i)));
  expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => String(12 * i)));
  expect(live()).toBeLessThanOrEqual(before);
});

test("a timer of another part of the program makes nothing in a scope that waits", async () => {
  let made: torch.Tensor | undefined;
  setTimeout(() => {
    made = torch.ones([2]);
  }, 1);
  {
    using own = torch.scope();
    await Bun.sleep(10);
    expect(own.size).toBe(0);
  }
  expect(made?.toArray()).toEqual([1, 1]);
  made?.dispose();
});

test("keep and tidy in a function that awaits give to the scope around", async () => {
  using outer = torch.scope();
  const make = async () => {
    using _own = torch.scope();
    await Bun.sleep(1);
    return torch.tidy(() => torch.ones([2]).add(1)).keep();
  };
  const kept = await make();
  expect(kept.scope).toBe(outer);
  expect(kept.toArray()).toEqual([2, 2]);
});

test("three functions that are started together keep tensors of their own, with scopes before and after an await", async () => {
  const before = live();
  const make = async (value: number, pauses: readonly number[]) => {
    if (pauses[0] === 0) await null;
    using own = torch.scope();
    const first = torch.full([2], value);
    for (const pause of pauses) await Bun.sleep(pause);
    const inner = await (async () => {
      await null;
      using _inner = torch.scope();
      return first.add(1).keep();
    })();
    expect(inner.scope).toBe(own);
    return inner.mul(2).keep();
  };
  const orders = [
    [1, 4, 8],
    [8, 4, 1],
    [4, 8, 1],
    [3, 3, 3],
  ];
  for (const lead of [[], [0]])
    for (const order of orders) {
      const made = await Promise.all(order.map((pause, i) => make(i, [...lead, pause])));
      expect(made.map((tensor) => tensor.toArray())).toEqual([
        [2, 2],
        [4, 4],
        [6, 6],
      ]);
      expect(torch.currentScope()).toBeNull();
      for (const tensor of made) tensor.dispose();
    }
  expect(live()).toBeLessThanOrEqual(before);
});

test("what siblings keep outlives a function that awaits others with scopes of their own, which end with it", async () => {
  const before = live();
  const inner = async (value: number, pause: number) => {
    using _own = torch.scope();
    await Bun.sleep(pause);
    return torch.full([2], value).keep();
  };
  const inners: torch.Tensor[] = [];
  const call = async (pause: number) => {
    const made = await Promise.all([inner(10, pause), inner(20, 1)]);
    inners.push(...made);
    return made;
  };
  const make = async (value: number, callsAfter: boolean, pause: number) => {
    using _own = torch.scope();
    if (callsAfter) await Bun.sleep(1);
    const [ten = torch.ones([2])] = await call(pause);
    const kept = ten.add(value).keep();
    await Bun.sleep(pause);
    return kept;
  };
  // The first started is the one that the others' scopes lie in; it ends last, first, or between.
  for (const callsAfter of [false, true])
    for (const pauses of [
      [9, 1, 4],
      [1, 4, 9],
      [4, 9, 1],
    ]) {
      const made = await Promise.all(pauses.map((pause, i) => make(i, callsAfter, pause)));
      expect(made.map((tensor) => tensor.toArray())).toEqual([
        [10, 10],
        [11, 11],
        [12, 12],
      ]);
      expect(inners.splice(0).map((tensor) => tensor.isDisposed)).toEqual(Array(6).fill(true));
      for (const tensor of made) tensor.dispose();
    }
  expect(live()).toBeLessThanOrEqual(before);
});

test("what a function keeps that was awaited in another one's scope ends with that scope", async () => {
  const before = torch.memory().liveTensors;
  const inner = async (value: number) => {
    using _own = torch.scope();
    const x = torch.full([2], value);
    await Bun.sleep(1);
    return x.add(1).keep();
  };
  const outer = async () => {
    using _own = torch.scope();
    const kept = await inner(1);
    {
      using _between = torch.scope();
      kept.add(1);
    }
    return { kept, sum: kept.sum().item() };
  };
  const found = await Promise.all([outer(), outer(), outer()]);
  expect(found.map(({ sum }) => sum)).toEqual([4, 4, 4]);
  expect(found.map(({ kept }) => kept.isDisposed)).toEqual([true, true, true]);
  expect(torch.memory().liveTensors).toBe(before);
});

test("a tensor that its scope has disposed says so, with the cure", async () => {
  let lost: torch.Tensor;
  {
    using _own = torch.scope();
    lost = torch.ones([2]);
  }
  expect(() => lost.shape).toThrow(
    /after its scope had ended.*return it from tidy, or keep\(\) it.*torch\.tidyAsync/,
  );
  const gone = torch.ones([2]);
  gone.dispose();
  expect(() => gone.shape).toThrow("The tensor was used after it had been disposed.");
});

test("mixed precision that lasts over an await ends there, and its end throws with the cure", async () => {
  const dtypeOf = () => torch.tidy(() => torch.ones([2, 2]).mm(torch.ones([2, 2])).dtype);
  const others: string[] = [];
  const overlapping = async () => {
    using _amp = new torch.Autocast({ dtype: "bfloat16" });
    expect(dtypeOf()).toBe("bfloat16");
    await Bun.sleep(5);
    others.push(`own ${dtypeOf()}`);
  };
  const running = overlapping();
  await Bun.sleep(1);
  others.push(`other ${dtypeOf()}`);
  expect(running).rejects.toThrow(/Autocast: it was still open at an await.*torch\.autocast\(options/);
  await running.catch(() => {});
  expect(others).toEqual(["other float32", "own float32"]);
  expect(torch.isAutocastEnabled()).toBe(false);
  expect(() => torch.autocast({}, async () => 1)).toThrow("autocast: the function must not be asynchronous");
  expect(torch.isAutocastEnabled()).toBe(false);
});

test("mixed precision of functions that overlap is off for all of them, and stays so", async () => {
  const work = async (pauses: number) => {
    using _amp = new torch.Autocast({ dtype: pauses === 1 ? "float16" : "bfloat16" });
    for (let i = 0; i < pauses; i++) await null;
    return torch.isAutocastEnabled();
  };
  const found = await Promise.allSettled([work(2), work(1), work(3)]);
  for (const one of found) {
    expect(one.status).toBe("rejected");
    expect((one as PromiseRejectedResult).reason.message).toMatch(/still open at an await/);
  }
  expect(torch.isAutocastEnabled()).toBe(false);
  expect(torch.tidy(() => torch.ones([2, 2]).mm(torch.ones([2, 2])).dtype)).toBe("float32");
});

test("mixed precision that ends before the next await is none of its business", async () => {
  for (let i = 0; i < 3; i++) {
    {
      using _amp = new torch.Autocast();
      expect(torch.isAutocastEnabled()).toBe(true);
    }
    await null;
    expect(torch.isAutocastEnabled()).toBe(false);
  }
});
