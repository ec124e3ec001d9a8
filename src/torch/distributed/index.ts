/** Training on several processes, with PyTorch's names: `torch.distributed`. */
export * as optim from "./optim/index.ts";
export {
  allGather,
  allGatherIntoTensor,
  allGatherObject,
  allReduce,
  barrier,
  broadcast,
  broadcastObject,
  type CollectiveOptions,
  type ReduceOp,
  type ReduceOptions,
  reduceScatter,
  reduceScatterTensor,
  type Work,
} from "./ranks/collectives.ts";
export { GradientBuckets } from "./ranks/gradientBuckets.ts";
export {
  announceEnd,
  type Backend,
  destroyProcessGroup,
  getBackend,
  getRank,
  getWorldSize,
  initProcessGroup,
  isAvailable,
  isInitialized,
  isNcclAvailable,
  onRankZero,
  type ProcessGroupOptions,
  RankFailure,
  serveStore,
} from "./ranks/group.ts";
export { firstHost, type RankEnvironment, rankEnvironment } from "./ranks/launch.ts";
