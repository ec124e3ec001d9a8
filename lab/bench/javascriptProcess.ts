/**
 * The other side of `bun run bench ops --javascript FOLDER`: TensorFlow.js or jax-js doing the same work,
 * driven line by line like lab/python/reference/plain_reference.py.
 *
 *     bun lab/bench/javascriptProcess.ts tfjs|jax-js FOLDER
 *
 * FOLDER has the packages in its node_modules.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { median } from "../../src/common/median.ts";

type Shape = readonly number[];

/** What is called of TensorFlow.js, which is not installed here. */
interface TfTensor {
  add(other: TfTensor | number): TfTensor;
  sub(other: TfTensor | number): TfTensor;
  mul(other: TfTensor | number): TfTensor;
  div(other: TfTensor | number): TfTensor;
  matMul(other: TfTensor, transposeSelf?: boolean, transposeOther?: boolean): TfTensor;
  sum(): TfTensor;
  mean(axes?: Shape): TfTensor;
  relu(): TfTensor;
  exp(): TfTensor;
  erf(): TfTensor;
  sqrt(): TfTensor;
  square(): TfTensor;
  softmax(): TfTensor;
  transpose(order?: Shape): TfTensor;
  gather(indices: TfTensor): TfTensor;
  reshape(shape: Shape): TfTensor;
  slice(begin: Shape, size: Shape): TfTensor;
  conv2d(kernel: TfTensor, stride: number, padding: string): TfTensor;
}
interface TfOptimizer {
  minimize(loss: () => TfTensor): unknown;
}
interface Tf {
  readonly version: Readonly<Record<string, string>>;
  readonly linalg: { bandPart(x: TfTensor, lower: number, upper: number): TfTensor };
  readonly train: { adam(rate: number): TfOptimizer; momentum(rate: number, momentum: number): TfOptimizer };
  readonly losses: { softmaxCrossEntropy(labels: TfTensor, logits: TfTensor): TfTensor };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy(fn: () => void): void;
  ones(shape: Shape): TfTensor;
  zeros(shape: Shape): TfTensor;
  randomUniform(shape: Shape, from?: number, to?: number, dtype?: string): TfTensor;
  randomNormal(shape: Shape): TfTensor;
  tensor1d(values: Shape, dtype: string): TfTensor;
  oneHot(indices: TfTensor, depth: number): TfTensor;
  variable(value: TfTensor): TfTensor;
  concat(tensors: readonly TfTensor[]): TfTensor;
  unstack(tensor: TfTensor): TfTensor[];
  moments(x: TfTensor, axes: number | Shape, keepDims?: boolean): { mean: TfTensor; variance: TfTensor };
  variableGrads(loss: () => TfTensor): { value: TfTensor };
}

/** What is called of jax-js. */
interface JaxArray {
  /** Another reference: what takes an array uses it up. */
  readonly ref: JaxArray;
  add(other: JaxArray): JaxArray;
  sub(other: JaxArray): JaxArray;
  mul(other: JaxArray): JaxArray;
  sum(): JaxArray;
  mean(): JaxArray;
  transpose(): JaxArray;
  dataSync(): unknown;
}
type JaxLoss = (...weights: JaxArray[]) => JaxArray;
type JaxStep = (...weights: JaxArray[]) => [JaxArray, JaxArray[]];
interface Jax {
  readonly numpy: {
    readonly int32: unknown;
    array(values: Shape, options: { dtype: unknown }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    concatenate(arrays: readonly JaxArray[]): JaxArray;
    exp(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    take(x: JaxArray, indices: JaxArray, axis: number): JaxArray;
  };
  readonly nn: { relu(x: JaxArray): JaxArray; softmax(x: JaxArray): JaxArray };
  readonly random: { key(seed: number): unknown; uniform(key: unknown, shape: Shape): JaxArray };
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  valueAndGrad(loss: JaxLoss, options: { argnums: Shape }): JaxStep;
  jit(step: JaxStep): JaxStep;
}

type Run = () => unknown;

const [library, folder] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(resolve(folder), "package.json")));
const found = (name: string): boolean => {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
};
/** A package by name; it is none of this project's. */
const load = (name: string): unknown => require(name);
const say = (answer: object) => console.log(JSON.stringify(answer));

