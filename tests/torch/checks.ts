import * as torch from "../../src/torch/index.ts";

const { nn, optim } = torch;
const F = nn.functional;

/** A check that PyTorch makes in Python, or that keeps wrong numbers from passing in silence. */
export interface Check {
  /** Where it stands: a function or class under our name. */
  readonly of: string;
  /** What is refused or told. */
  readonly what: string;
  readonly run: () => unknown;
  /** What the error or, after "warns: ", the warning says. */
  readonly says: string | RegExp;
  readonly kind: "throws" | "warns";
}

const throws = (of: string, what: string, run: () => unknown, says: string | RegExp): Check => ({
  of,
  what,
  run,
  says,
  kind: "throws",
});
const warns = (of: string, what: string, run: () => unknown, says: string | RegExp): Check => ({
  of,
  what,
  run,
  says,
  kind: "warns",
});

const untyped = (value: unknown) => value as never;
const leaf = () => torch.ones([2], { requiresGrad: true });

const losses: Check[] = [
  ...(["mseLoss", "l1Loss", "huberLoss", "smoothL1Loss"] as const).map((name) =>
    warns(
      `functional.${name}`,
      "[4, 1] against [4]",
      () => F[name](torch.zeros([4, 1]), torch.arange(4).float()),
      `${name}: the target has the shape [4], the input [4, 1]`,
    ),
  ),
  throws(
    "functional.binaryCrossEntropy",
    "[4, 1] against [4]",
    () => F.binaryCrossEntropy(torch.full([4, 1], 0.2), torch.ones([4])),
    "must be the same",
  ),
  throws(
    "nn.BCELoss",
    "[2, 3] against [3]",
    () => new nn.BCELoss().forward(torch.full([2, 3], 0.2), torch.ones([3])),
    "must be the same",
  ),
  throws(
    "functional.binaryCrossEntropyWithLogits",
    "[4, 1] against [4]",
    () => F.binaryCrossEntropyWithLogits(torch.zeros([4, 1]), torch.ones([4])),
    "must be the same",
  ),
  throws(
    "functional.gaussianNllLoss",
    "negative variance",
    () => F.gaussianNllLoss(torch.zeros([2]), torch.ones([2]), torch.tensor([-1, 1])),
    "a variance is negative",
  ),
  throws(
    "functional.gaussianNllLoss",
    "variances [3] for [2, 3]",
    () => F.gaussianNllLoss(torch.zeros([2, 3]), torch.ones([2, 3]), torch.ones([3])),
    "the variances have the shape [3]",
  ),
  throws(
    "functional.tripletMarginLoss",
    "margin -1",
    () => F.tripletMarginLoss(torch.zeros([1, 2]), torch.zeros([1, 2]), torch.zeros([1, 2]), { margin: -1 }),
    "the margin must be above 0",
  ),
  throws(
    "nn.TripletMarginLoss",
    "margin 0",
    () =>
      new nn.TripletMarginLoss({ margin: 0 }).forward(
        torch.zeros([1, 2]),
        torch.zeros([1, 2]),
        torch.zeros([1, 2]),
      ),
    "the margin must be above 0",
  ),
  throws(
    "functional.marginRankingLoss",
    "other numbers of dimensions",
    () => F.marginRankingLoss(torch.zeros([2, 2]), torch.zeros([2, 2]), torch.ones([2])),
    "the same number of dimensions",
  ),
  throws(
    "functional.mseLoss",
    "unknown reduction",
    () => F.mseLoss(torch.zeros([1]), torch.zeros([1]), untyped({ reduction: "average" })),
    'reduction must be "none", "mean" or "sum"',
  ),
  throws(
    "functional.crossEntropy",
    "class beyond the logits",
    () => F.crossEntropy(torch.zeros([1, 2]), torch.tensor([2n])),
    "out of bounds",
  ),
  throws(
    "functional.huberLoss",
    "delta 0",
    () => F.huberLoss(torch.zeros([1]), torch.zeros([1]), { delta: 0 }),
    /delta|non-positive/,
  ),
  throws(
    "functional.smoothL1Loss",
    "negative beta",
    () => F.smoothL1Loss(torch.zeros([1]), torch.zeros([1]), { beta: -1 }),
    /beta|negative/,
  ),
];

