/**
 * The layers whose gradients need no settings beyond a line: activations, norms,
 * convolutions, pooling, losses.
 */

import { testDevice } from "../../lab/material/testDevice.ts";
import * as torch from "../../src/torch/index.ts";

const { nn } = torch;
const double = { dtype: "float64", device: testDevice } as const;
const leaf = (shape: number[]) => torch.randn(shape, { ...double, requiresGrad: true });
type Layer = torch.nn.Module & { forward(...args: never[]): unknown };

interface Subject {
  layer: Layer;
  inputs: torch.Tensor[];
  rest?: unknown[];
}

const one = (layer: Layer, shape: number[], ...rest: unknown[]): Subject[] => [
  { layer, inputs: [leaf(shape)], rest },
];
const pair = (layer: Layer, ...rest: unknown[]): Subject[] => [
  { layer, inputs: [leaf([3, 4]), leaf([3, 4])], rest },
];
const signs = (shape: number[]) => torch.randn(shape, double).sign();
const shares = () => torch.rand([3, 4], double);
const classes = () => torch.tensor([0n, 3n, 1n]);

const activations = [
  ...["ReLU6", "LogSigmoid", "Tanhshrink", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Softsign", "ELU"],
  ...["LeakyReLU", "RReLU", "PReLU", "CELU", "Hardtanh", "Softshrink", "Hardshrink", "GLU", "Flatten"],
];
const constructors = nn as unknown as Record<string, new () => Layer>;

export const toolkitSubjects: Record<string, () => Subject[]> = {
  ...Object.fromEntries(
    activations.map((name): [string, () => Subject[]] => [name, () => one(new constructors[name](), [3, 4])]),
  ),
  Threshold: () => one(new nn.Threshold(0.1, -1), [3, 4]),
  Softmin: () => one(new nn.Softmin(1), [3, 4]),
  Unflatten: () => one(new nn.Unflatten(1, [2, 2]), [3, 4]),
  RMSNorm: () => one(new nn.RMSNorm(4), [3, 4]),
  GroupNorm: () => one(new nn.GroupNorm(2, 4), [2, 4, 3]),
  BatchNorm1d: () => one(new nn.BatchNorm1d(4), [5, 4]),
  BatchNorm2d: () => one(new nn.BatchNorm2d(2), [2, 2, 2, 3]),
  Conv1d: () => one(new nn.Conv1d(2, 2, 3, { stride: 2, padding: 1 }), [2, 2, 6]),
  Conv3d: () => one(new nn.Conv3d(1, 2, 2, { padding: 1, paddingMode: "circular" }), [1, 1, 2, 2, 3]),
  Conv2d: () => one(new nn.Conv2d(2, 2, 2, { padding: "same" }), [1, 2, 3, 4]),
  EmbeddingBag: () => [
    {
      layer: new nn.EmbeddingBag(5, 3, { mode: "sum" }),
      inputs: [],
      rest: [torch.tensor([[1n, 4n, 1n]]), null, { perSampleWeights: torch.rand([1, 3], double) }],
    },
    {
      layer: new nn.EmbeddingBag(5, 3, { paddingIdx: 1 }),
      inputs: [],
      rest: [torch.tensor([1n, 4n, 0n]), torch.tensor([0n, 2n])],
    },
  ],
  MaxUnpool2d: () => one(new nn.MaxUnpool2d(2), [1, 1, 2], torch.tensor([[[0n, 5n]]])),
  MaxPool1d: () => one(new nn.MaxPool1d(2), [2, 2, 6]),
  MaxPool2d: () => one(new nn.MaxPool2d(2), [1, 2, 4, 4]),
  LPPool1d: () => one(new nn.LPPool1d(2, 2), [2, 2, 6]),
  LPPool2d: () => one(new nn.LPPool2d(2, 2), [2, 2, 4, 5]),
  LPPool3d: () => one(new nn.LPPool3d(2, 2), [1, 2, 2, 4, 4]),
  PairwiseDistance: () => pair(new nn.PairwiseDistance()),
  CosineSimilarity: () => pair(new nn.CosineSimilarity()),
  LocalResponseNorm: () => one(new nn.LocalResponseNorm(3, { alpha: 0.5 }), [2, 5, 4]),
  ChannelShuffle: () => one(new nn.ChannelShuffle(2), [2, 4, 3, 2]),
  AvgPool1d: () => one(new nn.AvgPool1d(2), [2, 2, 6]),
  AvgPool2d: () => one(new nn.AvgPool2d(2), [1, 2, 4, 4]),
  AdaptiveAvgPool1d: () => one(new nn.AdaptiveAvgPool1d(2), [2, 2, 5]),
  AdaptiveAvgPool2d: () => one(new nn.AdaptiveAvgPool2d(2), [1, 2, 3, 5]),
  MSELoss: () => pair(new nn.MSELoss()),
  L1Loss: () => pair(new nn.L1Loss({ reduction: "sum" })),
  HuberLoss: () => pair(new nn.HuberLoss({ delta: 0.7 })),
  SmoothL1Loss: () => pair(new nn.SmoothL1Loss({ beta: 0.5 })),
  KLDivLoss: () => one(new nn.KLDivLoss({ reduction: "batchmean" }), [3, 4], shares()),
  BCELoss: () => {
    const probabilities = shares().mul(0.8).add(0.1).requiresGrad_();
    return [{ layer: new nn.BCELoss(), inputs: [probabilities], rest: [shares()] }];
  },
  BCEWithLogitsLoss: () => one(new nn.BCEWithLogitsLoss(), [3, 4], shares()),
  CrossEntropyLoss: () => one(new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }), [3, 4], classes()),
  NLLLoss: () => one(new nn.NLLLoss(), [3, 4], classes()),
  CosineEmbeddingLoss: () => pair(new nn.CosineEmbeddingLoss({ margin: 0.1 }), signs([3])),
  MarginRankingLoss: () => pair(new nn.MarginRankingLoss({ margin: 0.1 }), signs([3, 4])),
  HingeEmbeddingLoss: () => one(new nn.HingeEmbeddingLoss(), [3, 4], signs([3, 4])),
  TripletMarginLoss: () => pair(new nn.TripletMarginLoss(), torch.randn([3, 4], double)),
  SoftMarginLoss: () => one(new nn.SoftMarginLoss(), [3, 4], signs([3, 4])),
  PoissonNLLLoss: () => one(new nn.PoissonNLLLoss({ full: true }), [3, 4], shares()),
  GaussianNLLLoss: () => {
    const variance = shares().add(0.3).requiresGrad_();
    return [{ layer: new nn.GaussianNLLLoss(), inputs: [leaf([3, 4]), leaf([3, 4]), variance] }];
  },
};
