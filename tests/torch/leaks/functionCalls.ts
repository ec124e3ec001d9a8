/**
 * Calls of everything public in src/torch that is not an operator: functions, methods, layers, optimizers.
 */
import { join } from "node:path";
import * as torch from "../../../src/torch/index.ts";
import type { Inputs } from "./operatorArguments.ts";
import * as toolkit from "./toolkitCalls.ts";

export type Call = (t: Inputs, folder: string) => unknown;
const { nn, optim } = torch;
const F = nn.functional;

/** Functions of the package. What they return is disposed by the test. */
export const functions: Record<string, Call> = {
  ...toolkit.functions,
  arange: () => torch.arange(5),
  empty: () => torch.empty([2]),
  emptyLike: (t) => torch.emptyLike(t.x),
  eye: () => [torch.eye(3), torch.eye(2, 3)],
  full: () => torch.full([2], 1),
  gradient: (t) => torch.gradient(t.x, { spacing: [0.5, 2] }),
  resultType: (t) => torch.resultType(t.x, t.one),
  fullLike: (t) => torch.fullLike(t.x, 1),
  linspace: () => torch.linspace(0, 1, 3),
  logspace: () => torch.logspace(0, 1, 3),
  ones: () => torch.ones([2]),
  onesLike: (t) => torch.onesLike(t.x),
  rand: () => [torch.rand([2]), torch.rand([2], { generator: new torch.Generator() })],
  randLike: (t) => torch.randLike(t.x),
  randint: () => torch.randint(0, 3, [2]),
  randintLike: (t) => torch.randintLike(t.x, 0, 3),
  randn: () => torch.randn([2], { requiresGrad: true }),
  randnLike: (t) => torch.randnLike(t.x),
  randperm: () => torch.randperm(4),
  tensor: () => [
    torch.tensor([[1, 2]]),
    torch.tensor([1, 2], { dtype: "bfloat16" }),
    torch.tensor(new Float32Array(3), { dtype: "float64" }),
  ],
  fromTypedArray: () => torch.fromTypedArray(new Float32Array(4), [2, 2]),
  zeros: () => torch.zeros([2]),
  zerosLike: (t) => torch.zerosLike(t.x),
  backward: (t) => {
    t.x.requiresGrad_();
    using loss = t.x.sum();
    torch.backward([loss]);
    t.x.grad = null;
  },
  grad: (t) => {
    t.x.requiresGrad_();
    using loss = t.x.sum();
    return torch.grad(loss, [t.x]);
  },
  checkpoint: (t) => {
    t.x.requiresGrad_();
    using loss = torch.checkpoint((x) => x.exp().sin().sum(), t.x);
    loss.backward();
    t.x.grad = null;
  },
  autocast: (t) => torch.autocast({}, () => t.x.mm(t.square)),
  noGrad: (t) => torch.noGrad(() => t.x.exp()),
  enableGrad: (t) => torch.enableGrad(() => t.x.exp()),
  inferenceMode: (t) => torch.inferenceMode(() => t.x.exp()),
  setGradEnabled: (t) => torch.setGradEnabled(true, () => t.x.exp()),
  detectAnomaly: (t) => torch.detectAnomaly(() => t.x.exp()),
  countOperators: (t) => torch.countOperators(() => t.x.exp()).result,
  forkRng: () => torch.forkRng(() => torch.rand([2])),
  scope: (t) => {
    using s = torch.scope();
    t.x.exp().sin();
    return s.run(() => t.x.exp().toArray());
  },
  tidy: (t) => torch.tidy(() => [t.x.exp().sin()]),
  saveSafetensors: (t, folder) => torch.saveSafetensors(join(folder, "a.safetensors"), new Map([["x", t.x]])),
  loadSafetensors: (t, folder) => {
    torch.saveSafetensors(join(folder, "b.safetensors"), new Map(Object.entries(t)));
    return [...torch.loadSafetensors(join(folder, "b.safetensors")).tensors.values()];
  },
  savePickle: (t, folder) => {
    using turned = t.batchT.transpose(0, 1);
    torch.savePickle(join(folder, "a.pt"), { x: t.x, turned });
  },
  loadPickle: (t, folder) => {
    torch.savePickle(join(folder, "b.pt"), { x: t.x, n: t.n });
    return [...(torch.loadPickle(join(folder, "b.pt")) as Map<string, torch.Tensor>).values()];
  },
};