/** TensorFlow.js: the native backend where it is installed, else WebAssembly. */
async function tensorflow(): Promise<{ facts: object; works: Record<string, Run> }> {
  const native = found("@tensorflow/tfjs-node");
  const tf = load(native ? "@tensorflow/tfjs-node" : "@tensorflow/tfjs") as Tf;
  if (!native) {
    load("@tensorflow/tfjs-backend-wasm");
    await tf.setBackend("wasm");
  }
  await tf.ready();
  const [a, b, v] = [tf.randomUniform([4, 4]), tf.randomUniform([4, 4]), tf.randomUniform([4])];
  const index = tf.tensor1d([0, 2, 1], "int32");
  const norm = (x: TfTensor, [scale, shift]: readonly TfTensor[]) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(scale).add(shift);
  };
  const operators: Record<string, Run> = {
    add: () => a.add(b),
    mul: () => a.mul(b),
    matmul: () => a.matMul(b),
    sum: () => a.sum(),
    relu: () => a.relu(),
    cat: () => tf.concat([a, b]),
    exp: () => a.exp(),
    softmax: () => a.softmax(),
    layer_norm: () => norm(a, [v, v]),
    transpose: () => a.transpose(),
    index_select: () => a.gather(index),
  };
  const tidied = Object.entries(operators).map(([name, run]): [string, Run] => [
    name,
    () => tf.tidy(() => void run()),
  ]);
  const variable = (shape: number[], scale: number) => tf.variable(tf.randomNormal(shape).mul(scale));
  const linear = (inputs: number, outputs: number) => {
    const [w, c] = [variable([inputs, outputs], inputs ** -0.5), variable([outputs], 0)];
    return (x: TfTensor) => x.matMul(w).add(c);
  };
  return {
    facts: { version: tf.version["tfjs-core"], backend: native ? "tensorflow" : "wasm" },
    works: {
      ...Object.fromEntries(tidied),
      mlp: network(tf, linear),
      gpt: gptStep(tf, { linear, variable, norm }),
      resnet: resnetStep(tf, { linear, variable }),
    },
  };
}

type Layer = (x: TfTensor) => TfTensor;
interface Parts {
  linear(inputs: number, outputs: number): Layer;
  variable(shape: Shape, scale: number): TfTensor;
  norm(x: TfTensor, affine: readonly TfTensor[]): TfTensor;
}

function network(tf: Tf, linear: Parts["linear"]): Run {
  const [first, second] = [linear(64, 128), linear(128, 10)];
  const [x, y] = [tf.randomUniform([32, 64]), tf.randomUniform([32, 10])];
  return () =>
    tf.tidy(() => void tf.variableGrads(() => second(first(x).relu()).sub(y).square().mean()).value);
}

/** The sizes of modelSteps.ts. */
function gptStep(tf: Tf, { linear, variable, norm }: Parts): Run {
  const [vocabulary, width, heads, length, batch] = [65, 128, 4, 64, 8];
  const [tokens, places] = [variable([vocabulary, width], 1), variable([length, width], 1)];
  const ones = () => [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))];
  const mask = tf.linalg
    .bandPart(tf.ones([length, length]), -1, 0)
    .sub(1)
    .mul(1e9);
  const blocks = Array.from({ length: 4 }, () => {
    const [qkv, projection] = [linear(width, 3 * width), linear(width, width)];
    const [wide, narrow] = [linear(width, 4 * width), linear(4 * width, width)];
    const [norm1, norm2] = [ones(), ones()];
    const gelu = (x: TfTensor) => x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
    return (x: TfTensor) => {
      const parts = qkv(norm(x, norm1))
        .reshape([batch, length, 3, heads, width / heads])
        .transpose([2, 0, 3, 1, 4]);
      const [q, k, value] = tf.unstack(parts);
      const scores = q.matMul(k, false, true).mul((width / heads) ** -0.5);
      const mixed = scores.add(mask).softmax().matMul(value).transpose([0, 2, 1, 3]);
      const attended = x.add(projection(mixed.reshape([batch * length, width])));
      return attended.add(narrow(gelu(wide(norm(attended, norm2)))));
    };
  });
  const [last, head] = [ones(), linear(width, vocabulary)];
  const text = tf.randomUniform([batch, length + 1], 0, vocabulary, "int32");
  const x = text.slice([0, 0], [batch, length]);
  const y = tf.oneHot(text.slice([0, 1], [batch, length]).reshape([-1]), vocabulary);
  const optimizer = tf.train.adam(1e-3);
  const loss = () => {
    const start = tokens
      .gather(x.reshape([-1]))
      .reshape([batch, length, width])
      .add(places);
    const end = blocks.reduce((value, block) => block(value), start.reshape([batch * length, width]));
    return tf.losses.softmaxCrossEntropy(y, head(norm(end, last)));
  };
  return () => tf.tidy(() => void optimizer.minimize(loss));
}

