/** `torch.utils.data`: data sets, orders, batches. */
export { defaultCollate } from "./collate.ts";
export { DataLoader, type DataLoaderOptions, type DataLoaderState } from "./dataLoader.ts";
export {
  type Batched,
  ChainDataset,
  ConcatDataset,
  type Dataset,
  type IterableDataset,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
} from "./dataset.ts";
export { DistributedSampler, type DistributedSamplerOptions } from "./distributedSampler.ts";
export {
  BatchSampler,
  RandomSampler,
  type Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "./samplers.ts";
export type { WorkerInfo } from "./workerMessages.ts";
