/** Calls of the layers, losses and functions that need no more than a line each; see functionCalls.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Float32, vectorFromArray } from "apache-arrow";
import * as torch from "../../../src/torch/index.ts";
import type { Inputs } from "./operatorArguments.ts";

type Call = (t: Inputs, folder: string) => unknown;
type UseLayer = (
  layer: torch.nn.Module & { forward(...args: never[]): unknown },
  ...inputs: torch.Tensor[]
) => void;
const { nn } = torch;
const F = nn.functional;

/** Places for `MaxUnpool` of any size: those of a plane in their order. */
const places = (values: torch.Tensor, n: number) => {
  const plane = values.shape.slice(-n).reduce((all, size) => all * size, 1);
  return torch.arange(values.numel).remainder(plane).reshape(values.shape);
};
const signs = (like: torch.Tensor) => torch.ones(like.shape);

/** Runs `fn` in a scope: what it makes for its own use is freed. */
function scoped(fn: (t: Inputs) => void): Call {
  return (t) => torch.tidy(() => fn(t));
}

export const functions: Record<string, Call> = {
  fromArrow: () => torch.fromArrow(vectorFromArray([1, 2], new Float32())),
  fromFile: (_t, folder) => {
    writeFileSync(join(folder, "raw.bin"), new Uint8Array(16));
    return torch.fromFile(join(folder, "raw.bin"), { shape: [3], offset: 4 });
  },
  saveNpy: (t, folder) => torch.saveNpy(join(folder, "a.npy"), t.x),
  loadNpy: (t, folder) => {
    torch.saveNpy(join(folder, "b.npy"), t.mask);
    const file = join(folder, "b.npy");
    return [torch.loadNpy(file), torch.loadNpy(file, { dtype: "float32" })];
  },
  save: (t, folder) => torch.save(t.x, join(folder, "c.pt")),
  load: (t, folder) => {
    torch.save(t.x, join(folder, "d.pt"));
    return torch.load(join(folder, "d.pt"));
  },
  getRngState: () => torch.getRngState(),
  setRngState: () => {
    using state = torch.getRngState();
    torch.setRngState(state);
  },
  unique: (t) => [torch.unique(t.n), torch.unique(t.n, { dim: 0, returnCounts: true })],
  GradScaler: (t) => {
    using _s = torch.scope();
    t.x.requiresGrad_();
    const scaler = new torch.GradScaler();
    const optimizer = new torch.optim.SGD([t.x]);
    scaler.scale(t.x.sum()).backward();
    scaler.step(optimizer);
    scaler.update();
    optimizer.dispose();
    t.x.grad = null;
  },
};

export const tensorMethods: Record<string, Call> = {
  T: (t) => t.x.T,
  mT: (t) => t.batch.mT,
  cpu: (t) => [t.x.cpu()],
  ...Object.fromEntries(
    (["float", "double", "half", "bfloat16", "long", "int", "short", "bool", "byte"] as const).map(
      (name): [string, Call] => [name, (t) => t.x[name]()],
    ),
  ),
};

/** Log-probabilities [4, 1, 3] and the labels 1, 2. */
const ctc = (): [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor] => [
  torch.zeros([4, 1, 3]),
  torch.tensor([[1n, 2n]]),
  torch.tensor([4n]),
  torch.tensor([2n]),
];

/** [1, 2, 4, ...] with so many dimensions of positions. */
const ofDimensions = (_t: Inputs, n: number) => torch.ones([1, 2, ...Array.from({ length: n }, () => 4)]);