const normalization: Check[] = [
  throws(
    "nn.BatchNorm1d",
    "one value in training",
    () => new nn.BatchNorm1d(3).forward(torch.ones([1, 3])),
    "expected more than 1 value per channel",
  ),
  throws(
    "nn.BatchNorm2d",
    "one value in training",
    () => new nn.BatchNorm2d(3).forward(torch.ones([1, 3, 1, 1])),
    "expected more than 1 value per channel",
  ),
  throws(
    "functional.batchNorm",
    "one value in training",
    () => F.batchNorm(torch.ones([1, 3]), null, null, { training: true }),
    "expected more than 1 value per channel",
  ),
  throws(
    "functional.batchNorm",
    "negative eps",
    () => F.batchNorm(torch.ones([2, 3]), null, null, { training: true, eps: -1 }),
    "eps must not be negative",
  ),
  throws(
    "nn.BatchNorm1d",
    "four dimensions",
    () => new nn.BatchNorm1d(3).forward(torch.ones([2, 3, 2, 2])),
    "2 or 3",
  ),
  throws(
    "functional.groupNorm",
    "one value in a group",
    () => F.groupNorm(torch.ones([1, 2]), 2),
    "expected more than 1 value per channel",
  ),
  throws(
    "functional.groupNorm",
    "one dimension",
    () => F.groupNorm(torch.ones([4]), 2),
    "at least 2 dimensions",
  ),
  throws(
    "nn.GroupNorm",
    "one value in a group",
    () => new nn.GroupNorm(2, 2).forward(torch.ones([1, 2])),
    "expected more than 1 value per channel",
  ),
  throws("nn.GroupNorm", "channels that do not divide", () => new nn.GroupNorm(2, 3), "cannot be split"),
];