/**
 * Functions that make no tensors and take none, or whose subject is how tensors live:
 * scope.test.ts has those.
 */
export const functionsWithoutTensors =
  "broadcastShapes canCast finfo iinfo promoteTypes setPrintoptions isComplexDtype isFloat8Dtype accelerator areDeterministicAlgorithmsEnabled arrayFor buildInfo currentScope dtypeCode dtypeOfArray dtypeOfCode emptyCache " +
  "getDefaultDtype getFloat32MatmulPrecision getNumThreads hostReadCount isAutocastEnabled isCudaAvailable isDtype isFloatingDtype " +
  "initialSeed isGradEnabled itemSize kindOfStatus librarySchemas manualSeed memory resetPeakMemory resolveDevice setAttentionKernel " +
  "setCpuCacheLimit setDefaultDtype setFloat32MatmulPrecision setFlushDenormal setNumThreads synchronize useDeterministicAlgorithms " +
  "tidyAsync Autocast Generator Scope Tensor TorchError";

/** Methods and properties of tensors that are no operators. */
export const tensorMethods: Record<string, Call> = {
  registerHook: (t) => {
    const x = t.x.detach().requiresGrad_();
    const hook = x.registerHook((gradient) => gradient);
    hook.remove();
    return x;
  },
  registerPostAccumulateGradHook: (t) => {
    const x = t.x.detach().requiresGrad_();
    const hook = x.registerPostAccumulateGradHook(() => {});
    hook.remove();
    return x;
  },
  retainGrad: (t) => {
    const x = t.x.detach().requiresGrad_();
    const y = x.mul(2);
    y.retainGrad();
    return [x, y];
  },
  ...toolkit.tensorMethods,
  dispose: (t) => t.x.clone().dispose(),
  keep: (t) => {
    using _s = torch.scope();
    return t.x.exp().keep();
  },
  detachFromScope: (t) => {
    using _s = torch.scope();
    return t.x.exp().detachFromScope();
  },
  transfer: (t) => torch.Tensor.receive(t.x.clone().transfer()),
  replaceData: (t) => t.x.replaceData({ device: "cpu", dtype: "float64" }),
  grad: (t) => {
    t.x.requiresGrad_();
    t.x.grad = t.y;
    return [t.x.grad, t.x.grad];
  },
  requiresGrad_: (t) => t.x.requiresGrad_(),
  item: (t) => t.one.item(),
  itemBool: (t) => t.one.itemBool(),
  data: (t) => t.x.data(),
  toFloat64Array: (t) => t.n.toFloat64Array(),
  toFloat32Array: (t) => t.n.toFloat32Array(),
  copyTo: (t) => t.w.copyTo(new Float32Array(3)),
  fillFrom: (t) => t.w.fillFrom(new Float32Array(3)),
  toArray: (t) => t.x.toArray(),
  toJSON: (t) => t.x.toJSON(),
  toString: (t: Inputs) => `${t.x} ${t.n} ${t.image} ${t.mask}`,
  view: (t) => [t.x.view([12]), t.x.view("int32")],
  to: (t) => [t.x.to("float64"), t.x.to("cpu"), t.x.to({ dtype: "bfloat16" })],
  at: (t) => [
    t.x.at(0),
    t.x.at(),
    t.image.at(1, { start: 1 }, "...", null),
    t.x.at([0, 2]),
    t.x.at({}, [1, 1]),
    t.x.at(true),
    t.x.at(t.mask),
    t.x.at(t.order, 1),
  ],
  setAt: (t) => [
    t.x.setAt([0], 1),
    t.x.setAt([{}, [0, 1]], t.one),
    t.x.setAt([t.mask], 0.5),
    t.image.setAt([0, { start: 2 }, "..."], 2),
  ],
  backward: (t) => {
    t.x.requiresGrad_();
    using loss = t.x.sum();
    loss.backward();
    t.x.grad = null;
  },
};