/** `useLayer` runs, prints, saves, loads and frees a layer. */
export function layers(useLayer: UseLayer): Record<string, Call> {
  const plain = [
    ...["ReLU6", "LogSigmoid", "Tanhshrink", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Softsign", "ELU"],
    ...["LeakyReLU", "RReLU", "PReLU", "CELU", "Hardtanh", "Softshrink", "Hardshrink", "GLU", "Flatten"],
  ];
  const classes = nn as unknown as Record<string, new () => torch.nn.Module & { forward(): unknown }>;
  const loss = (name: string, prepare: (t: Inputs) => torch.Tensor[]): [string, Call] => [
    name,
    scoped((t) => useLayer(new classes[name](), ...prepare(t))),
  ];
  return {
    ...Object.fromEntries(
      plain.map((name): [string, Call] => [name, (t) => useLayer(new classes[name](), t.x)]),
    ),
    ...Object.fromEntries([
      ...["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "KLDivLoss", "BCELoss", "PoissonNLLLoss"].map(
        (name) => loss(name, (t) => [t.x, t.y]),
      ),
      loss("BCEWithLogitsLoss", (t) => [t.x, t.y]),
      loss("SoftMarginLoss", (t) => [t.x, signs(t.x)]),
      loss("HingeEmbeddingLoss", (t) => [t.x, signs(t.x)]),
      loss("CrossEntropyLoss", (t) => [t.x, t.order]),
      loss("NLLLoss", (t) => [t.x, t.order]),
      loss("CosineEmbeddingLoss", (t) => [t.x, t.y, signs(t.w)]),
      loss("MarginRankingLoss", (t) => [t.x, t.y, signs(t.x)]),
      loss("TripletMarginLoss", (t) => [t.x, t.y, t.x]),
      loss("TripletMarginWithDistanceLoss", (t) => [t.x, t.y, t.x]),
      loss("GaussianNLLLoss", (t) => [t.x, t.y, signs(t.x)]),
    ]),
    AdaptiveLogSoftmaxWithLoss: scoped((t) =>
      useLayer(new nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2]), torch.ones([t.order.numel, 4]), t.order),
    ),
    Threshold: (t) => useLayer(new nn.Threshold(0.5, 0), t.x),
    Softmin: (t) => useLayer(new nn.Softmin(0), t.x),
    Unflatten: (t) => useLayer(new nn.Unflatten(1, [2, 2]), t.x),
    RMSNorm: (t) => useLayer(new nn.RMSNorm(4), t.x),
    GroupNorm: (t) => useLayer(new nn.GroupNorm(2, 4), t.x),
    BatchNorm1d: (t) => useLayer(new nn.BatchNorm1d(4, { momentum: null }), t.x),
    BatchNorm3d: scoped((t) => useLayer(new nn.BatchNorm3d(1), t.image.unsqueeze(1))),
    InstanceNorm1d: (t) => useLayer(new nn.InstanceNorm1d(4, { affine: true }), t.signal),
    InstanceNorm2d: (t) => useLayer(new nn.InstanceNorm2d(4, { trackRunningStats: true }), t.image),
    InstanceNorm3d: (t) => useLayer(new nn.InstanceNorm3d(2), t.image),
    BatchNorm2d: (t) => useLayer(new nn.BatchNorm2d(4), t.image),
    Conv1d: (t) => useLayer(new nn.Conv1d(4, 2, 3), t.signal),
    Conv2d: (t) => useLayer(new nn.Conv2d(4, 2, 3, { padding: "same" }), t.image),
    MaxPool1d: (t) => useLayer(new nn.MaxPool1d(2), t.signal),
    MaxPool2d: (t) => useLayer(new nn.MaxPool2d(2), t.image),
    AvgPool1d: (t) => useLayer(new nn.AvgPool1d(2), t.signal),
    AvgPool2d: (t) => useLayer(new nn.AvgPool2d(2), t.image),
    AdaptiveAvgPool1d: (t) => useLayer(new nn.AdaptiveAvgPool1d(2), t.signal),
    AdaptiveAvgPool2d: (t) => useLayer(new nn.AdaptiveAvgPool2d(2), t.image),
    ...Object.fromEntries(
      (["RNN", "GRU", "LSTM"] as const).map((name): [string, Call] => [
        name,
        scoped((t) => useLayer(new nn[name](4, 3, { numLayers: 2, batchFirst: true }), t.batch)),
      ]),
    ),
    ...Object.fromEntries(
      (["RNNCell", "GRUCell", "LSTMCell"] as const).map((name): [string, Call] => [
        name,
        (t) => useLayer(new nn[name](4, 3), t.x),
      ]),
    ),
    ...Object.fromEntries(
      ["Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "Softmax2d"].map(
        (name): [string, Call] => [
          name,
          (t) => useLayer(new classes[name](), name === "Dropout1d" ? t.signal : t.image),
        ],
      ),
    ),
    ...Object.fromEntries(
      [1, 2, 3].flatMap((n) =>
        ["Constant", "Zero", "Reflection", "Replication", "Circular"].map((kind): [string, Call] => {
          const name = `${kind}Pad${n}d`;
          const padded = nn as unknown as Record<string, new (size: number) => torch.nn.ZeroPad1d>;
          return [name, scoped((t) => useLayer(new padded[name](1), ofDimensions(t, n)))];
        }),
      ),
    ),
    ...Object.fromEntries(
      [1, 2, 3].map((n): [string, Call] => {
        const name = `AdaptiveMaxPool${n}d`;
        const pools = nn as unknown as Record<string, new (size: number) => torch.nn.AdaptiveMaxPool1d>;
        return [name, scoped((t) => useLayer(new pools[name](2), ofDimensions(t, n)))];
      }),
    ),
    EmbeddingBag: (t) => useLayer(new nn.EmbeddingBag(5, 3, { paddingIdx: 1, maxNorm: 0.5 }), t.n),
    ...Object.fromEntries(
      [1, 2, 3].map((n): [string, Call] => {
        const name = `MaxUnpool${n}d`;
        const layers = nn as unknown as Record<string, new (size: number) => torch.nn.MaxUnpool1d>;
        const call = (t: Inputs) => {
          const values = ofDimensions(t, n);
          useLayer(new layers[name](2), values, places(values, n));
        };
        return [name, scoped(call)];
      }),
    ),
    ...Object.fromEntries(
      ([2, 3] as const).map((n): [string, Call] => {
        const layer = () => new nn[`FractionalMaxPool${n}d`](1, { outputSize: 2 });
        return [`FractionalMaxPool${n}d`, scoped((t) => useLayer(layer(), ofDimensions(t, n)))];
      }),
    ),
    MaxPool3d: scoped((t) => useLayer(new nn.MaxPool3d(2), ofDimensions(t, 3))),
    AvgPool3d: scoped((t) => useLayer(new nn.AvgPool3d(2), ofDimensions(t, 3))),
    AdaptiveAvgPool3d: scoped((t) => useLayer(new nn.AdaptiveAvgPool3d(2), ofDimensions(t, 3))),
    Conv3d: scoped((t) => useLayer(new nn.Conv3d(2, 3, 2), ofDimensions(t, 3))),
    ConvTranspose1d: scoped((t) => useLayer(new nn.ConvTranspose1d(2, 3, 2), ofDimensions(t, 1))),
    ConvTranspose2d: scoped((t) =>
      useLayer(new nn.ConvTranspose2d(2, 3, 2, { stride: 2 }), ofDimensions(t, 2)),
    ),
    ConvTranspose3d: scoped((t) => useLayer(new nn.ConvTranspose3d(2, 3, 2), ofDimensions(t, 3))),
    CTCLoss: scoped(() => useLayer(new nn.CTCLoss(), ...ctc())),
    MultiLabelMarginLoss: scoped((t) => useLayer(new nn.MultiLabelMarginLoss(), t.x, t.x.mul(0).long())),
    MultiLabelSoftMarginLoss: (t) => useLayer(new nn.MultiLabelSoftMarginLoss(), t.x, t.y),
    MultiMarginLoss: (t) => useLayer(new nn.MultiMarginLoss(), t.x, t.order),
    ParameterList: (t) => new nn.ParameterList([t.x.clone()]).dispose(),
    ParameterDict: (t) => new nn.ParameterDict({ a: t.x.clone() }).dispose(),
    Bilinear: (t) => useLayer(new nn.Bilinear(4, 4, 2), t.x, t.y),
    PixelShuffle: scoped((t) => useLayer(new nn.PixelShuffle(1), ofDimensions(t, 2))),
    PixelUnshuffle: scoped((t) => useLayer(new nn.PixelUnshuffle(2), ofDimensions(t, 2))),
    Upsample: scoped((t) =>
      useLayer(new nn.Upsample({ scaleFactor: 2, mode: "bilinear" }), ofDimensions(t, 2)),
    ),
    Fold: scoped(() => useLayer(new nn.Fold(3, 2), torch.ones([1, 4, 4]))),
    Unfold: scoped((t) => useLayer(new nn.Unfold(2), ofDimensions(t, 2))),
    TransformerDecoderLayer: (t) =>
      useLayer(new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 8 }), t.batch, t.batch),
    TransformerDecoder: (t) => {
      const layer = new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 8 });
      useLayer(new nn.TransformerDecoder(layer, 2), t.batch, t.batch);
    },
    Transformer: (t) => {
      const sizes = { dModel: 4, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 8 };
      useLayer(new nn.Transformer(sizes), t.batch, t.batch);
      return nn.Transformer.generateSquareSubsequentMask(3);
    },
    Parameter: (t) => new nn.Parameter(t.x.clone()),
    Buffer: (t) => new nn.Buffer(t.x.clone()),
  };
}

