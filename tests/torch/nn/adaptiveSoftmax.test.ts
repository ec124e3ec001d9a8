import { expect, test } from "bun:test";
import * as torch from "../../../src/torch/index.ts";

test("the adaptive softmax is a distribution, of which the loss and the prediction are read", () => {
  using _s = torch.scope();
  torch.manualSeed(1);
  const layer = new torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], { divValue: 2, dtype: "float64" });
  const x = torch.randn([30, 8], { dtype: "float64" }).mul(8);
  const target = torch.randint(0, 20, [30]);
  const [chosen, loss] = layer.forward(x, target);
  const all = layer.logProb(x);
  expect(torch.allclose(all.exp().sum(1), torch.ones([30], { dtype: "float64" }))).toBe(true);
  expect(torch.allclose(all.gather(1, target.unsqueeze(1)).squeeze(1), chosen)).toBe(true);
  expect(loss.item()).toBeCloseTo(-chosen.mean().item(), 12);
  const predicted = layer.predict(x);
  // Of those whose head chooses a cluster: the others' best class is in the head.
  const best = all.argmax(1);
  const clusters = layer.head.forward(x).argmax(1).ge(4);
  expect(predicted.at(clusters).toArray()).toEqual(best.at(clusters).toArray());
  expect(new Set(predicted.lt(4).toArray() as boolean[]).size).toBe(2);
});

test("wrong cutoffs, shapes and classes are refused", () => {
  const make = (cutoffs: number[]) => () => new torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs);
  for (const cutoffs of [[], [0, 4], [4, 4], [6, 4], [4, 20], [2.5]])
    expect(make(cutoffs)).toThrow("cutoffs must be rising integers between 1 and nClasses - 1 (19)");
  const layer = make([4])();
  const classes = torch.tensor([1n, 20n]);
  expect(() => layer.forward(torch.ones([2, 8]), classes)).toThrow("0 to 19, but values from 1 to 20");
  expect(() => layer.forward(torch.ones([3, 8]), classes)).toThrow("got [3, 8] and [2]");
  expect(() => layer.forward(torch.ones([8]), classes)).toThrow("got [8] and [2]");
});
