import { join } from "node:path";
import { makeFolder } from "../../common/files/atomicFile.ts";
import { quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Batch } from "../../data/batches/batch.ts";
import * as torch from "../../torch/index.ts";
import type { BatchLosses } from "./batchLosses.ts";
import { onForward } from "./forwardHooks.ts";
import { type NonFiniteSite, saveRepro } from "./nanRepro.ts";

export interface NanDetectorOptions {
  /** Where the failing step is written. */
  readonly folder: string;
  /** The id of a sample of the data set. */
  readonly sampleId: (index: number) => string;
  /** What the model is built from. */
  readonly facts: unknown;
}

/** The first value that is not finite: where it is, and the file that repeats the step. */
export class NonFiniteError extends UserError {
  constructor(
    message: string,
    readonly site: NonFiniteSite,
    readonly reproPath: string,
  ) {
    super(message);
  }
}

/** What is not finite about a tensor or an array, or null. Waits for the device. */
export function nonFiniteIn(
  values: torch.Tensor | ArrayLike<number>,
): Omit<NonFiniteSite, "kind" | "path"> | null {
  if (!(values instanceof torch.Tensor)) {
    const all = Array.from(values);
    const nan = all.filter(Number.isNaN).length;
    const infinite = all.filter((value) => !Number.isFinite(value)).length - nan;
    return nan + infinite > 0 ? { shape: [all.length], nan, infinite, total: all.length } : null;
  }
  if (!torch.isFloatingDtype(values.dtype)) return null;
  return torch.noGrad(() =>
    torch.tidy(() => {
      if (values.isfinite().all().itemBool()) return null;
      const nan = values.isnan().sum().item();
      const infinite = values.isinf().sum().item();
      return { shape: values.shape, nan, infinite, total: values.numel };
    }),
  );
}

/** Every tensor in a result, however it is nested. */
function* tensorsIn(value: unknown): Generator<torch.Tensor> {
  if (value instanceof torch.Tensor) yield value;
  else if (Array.isArray(value) || value instanceof Map)
    for (const item of value.values()) yield* tensorsIn(item);
  else if (typeof value === "object" && value !== null) yield* tensorsIn(Object.values(value));
}

/** States of random generators by device. */
export type RandomStates = ReadonlyMap<torch.Device, torch.Tensor>;

/**
 * The states of the generators that a model's forward pass draws from; they belong to the innermost scope.
 */
export function randomStates(model: torch.nn.Module): RandomStates {
  const devices = new Set<torch.Device>(["cpu", ...model.parameters().map((value) => value.device)]);
  return new Map([...devices].map((device) => [device, torch.Generator.default(device).getState()]));
}

export function restoreRandomStates(states: RandomStates): void {
  for (const [device, state] of states) torch.Generator.default(device).setState(state);
}

/**
 * Looks at every value of a step as it arises: the batch, the weights, what each module returns, the losses,
 * the gradients. The first that is not finite is thrown as a `NonFiniteError`, after the batch, the weights
 * and the generator's state were saved, with which `debug/replay.ts` repeats the step. Every look waits for
 * the device: for looking for a fault, not for use.
 */
export class NanDetector implements Disposable {
  readonly #model: torch.nn.Module;
  readonly #options: NanDetectorOptions;
  readonly #hooks: Disposable;
  /** Paths of modules in the order in which their calls ended. */
  #called: string[] = [];
  #batch: Batch | null = null;
  #step = 0;
  #random: RandomStates = new Map();