export const functionals: Record<string, Call> = {
  softmin: (t) => F.softmin(t.x, 0),
  dropout: (t) => F.dropout(t.x),
  batchNorm: (t) => F.batchNorm(t.image, t.v, t.v, { training: true }),
  embeddingBag: (t) => F.embeddingBag(t.n, t.x, { maxNorm: 0.5, mode: "sum", perSampleWeights: t.y }),
  ...Object.fromEntries(
    [1, 2, 3].flatMap((n): [string, Call][] => {
      const functions = F as unknown as Record<string, (...args: unknown[]) => unknown>;
      const names = [`maxPool${n}dWithIndices`, `adaptiveMaxPool${n}d`, `adaptiveMaxPool${n}dWithIndices`];
      const pools = n === 3 ? [...names, "maxPool3d", "avgPool3d", "adaptiveAvgPool3d"] : names;
      const unpool = (t: Inputs) => {
        const values = ofDimensions(t, n);
        functions[`maxUnpool${n}d`](values, places(values, n), 2);
      };
      return [
        ...pools.map((name): [string, Call] => [
          name,
          scoped((t) => void functions[name](ofDimensions(t, n), 2)),
        ]),
        [`maxUnpool${n}d`, scoped(unpool)],
      ];
    }),
  ),
  ...Object.fromEntries(
    ([2, 3] as const).flatMap((n) =>
      ([`fractionalMaxPool${n}d`, `fractionalMaxPool${n}dWithIndices`] as const).map(
        (name): [string, Call] => [
          name,
          (t) => {
            const input = torch.tidy(() => ofDimensions(t, n));
            const found = F[name](input, 1, { outputRatio: 0.5 });
            input.dispose();
            return found;
          },
        ],
      ),
    ),
  ),
  embedding: (t) => F.embedding(t.n, t.x, { maxNorm: 0.5 }),
  interpolate: scoped((t) => F.interpolate(ofDimensions(t, 2), { size: 3, mode: "area" }).item.name),
  gridSample: scoped((t) =>
    F.gridSample(ofDimensions(t, 2), torch.zeros([1, 2, 2, 2]), { alignCorners: false }),
  ),
  affineGrid: scoped(() => F.affineGrid(torch.zeros([1, 2, 3]), [1, 1, 2, 2], { alignCorners: false })),
  fold: scoped(() => F.fold(torch.ones([1, 4, 4]), 3, 2)),
  unfold: scoped((t) => F.unfold(ofDimensions(t, 2), 2)),
  pixelUnshuffle: scoped((t) => F.pixelUnshuffle(ofDimensions(t, 2), 2)),
  ctcLoss: scoped(() => F.ctcLoss(...ctc()).item()),
  multilabelMarginLoss: scoped((t) => F.multilabelMarginLoss(t.x, t.x.mul(0).long()).item()),
  multilabelSoftMarginLoss: (t) => F.multilabelSoftMarginLoss(t.x, t.y),
  multiMarginLoss: (t) => F.multiMarginLoss(t.x, t.order),
  instanceNorm: (t) => F.instanceNorm(t.image),
  groupNorm: (t) => F.groupNorm(t.x, 2),
  hardtanh: (t) => F.hardtanh(t.x),
  pairwiseDistance: (t) => F.pairwiseDistance(t.x, t.y),
  gumbelSoftmax: (t) => [F.gumbelSoftmax(t.x), F.gumbelSoftmax(t.x, { hard: true })],
  cosineEmbeddingLoss: (t) => F.cosineEmbeddingLoss(t.x, t.y, t.w),
  marginRankingLoss: (t) => F.marginRankingLoss(t.x, t.y, t.x),
  hingeEmbeddingLoss: scoped((t) => F.hingeEmbeddingLoss(t.x, signs(t.x)).item()),
  tripletMarginWithDistanceLoss: (t) => F.tripletMarginWithDistanceLoss(t.x, t.y, t.x),
  tripletMarginLoss: (t) => F.tripletMarginLoss(t.x, t.y, t.x),
  softMarginLoss: (t) => F.softMarginLoss(t.x, t.y),
  poissonNllLoss: (t) => F.poissonNllLoss(t.x, t.y),
  gaussianNllLoss: (t) => F.gaussianNllLoss(t.x, t.y, t.x, { full: true }),
};