/**
 * What only looks at a tensor; `dataView` keeps its memory until the view is collected,
 * which scope.test.ts shows.
 */
export const tensorLooks =
  "layout isSparse scope constructor handle rawHandle forget attachToken isDisposed shape size stride dtype device ndim dim numel nbytes requiresGrad " +
  "isLeaf isContiguous isInference gradFn dataView cuda";

/** Builds a layer, runs it forward and backward, prints it, saves and loads its state, frees it. */
function useLayer(
  layer: torch.nn.Module & { forward(...args: never[]): unknown },
  ...inputs: torch.Tensor[]
): void {
  using _s = torch.scope();
  const run = layer.forward as unknown as (...args: torch.Tensor[]) => torch.Tensor | [torch.Tensor];
  const result = run.call(layer, ...inputs);
  const output = Array.isArray(result) ? result[0] : result;
  if (output.requiresGrad) output.sum().backward();
  String(layer);
  layer.loadStateDict(layer.stateDict());
  layer.train().eval().requiresGrad_(false).to({ dtype: "float64" });
  layer.zeroGrad();
  layer.dispose();
}

/** What `nn` exports besides its namespaces. */
export const layers: Record<string, Call> = {
  ...toolkit.layers(useLayer),
  Dropout: (t) => useLayer(new nn.Dropout(0.5), t.x),
  PairwiseDistance: (t) => useLayer(new nn.PairwiseDistance(), t.x, t.y),
  CosineSimilarity: (t) => useLayer(new nn.CosineSimilarity(), t.x, t.y),
  ChannelShuffle: (t) => useLayer(new nn.ChannelShuffle(2), t.image),
  LocalResponseNorm: (t) => useLayer(new nn.LocalResponseNorm(2), t.image),
  LPPool1d: (t) => useLayer(new nn.LPPool1d(2, 2), t.signal),
  LPPool2d: (t) => useLayer(new nn.LPPool2d(2, 2), t.image),
  LPPool3d: (t) => useLayer(new nn.LPPool3d(2, 2), t.image),
  Embedding: (t) => useLayer(new nn.Embedding(5, 3, { paddingIdx: 1 }), t.n),
  GELU: (t) => useLayer(new nn.GELU(), t.x),
  Identity: (t) => useLayer(new nn.Identity(), t.x),
  LayerNorm: (t) => useLayer(new nn.LayerNorm(4), t.x),
  Linear: (t) => useLayer(new nn.Linear(4, 2), t.x),
  LogSoftmax: (t) => useLayer(new nn.LogSoftmax(0), t.x),
  Softmax: (t) => useLayer(new nn.Softmax(0), t.x),
  ReLU: (t) => useLayer(new nn.ReLU(), t.x),
  SiLU: (t) => useLayer(new nn.SiLU(), t.x),
  Sigmoid: (t) => useLayer(new nn.Sigmoid(), t.x),
  Softplus: (t) => useLayer(new nn.Softplus(), t.x),
  Tanh: (t) => useLayer(new nn.Tanh(), t.x),
  Sequential: (t) => useLayer(new nn.Sequential(new nn.Linear(4, 2), new nn.ReLU()), t.x),
  ModuleList: () => new nn.ModuleList([new nn.Linear(2, 2)]).dispose(),
  ModuleDict: () => new nn.ModuleDict({ a: new nn.Linear(2, 2) }).dispose(),
  MultiheadAttention: (t) => useLayer(new nn.MultiheadAttention(4, 2), t.batch, t.batch, t.batch),
  TransformerEncoderLayer: (t) =>
    useLayer(new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8 }), t.batch),
  TransformerEncoder: (t) => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8 });
    useLayer(new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(4) }), t.batch);
  },
  activationFunction: (t) => nn.activationFunction("gelu")(t.x),
  buffer: (t) => nn.buffer(t.x.clone()),
  parameter: (t) => nn.parameter(t.x.clone()),
  clipGradNorm_: (t) => {
    t.x.requiresGrad_();
    t.x.grad = t.y;
    return [nn.clipGradNorm_([t.x], 0.1), nn.clipGradNorm_([], 1)];
  },
  clipGradValue_: (t) => {
    t.x.requiresGrad_();
    t.x.grad = t.y;
    nn.clipGradValue_([t.x], 0.1);
  },
  fusedTransformerLayer: (t) => {
    using _s = torch.scope();
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, normFirst: true, dropout: 0 });
    nn.fusedTransformerLayer(t.x, layer, { runs: [1, 3], heads: 2, activation: "relu" })
      .sum()
      .backward();
    layer.dispose();
  },
};