const layers: Check[] = [
  throws("functional.dropout", "p 1.5", () => F.dropout(torch.ones([2]), 1.5), "between 0 and 1"),
  throws("nn.Dropout", "p -0.1", () => new nn.Dropout(-0.1), "between 0 and 1"),
  throws("functional.hardtanh", "bounds the wrong way", () => F.hardtanh(torch.ones([2]), 1, -1), "is above"),
  throws("nn.Hardtanh", "bounds the wrong way", () => new nn.Hardtanh(1, -1), "is not below"),
  throws(
    "functional.embedding",
    "paddingIdx outside",
    () => F.embedding(torch.tensor([0n]), torch.ones([3, 2]), { paddingIdx: 3 }),
    "outside the table of 3 rows",
  ),
  throws(
    "nn.Embedding",
    "paddingIdx outside",
    () => new nn.Embedding(3, 2, { paddingIdx: -4 }),
    "outside the table",
  ),
  throws(
    "functional.embedding",
    "index outside",
    () => F.embedding(torch.tensor([3n]), torch.ones([3, 2])),
    /out of range/,
  ),
  throws(
    "nn.Conv1d",
    "groups 0",
    () => new nn.Conv1d(2, 2, 3, { groups: 0 }),
    "groups must be a whole number",
  ),
  throws(
    "nn.Conv1d",
    "channels that do not divide",
    () => new nn.Conv1d(3, 4, 3, { groups: 2 }),
    "cannot both be split",
  ),
  throws(
    "nn.Conv2d",
    "unknown padding",
    () => new nn.Conv2d(2, 2, 3, untyped({ padding: "full" })),
    '"same" or "valid"',
  ),
  throws(
    "nn.Conv2d",
    "same with a stride",
    () => new nn.Conv2d(2, 2, 3, { padding: "same", stride: 2 }),
    "stride of 1",
  ),
  throws(
    "functional.pad",
    "reflection beyond the input",
    () => F.pad(torch.ones([1, 2, 3]), [3, 0], "reflect"),
    /less than|padding size/i,
  ),
  throws("functional.pad", "an odd list", () => F.pad(torch.ones([1, 2, 3]), [1, 0, 1]), /divisible by 2/),
  throws("functional.pad", "unknown mode", () => F.pad(torch.ones([1, 2, 3]), [1, 0], "mirror"), /mode/),
  throws(
    "functional.pad",
    "circles beyond the input",
    () => F.pad(torch.ones([1, 2, 3]), [4, 0], "circular"),
    /wrapping around/,
  ),
  throws(
    "functional.maxPool2d",
    "padding beyond half the window",
    () => F.maxPool2d(torch.ones([1, 1, 4, 4]), [2, 2], [2, 2], [2, 2]),
    /half of/,
  ),
  throws(
    "functional.oneHot",
    "class beyond the number",
    () => F.oneHot(torch.tensor([3n]), 3),
    /smaller than/,
  ),
  throws("functional.glu", "no dimensions", () => F.glu(torch.tensor(1)), /dimension/),
  throws(
    "nn.MultiheadAttention",
    "size that heads do not divide",
    () => new nn.MultiheadAttention(5, 2),
    "not divisible",
  ),
  throws(
    "nn.MultiheadAttention",
    "dropout 2",
    () => new nn.MultiheadAttention(4, 2, { dropout: 2 }),
    "between 0 and 1",
  ),
  throws(
    "nn.MultiheadAttention",
    "values of another length than keys",
    () =>
      new nn.MultiheadAttention(4, 2).forward(
        torch.ones([2, 1, 4]),
        torch.ones([3, 1, 4]),
        torch.ones([2, 1, 4]),
      ),
    "takes query [queries, batch, 4]",
  ),
  throws(
    "nn.MultiheadAttention",
    "inputs of another size",
    () =>
      new nn.MultiheadAttention(4, 2).forward(
        torch.ones([1, 2, 3]),
        torch.ones([1, 2, 3]),
        torch.ones([1, 2, 3]),
      ),
    "takes query [queries, batch, 4]",
  ),
  throws(
    "nn.MultiheadAttention",
    "integers as a mask",
    () => attend({ keyPaddingMask: torch.zeros([1, 2], { dtype: "int64" }) }),
    "must be bool or floating point",
  ),
  throws(
    "nn.MultiheadAttention",
    "a padding mask of another shape",
    () => attend({ keyPaddingMask: torch.zeros([2], { dtype: "bool" }) }),
    "keyPaddingMask has the shape [2], expected [1, 2]",
  ),
  throws(
    "nn.MultiheadAttention",
    "a mask of another shape",
    () => attend({ attnMask: torch.zeros([1, 2]) }),
    "attnMask has the shape [1, 2], expected [2, 2] or [2, 2, 2]",
  ),
  throws(
    "nn.ModuleDict",
    "a name with a dot",
    () => new nn.ModuleDict({ "a.b": new nn.ReLU() }),
    "must not be empty or have dots",
  ),
  throws(
    "nn.Sequential",
    "an empty name",
    () => new nn.Sequential({ "": new nn.ReLU() }),
    "must not be empty or have dots",
  ),
  throws("nn.Module.to", "an integer dtype", () => new nn.Linear(1, 1).to("int64"), "int64"),
  throws(
    "nn.Module.loadStateDict",
    "another shape",
    () => new nn.Linear(1, 1).loadStateDict(new nn.Linear(2, 1).stateDict()),
    "has shape",
  ),
];

const table = () => torch.ones([4, 2]);
const ids = () => torch.tensor([0n, 2n, 1n]);
const starts = () => torch.tensor([0n, 2n]);
const bag = (options: Parameters<typeof F.embeddingBag>[2]) => F.embeddingBag(ids(), table(), options);