  constructor(model: torch.nn.Module, options: NanDetectorOptions) {
    this.#model = model;
    this.#options = options;
    this.#hooks = onForward(model, (path, _module, result) => {
      if (this.#batch === null) return;
      this.#called.push(path);
      for (const value of tensorsIn(result)) this.#check("output", path, value);
    });
  }

  /** Before the forward pass of a step: from here on the model is watched. `random` is of before the step. */
  startStep(batch: Batch, step: number, random: RandomStates): void {
    this.#batch = batch;
    this.#step = step;
    this.#called = [];
    this.#random = random;
    for (const [name, value] of Object.entries(batch)) {
      if (value instanceof Float32Array) this.#check("input", name, value);
    }
    for (const [path, value] of this.#model.namedParameters()) this.#check("weight", path, value);
  }

  /** After the forward pass. */
  checkLosses(losses: Readonly<Record<string, torch.Tensor>>): void {
    for (const [name, value] of Object.entries(losses)) this.#check("loss", name, value);
  }

  /**
   * After the backward pass, which ends the step. Of several weights the one that the forward pass used last
   * is named: the backward pass came to it first.
   */
  checkGradients(): void {
    const faulty = [...this.#model.namedParameters()].filter(([, value]) => {
      using gradient = value.grad;
      return gradient !== null && nonFiniteIn(gradient) !== null;
    });
    faulty.sort(([a], [b]) => this.#lastUse(b) - this.#lastUse(a));
    if (faulty.length > 0) {
      using gradient = faulty[0][1].grad;
      this.#check("gradient", faulty[0][0], gradient!);
    }
    this.#batch = null;
  }

  /**
   * When the module that a weight belongs to, or the nearest one around it that is called, was last called.
   */
  #lastUse(weight: string): number {
    for (let path = weight; path !== ""; ) {
      path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "";
      const place = this.#called.lastIndexOf(path);
      if (place >= 0) return place;
    }
    return -1;
  }

  #check(kind: NonFiniteSite["kind"], path: string, values: torch.Tensor | ArrayLike<number>): void {
    const found = nonFiniteIn(values);
    if (found === null) return;
    const site: NonFiniteSite = { kind, path, ...found };
    const { sampleId, facts, folder } = this.#options;
    const batch = this.#batch!;
    const sampleIds = Array.from(batch.sampleIndices, sampleId);
    const file = join(folder, `nan-step-${this.#step}.safetensors`);
    this.#batch = null;
    makeFolder(folder);
    saveRepro(file, {
      step: this.#step,
      site,
      sampleIds,
      facts,
      batch,
      weights: this.#model.stateDict(),
      random: this.#random,
    });
    throw new NonFiniteError(
      `Step ${this.#step}: ${describeSite(site)}. The samples of the batch are ${quoteSome(sampleIds, batch.samples)}. ` +
        `Batch and weights are in ${file}; repeat the step with \`bun run debug/replay.ts ${file}\`.`,
      site,
      file,
    );
  }

  [Symbol.dispose](): void {
    this.#hooks[Symbol.dispose]();
  }
}

/** A step that was just made, up to its gradients, and how to make it again. */
export interface RepeatableStep {
  readonly batch: Batch;
  readonly step: number;
  /** Of before the step. */
  readonly random: RandomStates;
  readonly losses: () => BatchLosses;
  /** Whether gradients are scaled and may overflow now and then. */
  readonly scaled: boolean;
}

/**
 * Looks at the loss and the gradients of a step. Where one is not finite, the step is repeated with a
 * `NanDetector`, whose error names the first place.
 * @throws NonFiniteError then.
 */
export function inspectStep(
  model: torch.nn.Module,
  loss: torch.Tensor,
  { batch, step, random, losses, scaled }: RepeatableStep,
  options: NanDetectorOptions,
): void {
  const hasBadGradient = () =>
    model.parameters().some((value) => {
      using gradient = value.grad;
      return gradient !== null && nonFiniteIn(gradient) !== null;
    });
  if (!nonFiniteIn(loss) && (scaled || !hasBadGradient())) return;
  using detector = new NanDetector(model, options);
  detector.startStep(batch, step, random);
  restoreRandomStates(random);
  model.zeroGrad();
  const { total, parts } = losses();
  detector.checkLosses({ ...parts, total_loss: total });
  total.backward();
  detector.checkGradients();
  throw new UserError(
    `Step ${step} gave a value that is not finite, but not when it was repeated: the device computes differently each time.`,
  );
}

/**
 * A site in words: `the output of sample_encoder.asv_encoder [32, 64] is not finite (64 NaN, 0
 * infinite of 2048 values)`.
 */
export function describeSite({ kind, path, shape, nan, infinite, total }: NonFiniteSite): string {
  const what = {
    input: `the batch's ${path}`,
    weight: `the weight ${path}`,
    output: path === "" ? "the output of the model" : `the output of ${path}`,
    loss: `the loss ${path}`,
    gradient: `the gradient of ${path}`,
  }[kind];
  return `${what} [${shape.join(", ")}] is not finite (${nan} NaN, ${infinite} infinite of ${total} values)`;
}