/** What makes no tensors, and the base class. */
export const layersWithoutTensors = "hasHooks Module canFuseLayer isBuffer isParameter functional init";

/** Functions of `nn.functional` that are more than an operator. */
export const functionals: Record<string, Call> = {
  ...toolkit.functionals,
  attentionKernel: (t) => F.attentionKernel(t.image, t.image, t.image),
  binaryCrossEntropy: (t) => F.binaryCrossEntropy(t.x, t.y),
  binaryCrossEntropyWithLogits: (t) => F.binaryCrossEntropyWithLogits(t.x, t.y),
  crossEntropy: (t) => F.crossEntropy(t.x, t.order),
  huberLoss: (t) => F.huberLoss(t.x, t.y),
  klDiv: (t) => [F.klDiv(t.x, t.y), F.klDiv(t.x, t.y, { reduction: "batchmean" })],
  l1Loss: (t) => F.l1Loss(t.x, t.y),
  logsigmoid: (t) => F.logsigmoid(t.x),
  mseLoss: (t) => F.mseLoss(t.x, t.y),
  nllLoss: (t) => F.nllLoss(t.x, t.order),
  normalize: (t) => F.normalize(t.x),
  smoothL1Loss: (t) => F.smoothL1Loss(t.x, t.y),
  alphaDropout: (t) => F.alphaDropout(t.x, 0.5, true),
  dropout1d: (t) => [F.dropout1d(t.signal), F.dropout1d(t.x)],
  dropout2d: (t) => F.dropout2d(t.image),
  dropout3d: (t) => F.dropout3d(t.image),
  featureAlphaDropout: (t) => F.featureAlphaDropout(t.x, 0.5, true),
  localResponseNorm: (t) => F.localResponseNorm(t.image, 2),
  lpPool1d: (t) => F.lpPool1d(t.signal, 2, 2),
  lpPool2d: (t) => F.lpPool2d(t.image, 2, 2),
  lpPool3d: (t) => F.lpPool3d(t.image, 2, 2),
  softsign: (t) => F.softsign(t.x),
  tanhshrink: (t) => F.tanhshrink(t.x),
};

export const initializers: Record<string, Call> = {
  ...toolkit.initializers,
  constant_: (t) => nn.init.constant_(t.x, 1),
  kaimingNormal_: (t) => nn.init.kaimingNormal_(t.x),
  kaimingUniform_: (t) => nn.init.kaimingUniform_(t.x),
  normal_: (t) => nn.init.normal_(t.x),
  ones_: (t) => nn.init.ones_(t.x),
  uniform_: (t) => nn.init.uniform_(t.x),
  dirac_: (t) => nn.init.dirac_(t.signal),
  sparse_: (t) => nn.init.sparse_(t.x, 0.5),
  xavierNormal_: (t) => nn.init.xavierNormal_(t.x),
  xavierUniform_: (t) => nn.init.xavierUniform_(t.x),
  zeros_: (t) => nn.init.zeros_(t.x),
};

export const initializersWithoutTensors = "calculateGain fans";