layers.push(
  throws("functional.embeddingBag", "no offsets", () => bag({}), "indices [3] need offsets [bags]"),
  throws(
    "functional.embeddingBag",
    "offsets of rows",
    () => F.embeddingBag(ids().unsqueeze(0), table(), { offsets: starts() }),
    "are bags already",
  ),
  throws(
    "functional.embeddingBag",
    "weights in means",
    () => bag({ offsets: starts(), perSampleWeights: torch.ones([3]) }),
    'goes with mode "sum"',
  ),
  throws(
    "functional.embeddingBag",
    "weights of another shape",
    () => bag({ offsets: starts(), mode: "sum", perSampleWeights: torch.ones([2]) }),
    "perSampleWeights has the shape [2], the indices [3]",
  ),
  throws(
    "functional.embeddingBag",
    "frequencies of largest values",
    () => bag({ offsets: starts(), mode: "max", scaleGradByFreq: true }),
    "does not go with mode",
  ),
  throws(
    "functional.embeddingBag",
    "an unknown mode",
    () => bag({ offsets: starts(), mode: untyped("median") }),
    "mode must be one of sum, mean, max",
  ),
  throws(
    "functional.embeddingBag",
    "a row beyond the table",
    () => F.embeddingBag(torch.tensor([[7n]]), table()),
    /not in the valid range|out of range/,
  ),
  throws(
    "functional.embeddingBag",
    "offsets that do not start at 0",
    () => bag({ offsets: torch.tensor([1n, 2n]) }),
    /offsets\[0\] has to be 0/,
  ),
  throws(
    "functional.embeddingBag",
    "an offset beyond the indices",
    () => bag({ offsets: torch.tensor([0n, 9n]) }),
    /offsets\[-1\] can not be greater/,
  ),
  throws(
    "nn.EmbeddingBag",
    "paddingIdx 9",
    () => new nn.EmbeddingBag(4, 2, { paddingIdx: 9 }),
    "paddingIdx 9",
  ),
  throws(
    "nn.Embedding.fromPretrained",
    "a list",
    () => nn.Embedding.fromPretrained(torch.ones([3])),
    "takes a table [rows, width], got [3]",
  ),
  throws(
    "nn.Conv2d",
    "an unknown padding mode",
    () => new nn.Conv2d(1, 1, 3, { paddingMode: untyped("mirror") }),
    "paddingMode must be one of",
  ),
  throws("nn.Conv2d", "three sizes", () => new nn.Conv2d(1, 1, [3, 3, 3]), "one number or 2"),
  throws(
    "nn.AvgPool1d",
    "a divisor, which it does not have",
    () => new nn.AvgPool1d(2, untyped({ divisorOverride: 3 })),
    "no option 'divisorOverride'",
  ),
  throws(
    "functional.maxUnpool1d",
    "a size that does not pool to the input's",
    () => F.maxUnpool1d(torch.ones([1, 1, 2]), torch.zeros([1, 1, 2]).long(), 2, { outputSize: [9] }),
    "outputSize [9] is not possible",
  ),
  throws(
    "functional.maxUnpool2d",
    "two dimensions",
    () => F.maxUnpool2d(torch.ones([2, 2]), torch.zeros([2, 2]).long(), 2),
    "takes 3 or 4 dimensions",
  ),
  throws(
    "functional.maxUnpool2d",
    "a place beyond the plane",
    () => F.maxUnpool2d(torch.ones([1, 1, 1]), torch.tensor([[[99n]]]), 2),
    /invalid max index/,
  ),
  throws(
    "nn.MultiheadAttention",
    "isCausal without the mask",
    () => attend({ isCausal: true }),
    "needs that mask too",
  ),
);

function attend(options: torch.nn.AttentionOptions) {
  const x = torch.ones([2, 1, 4]);
  return new nn.MultiheadAttention(4, 2).forward(x, x, x, options);
}