export const initializers: Record<string, Call> = {
  eye_: (t) => nn.init.eye_(t.x),
  orthogonal_: (t) => nn.init.orthogonal_(t.x),
  truncNormal_: (t) => [nn.init.truncNormal_(t.x), nn.init.truncNormal_(t.x, 0, 1, 2, 3)],
};

const useLayerOnce = (layer: torch.nn.Sequential, x: torch.Tensor) => {
  using _s = torch.scope();
  layer.forward(x);
  layer.dispose();
};

export const objects: Record<string, Call> = {
  "nn.utils": (t) => {
    const vector = nn.utils.parametersToVector([t.x, t.y]);
    nn.utils.vectorToParameters(vector, [t.x, t.y]);
    return vector;
  },
  "nn.Module.clone": (t) => {
    const layer = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4));
    const copy = layer.clone();
    layer.dispose();
    useLayerOnce(copy, t.x);
  },
  "optim.swaUtils": (t) => {
    const { AveragedModel, updateBn } = torch.optim.swaUtils;
    const layer = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4));
    const averaged = new AveragedModel(layer);
    averaged.updateParameters(layer);
    averaged.updateParameters(layer);
    updateBn([t.x, [t.y]], averaged);
    layer.dispose();
    averaged.dispose();
  },
  "utils.data": (t) => {
    const { DataLoader, TensorDataset } = torch.utils.data;
    return [...new DataLoader(new TensorDataset(t.x, t.n), { batchSize: 2, shuffle: true })].flat();
  },
};
