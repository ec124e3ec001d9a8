import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import * as torch from "../../src/torch/index.ts";

const workers: Worker[] = [];
afterAll(() => {
  for (const worker of workers) worker.terminate();
});

interface Answer {
  handles: number[];
  losses?: number[];
  gradEnabled?: boolean;
}

function start(): (work: string, tensors: torch.Tensor[], rounds: number) => Promise<Answer> {
  const worker = new Worker(join(import.meta.dir, "fixtures/worker.ts"));
  workers.push(worker);
  return (work, tensors, rounds) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ work, handles: tensors.map((tensor) => tensor.transfer()), rounds });
    });
}

const live = () => torch.memory().liveTensors;

test("a tensor goes to a Worker and a result comes back", async () => {
  const ask = start();
  const before = live();
  const a = torch.randn([8, 8]);
  const b = torch.randn([8, 8]);
  const expected = a.matmul(b).tanh().toArray();
  const given = a.detach();
  const { handles } = await ask("product", [given, b.detach()], 1);
  expect(given.isDisposed).toBe(true);
  expect(() => given.shape).toThrow(/disposed/);
  const result = torch.Tensor.receive(handles[0]);
  expect(result.toArray()).toEqual(expected);
  for (const tensor of [a, b, result]) tensor.dispose();
  Bun.gc(true);
  expect(live()).toBeLessThanOrEqual(before);
});

test("the memory is the same on both sides", async () => {
  const ask = start();
  const shared = torch.zeros([4]);
  const view = shared.dataView() as Float32Array;
  const { handles } = await ask("many", [], 3);
  expect(handles.map((handle) => torch.Tensor.receive(handle).item())).toEqual([0, 1, 2]);
  const number = shared.transfer();
  const back = torch.Tensor.receive(number);
  view[2] = 7;
  expect(back.toArray()).toEqual([0, 0, 7, 0]);
});

test("two Workers and the main thread compute at once, each right", async () => {
  const [one, two] = [start(), start()];
  torch.manualSeed(1);
  const a = torch.randn([32, 32]).div(6);
  const b = torch.randn([32, 32]).div(6);
  const rounds = 300;
  const repeated = () =>
    torch.tidy(() => {
      let value = a;
      for (let i = 0; i < rounds; i++) value = torch.tidy(() => value.matmul(b).tanh());
      return value.add(0);
    });
  const x = torch.randn([64, 5]);
  const target = torch.tensor([[1], [-2], [3], [0.5], [0]]);
  const y = x.matmul(target);
  const expected = repeated();
  for (let round = 0; round < 3; round++) {
    const answers = Promise.all([
      one("product", [a.detach(), b.detach()], rounds),
      two("train", [x.detach(), y.detach()], 100),
    ]);
    await Bun.sleep(0);
    const own = torch.noGrad(repeated);
    const [product, trained] = await answers;
    const result = torch.Tensor.receive(product.handles[0]);
    expect(torch.equal(result, expected)).toBe(true);
    expect(torch.equal(own, expected)).toBe(true);
    const weight = torch.Tensor.receive(trained.handles[0]);
    expect(weight.sub(target).abs().max().item()).toBeLessThan(0.05);
    expect(trained.losses!.at(-1)!).toBeLessThan(trained.losses![0] / 100);
    expect(trained.gradEnabled).toBe(true);
  }
});

test("what is not a tensor's number is refused", () => {
  for (const number of [0, -1, 12345, Number.NaN])
    expect(() => torch.Tensor.receive(number)).toThrow(torch.TorchError);
});

test("many tensors of a Worker that ended stay valid", async () => {
  const ask = start();
  const { handles } = await ask("many", [], 5000);
  workers.pop()!.terminate();
  await Bun.sleep(20);
  const total = handles.reduce((sum, handle) => {
    const tensor = torch.Tensor.receive(handle);
    const value = tensor.item();
    tensor.dispose();
    return sum + value;
  }, 0);
  expect(total).toBe((5000 * 4999) / 2);
});