/** The sizes of modelSteps.ts. */
function resnetStep(tf: Tf, { linear, variable }: Omit<Parts, "norm">): Run {
  const convolution = (inputs: number, outputs: number, size: number, stride = 1) => {
    const kernel = variable([size, size, inputs, outputs], (size * size * inputs) ** -0.5);
    const [scale, shift] = [tf.variable(tf.ones([outputs])), tf.variable(tf.zeros([outputs]))];
    return (x: TfTensor) => {
      const result = x.conv2d(kernel, stride, "same");
      const { mean, variance } = tf.moments(result, [0, 1, 2]);
      return result.sub(mean).div(variance.add(1e-5).sqrt()).mul(scale).add(shift);
    };
  };
  const block = (inputs: number, outputs: number, stride: number) => {
    const [first, second] = [convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, 3)];
    const around = stride === 1 ? (x: TfTensor) => x : convolution(inputs, outputs, 1, stride);
    return (x: TfTensor) => second(first(x).relu()).add(around(x)).relu();
  };
  const stem = convolution(3, 16, 3);
  const blocks = [block(16, 16, 1), block(16, 32, 2), block(32, 64, 2)];
  const head = linear(64, 10);
  const x = tf.randomUniform([16, 32, 32, 3]);
  const y = tf.oneHot(tf.randomUniform([16], 0, 10, "int32"), 10);
  const optimizer = tf.train.momentum(1e-2, 0.9);
  const loss = () => {
    const end = blocks.reduce((value, one) => one(value), stem(x).relu());
    return tf.losses.softmaxCrossEntropy(y, head(end.mean([1, 2])));
  };
  return () => tf.tidy(() => void optimizer.minimize(loss));
}

/** jax-js, compiled to WebAssembly. Its arrays are used up by what takes them, hence the references. */
async function jax(): Promise<{ facts: object; works: Record<string, Run> }> {
  const module = load("@jax-js/jax") as Jax;
  const { numpy: np, nn, random, valueAndGrad, jit, init, defaultDevice } = module;
  await init("wasm");
  defaultDevice("wasm");
  const draw = (seed: number, shape: number[]) => random.uniform(random.key(seed), shape);
  const [a, b] = [draw(0, [4, 4]), draw(1, [4, 4])];
  const index = np.array([0, 2, 1], { dtype: np.int32 });
  // Nothing is computed before the values are asked for, which also frees them.
  const read = (run: () => JaxArray) => () => run().dataSync();
  const [x, y] = [draw(2, [32, 64]), draw(3, [32, 10])];
  const weights = [draw(4, [64, 128]), draw(5, [128]), draw(6, [128, 10]), draw(7, [10])];
  const loss = (w1: JaxArray, c1: JaxArray, w2: JaxArray, c2: JaxArray) => {
    const hidden = nn.relu(np.matmul(x.ref, w1).add(c1));
    return np.square(np.matmul(hidden, w2).add(c2).sub(y.ref)).mean();
  };
  const step = jit(valueAndGrad(loss, { argnums: [0, 1, 2, 3] }));
  return {
    facts: { version: (load("@jax-js/jax/package.json") as { version: string }).version, backend: "wasm" },
    works: {
      add: read(() => a.ref.add(b.ref)),
      mul: read(() => a.ref.mul(b.ref)),
      matmul: read(() => np.matmul(a.ref, b.ref)),
      sum: read(() => a.ref.sum()),
      relu: read(() => nn.relu(a.ref)),
      cat: read(() => np.concatenate([a.ref, b.ref])),
      exp: read(() => np.exp(a.ref)),
      softmax: read(() => nn.softmax(a.ref)),
      transpose: read(() => a.ref.transpose()),
      index_select: read(() => np.take(a.ref, index.ref, 0)),
      mlp: () => {
        const [value, gradients] = step(...weights.map((weight) => weight.ref));
        for (const one of [value, ...gradients]) one.dataSync();
      },
    },
  };
}

/** The median of `repeats` measurements of `calls` calls each, as the Python side gives it. */
function measure(run: Run, calls: number, repeats: number): number {
  const times = Array.from({ length: repeats }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) run();
    return Number(process.hrtime.bigint() - start) / calls;
  });
  return median(times);
}

const packages = library === "tfjs" ? ["@tensorflow/tfjs-node", "@tensorflow/tfjs"] : ["@jax-js/jax"];
if (!packages.some(found)) say({ ready: true, missing: `not installed in ${folder}` });
else {
  const { facts, works } = await (library === "tfjs" ? tensorflow() : jax());
  // What the backend has no kernel or gradient for is found out before anything is timed.
  const refused: Record<string, string> = {};
  for (const [name, run] of Object.entries(works))
    try {
      run();
    } catch (error) {
      refused[name] = String(error);
    }
  const names = Object.keys(works).filter((name) => !(name in refused));
  say({ ready: true, ...facts, names, refused });
  for await (const line of console) {
    if (line === "") continue;
    const [name, calls, repeats] = line.split(" ");
    say({ name, median_ns: measure(works[name], Number(calls), Number(repeats)) });
  }
}