layers.push(
  throws("nn.RNN", "numLayers 0", () => new nn.RNN(2, 2, { numLayers: 0 }), "numLayers must be"),
  throws(
    "nn.LSTM",
    "projSize as large as the hidden size",
    () => new nn.LSTM(2, 2, { projSize: 2 }),
    "projSize",
  ),
  throws("nn.GRU", "dropout 2", () => new nn.GRU(2, 2, { dropout: 2 }), "between 0 and 1"),
  throws(
    "nn.LSTMCell",
    "input of another size",
    () => new nn.LSTMCell(2, 2).forward(torch.ones([1, 3])),
    "takes [batch, 2]",
  ),
  throws(
    "nn.InstanceNorm1d",
    "one position",
    () => new nn.InstanceNorm1d(2).forward(torch.ones([1, 2, 1])),
    "more than 1 value",
  ),
  throws(
    "nn.Softmax2d",
    "two dimensions",
    () => new nn.Softmax2d().forward(torch.ones([2, 2])),
    "3 or 4 dimensions",
  ),
  throws(
    "nn.ReflectionPad2d",
    "a list of another length",
    () => new nn.ReflectionPad2d([1, 1]),
    "one number or 4",
  ),
  throws("nn.Dropout2d", "p 2", () => new nn.Dropout2d(2), "between 0 and 1"),
  throws(
    "functional.interpolate",
    "size and factor",
    () => F.interpolate(torch.ones([1, 1, 2]), { size: 2, scaleFactor: 2 }),
    "either a size or",
  ),
  throws(
    "functional.interpolate",
    "a mode of other dimensions",
    () => F.interpolate(torch.ones([1, 1, 2]), { size: 2, mode: "bilinear" }),
    "does not go with an input",
  ),
  throws(
    "functional.affineGrid",
    "other maps",
    () => F.affineGrid(torch.ones([1, 2, 2]), [1, 1, 2, 2]),
    "takes maps",
  ),
  throws(
    "functional.multiMarginLoss",
    "p 3",
    () => F.multiMarginLoss(torch.ones([1, 2]), torch.tensor([0n]), untyped({ p: 3 })),
    "p must be 1 or 2",
  ),
  throws(
    "nn.ParameterDict",
    "a name with a dot",
    () => new nn.ParameterDict({ "a.b": torch.ones([1]) }),
    "must not be empty or have dots",
  ),
  throws(
    "nn.ParameterDict",
    "the name of a method",
    () => new nn.ParameterDict({ keys: torch.ones([1]) }),
    "is the name of something else",
  ),
);

const initializers: Check[] = [
  throws(
    "init.kaimingUniform_",
    "unknown mode",
    () => nn.init.kaimingUniform_(torch.empty([2, 2]), untyped({ mode: "fan_in" })),
    '"fanIn" or "fanOut"',
  ),
  throws(
    "init.kaimingNormal_",
    "unknown nonlinearity",
    () => nn.init.kaimingNormal_(torch.empty([2, 2]), untyped({ nonlinearity: "gelu" })),
    "unknown nonlinearity",
  ),
  throws(
    "init.xavierUniform_",
    "one dimension",
    () => nn.init.xavierUniform_(torch.empty([2])),
    "at least 2 dimensions",
  ),
  throws(
    "init.truncNormal_",
    "bounds the wrong way",
    () => nn.init.truncNormal_(torch.empty([2]), 0, 1, 2, -2),
    "is not below",
  ),
  throws(
    "init.uniform_",
    "bounds the wrong way",
    () => nn.init.uniform_(torch.empty([2]), 1, 0),
    /from|range/,
  ),
  throws("init.normal_", "negative deviation", () => nn.init.normal_(torch.empty([2]), 0, -1), /std|>= 0/),
  throws(
    "nn.utils.clipGradValue_",
    "negative",
    () => nn.clipGradValue_([leaf()], -1),
    "must not be negative",
  ),
  throws("nn.utils.clipGradNorm_", "negative", () => nn.clipGradNorm_([leaf()], -1), "must not be negative"),
  throws(
    "nn.utils.clipGradNorm_",
    "a norm that is no number, asked for",
    () => {
      const w = leaf();
      w.grad = torch.full([2], Number.NaN);
      nn.clipGradNorm_([w], 1, { errorIfNonfinite: true });
    },
    "the norm of the gradients is NaN",
  ),
];

type Made = { of: string; make: (params: torch.Tensor[], options: object) => unknown };
const made: Made[] = Object.entries(torch.optim)
  .filter(([, value]) => typeof value === "function" && value.prototype instanceof optim.Optimizer)
  .map(([of, value]) => ({
    of: `optim.${of}`,
    make: (params, options) => new (value as unknown as new (...args: unknown[]) => unknown)(params, options),
  }));

