// What a worker of a DataLoader makes its data of, in the tests.
import * as torch from "../../../src/torch/index.ts";

interface Settings {
  readonly kind: "indexed" | "iterable" | "failing" | "slow";
  readonly length: number;
}

export function makeDataset(
  data: Settings,
  worker: torch.utils.data.WorkerInfo,
): torch.utils.data.Dataset | torch.utils.data.IterableDataset {
  const { kind, length } = data;
  if (kind === "iterable")
    return (function* () {
      for (let i = worker.id; i < length; i += worker.numWorkers) yield [torch.tensor([i]), i];
    })();
  return {
    length,
    async get(index: number) {
      if (kind === "failing" && index === 5) throw new RangeError("example 5 is broken");
      if (kind === "slow") await Bun.sleep(2000);
      return { x: torch.tensor([index, index]), noise: torch.rand([1]), name: `n${index}` };
    },
  };
}