type AnyOptimizer = torch.optim.Optimizer<{ lr: number }>;

/** Two steps, its state saved and loaded, then freed. */
function useOptimizer(t: Inputs, make: (params: torch.Tensor[]) => AnyOptimizer): void {
  const param = t.x.requiresGrad_();
  param.grad = t.y;
  const optimizer = make([param]);
  optimizer.step();
  optimizer.step();
  const other = make([param]);
  other.loadStateDict(optimizer.stateDict());
  optimizer.loadStateDict(other.stateDict());
  optimizer.step();
  optimizer.zeroGrad();
  optimizer.dispose();
  other.dispose();
}

export const optimizers: Record<string, Call> = {
  SGD: (t) =>
    useOptimizer(t, (params) => new optim.SGD(params, { momentum: 0.9, nesterov: true, weightDecay: 0.1 })),
  Adam: (t) => {
    useOptimizer(t, (params) => new optim.Adam(params, { amsgrad: true }));
    useOptimizer(t, (params) => new optim.Adam(params, { amsgrad: true, foreach: true }));
  },
  AdamW: (t) => useOptimizer(t, (params) => new optim.AdamW(params)),
  SparseAdam: () => {
    using _s = torch.scope();
    const table = new nn.Embedding(4, 2, { sparse: true });
    const optimizer = new optim.SparseAdam(table.parameters());
    table
      .forward(torch.tensor([1n, 1n]))
      .sum()
      .backward();
    optimizer.step();
    optimizer.zeroGrad();
    optimizer.dispose();
    table.dispose();
  },
  RMSprop: (t) => useOptimizer(t, (params) => new optim.RMSprop(params, { momentum: 0.9, centered: true })),
  Adagrad: (t) => useOptimizer(t, (params) => new optim.Adagrad(params)),
  Adadelta: (t) => useOptimizer(t, (params) => new optim.Adadelta(params)),
  NAdam: (t) => useOptimizer(t, (params) => new optim.NAdam(params, { weightDecay: 0.1 })),
  RAdam: (t) => useOptimizer(t, (params) => new optim.RAdam(params)),
  Adamax: (t) => useOptimizer(t, (params) => new optim.Adamax(params)),
  Rprop: (t) => useOptimizer(t, (params) => new optim.Rprop(params)),
  ASGD: (t) => useOptimizer(t, (params) => new optim.ASGD(params, { weightDecay: 0.1 })),
  Adafactor: (t) => useOptimizer(t, (params) => new optim.Adafactor(params, { maximize: true })),
  LBFGS: (t) => {
    const param = t.x.requiresGrad_();
    const closure = () => {
      param.grad = null;
      const loss = param.sub(t.y.detach()).pow(2).sum();
      loss.backward();
      return loss;
    };
    const [optimizer, other] = [{}, {}].map(
      () => new optim.LBFGS([param], { lineSearchFn: "strong_wolfe", maxIter: 2 }),
    );
    using _s = torch.scope();
    optimizer.step(closure);
    optimizer.step(closure);
    other.loadStateDict(optimizer.stateDict());
    other.step(closure);
    optimizer.dispose();
    other.dispose();
    param.grad = null;
  },
};

/** Schedules hold numbers only. */
export const optimizersWithoutTensors =
  "Optimizer Scheduler CosineAnnealingLR CosineAnnealingWarmRestarts OneCycleLR ReduceLROnPlateau WarmupCosineLR " +
  "LambdaLR StepLR MultiStepLR ExponentialLR ConstantLR LinearLR PolynomialLR SequentialLR " +
  "MultiplicativeLR CyclicLR ChainedScheduler";

/** The rest: what is constructed rather than called. */
export const objects: Record<string, Call> = {
  ...toolkit.objects,
  Generator: () => {
    const generator = new torch.Generator().manualSeed(3);
    const state = generator.getState();
    generator.setState(state);
    return state;
  },
  Autocast: (t) => {
    using _amp = new torch.Autocast();
    return t.x.mm(t.square);
  },
};