const optimizers: Check[] = made.flatMap(({ of, make }) => {
  const defaults = (make([leaf()], {}) as torch.optim.Optimizer<{ lr: number }>).defaults as Record<
    string,
    unknown
  >;
  const numbers = [
    "lr",
    "weightDecay",
    "momentum",
    "eps",
    "rho",
    "alpha",
    "lrDecay",
    "momentumDecay",
    "lambd",
  ];
  return [
    throws(
      of,
      "a tensor that is no leaf",
      () => make([leaf().mul(2)], {}),
      "can't optimize a tensor that is computed",
    ),
    throws(
      of,
      "a parameter twice",
      () => {
        const w = leaf();
        make([w, w], {});
      },
      "a parameter is there twice",
    ),
    throws(of, "no parameters", () => make([], {}), "no parameters"),
    throws(
      of,
      "one tensor in place of a list",
      () => make(untyped(leaf()), {}),
      "expected a list of tensors",
    ),
    throws(of, "what is no tensor", () => make(untyped([1]), {}), "only tensors can be optimized"),
    throws(
      of,
      "an unknown setting",
      () => make([leaf()], { weight_decay: 1 }),
      "has no option 'weight_decay'",
    ),
    ...numbers
      .filter((name) => typeof defaults[name] === "number")
      .map((name) => throws(of, `${name} -1`, () => make([leaf()], { [name]: -1 }), "must not be negative")),
    ...(defaults["betas"]
      ? [
          throws(
            of,
            "a beta of 1",
            () => make([leaf()], { betas: [0.9, 1] }),
            "betas must be two numbers in [0, 1)",
          ),
        ]
      : []),
    throws(
      of,
      "the state of other parameters",
      () => {
        const other = make([torch.ones([3], { requiresGrad: true })], {}) as torch.optim.Optimizer<{
          lr: number;
        }>;
        const mine = make([leaf(), leaf()], {}) as torch.optim.Optimizer<{ lr: number }>;
        mine.loadStateDict(other.stateDict());
      },
      "the state has 1 parameters",
    ),
  ];
});

const schedules: Check[] = [
  throws(
    "optim.SGD",
    "Nesterov without momentum",
    () => new optim.SGD([leaf()], { nesterov: true }),
    "Nesterov",
  ),
  throws(
    "optim.AdamW",
    "fused and foreach",
    () => stepOnce(new optim.AdamW([leafWithGrad()], { fused: true, foreach: true })),
    "can't both be true",
  ),
  throws(
    "optim.AdamW",
    "fused on a column",
    () => {
      const w = new nn.Parameter(torch.ones([3, 2]).at({}, 0));
      w.grad = torch.ones([3]);
      new optim.AdamW([w], { fused: true }).step();
    },
    "without gaps in memory",
  ),
  throws(
    "optim.ConstantLR",
    "factor 2",
    () => new optim.ConstantLR(group(), { factor: 2 }),
    "between 0 and 1",
  ),
  throws(
    "optim.LinearLR",
    "startFactor 0",
    () => new optim.LinearLR(group(), { startFactor: 0 }),
    "must be above 0",
  ),
  throws(
    "optim.LinearLR",
    "endFactor 2",
    () => new optim.LinearLR(group(), { endFactor: 2 }),
    "between 0 and 1",
  ),
  throws(
    "optim.ReduceLROnPlateau",
    "unknown mode",
    () => new optim.ReduceLROnPlateau(group(), untyped({ mode: "low" })),
    '"min" or "max"',
  ),
  throws(
    "optim.ReduceLROnPlateau",
    "factor 1",
    () => new optim.ReduceLROnPlateau(group(), { factor: 1 }),
    "below 1",
  ),
  throws(
    "optim.ReduceLROnPlateau",
    "unknown threshold mode",
    () => new optim.ReduceLROnPlateau(group(), untyped({ thresholdMode: "x" })),
    '"rel" or "abs"',
  ),
  throws(
    "optim.OneCycleLR",
    "momentum that is not there",
    () => new optim.OneCycleLR(group(), { maxLr: 1, totalSteps: 3 }),
    "neither momentum nor betas",
  ),
  throws(
    "optim.OneCycleLR",
    "pctStart 2",
    () => new optim.OneCycleLR(group(), { maxLr: 1, totalSteps: 3, pctStart: 2 }),
    "between 0 and 1",
  ),
  throws(
    "optim.CosineAnnealingWarmRestarts",
    "t0 0",
    () => new optim.CosineAnnealingWarmRestarts(group(), { t0: 0 }),
    "at least 1",
  ),
  throws(
    "optim.LambdaLR",
    "functions for other groups",
    () => new optim.LambdaLR(group(), [() => 1, () => 1]),
    "2 functions for 1",
  ),
  throws("GradScaler", "growthFactor 1", () => new torch.GradScaler({ growthFactor: 1 }), "above 1"),
  throws(
    "GradScaler",
    "backoffFactor 1",
    () => new torch.GradScaler({ backoffFactor: 1 }),
    "between 0 and 1",
  ),
  throws(
    "GradScaler",
    "two steps without update",
    () => {
      const scaler = new torch.GradScaler();
      const optimizer = new optim.SGD([leafWithGrad()]);
      scaler.step(optimizer);
      scaler.step(optimizer);
    },
    "step has been called",
  ),
  throws(
    "GradScaler",
    "gradients in float16",
    () => {
      const w = torch.ones([2], { dtype: "float16", requiresGrad: true });
      w.grad = torch.ones([2], { dtype: "float16" });
      new torch.GradScaler().step(new optim.SGD([w]));
    },
    "float16",
  ),
];

const group = () => ({ paramGroups: [{ lr: 1 }] });
function leafWithGrad() {
  const w = leaf();
  w.grad = torch.ones([2]);
  return w;
}
const stepOnce = (optimizer: { step(): unknown }) => optimizer.step();

const overflows: readonly [number | bigint, torch.DType][] = [
  [3e9, "int32"],
  [-3e9, "int32"],
  [256, "uint8"],
  [-1, "uint8"],
  [200, "int8"],
  [40000, "int16"],
  [Number.NaN, "int32"],
  [Number.POSITIVE_INFINITY, "int32"],
  [Number.NaN, "int64"],
  [2 ** 63, "int64"],
  [2n ** 64n, "int64"],
  [-(2n ** 63n) - 1n, "int64"],
  [2n ** 40n, "int16"],
];

const tensors: Check[] = [
  ...overflows.map(([value, dtype]) =>
    throws("tensor", `${value} as ${dtype}`, () => torch.tensor([value], { dtype }), "without overflow"),
  ),
  throws("full", "300 as uint8", () => torch.full([2], 300, { dtype: "uint8" }), /overflow/),
  throws("Tensor.fill_", "300 as uint8", () => torch.zeros([2], { dtype: "uint8" }).fill_(300), /overflow/),
  throws(
    "Tensor.setAt",
    "300 as uint8",
    () => torch.zeros([2], { dtype: "uint8" }).setAt([0], 300),
    /overflow/,
  ),
  throws("zeros", "a negative size", () => torch.zeros([-1]), /negative/),
  throws(
    "Tensor.item",
    "an integer beyond 2^53",
    () => torch.tensor([2n ** 53n + 1n]).item(),
    "beyond what a number holds",
  ),
  throws("Tensor.item", "several elements", () => torch.ones([2]).item(), /scalar|elements/),
  throws(
    "Tensor.grad",
    "the tensor itself",
    () => {
      const w = leaf();
      w.grad = w;
    },
    "its own gradient",
  ),
  throws(
    "Tensor.grad",
    "another shape",
    () => {
      leaf().grad = torch.ones([3]);
    },
    "shape, dtype and device",
  ),
  throws("Tensor.requiresGrad_", "integers", () => torch.tensor([1n]).requiresGrad_(), /floating point/),
  throws("Tensor.requiresGrad_", "off on what is computed", () => leaf().mul(2).requiresGrad_(false), /leaf/),
  throws("Tensor.backward", "several elements", () => leaf().mul(2).backward(), /scalar/),
];

/** Every check, in the order in which the test prints them. */
export const checks: readonly Check[] = [
  ...losses,
  ...normalization,
  ...layers,
  ...initializers,
  ...optimizers,
  ...schedules,
  ...tensors,
];
