/**
 * Streams, events and graphs of the accelerator, under `torch.cuda`'s names. Without
 * one each of them says so.
 */
import { type Device, parseDevice } from "../core/device.ts";
import type { Tensor } from "../core/tensor.ts";
import { check, shim } from "../native/library.ts";

const out = new Float64Array(new ArrayBuffer(1024));
/** Events and graphs are few: a registry frees those that nobody refers to. */
const events = new FinalizationRegistry<number>((number) => void shim.aamt_event_free(number));
const graphs = new FinalizationRegistry<number>((number) => void shim.aamt_graph_do(number, 4));

const indexOf = (device: Device | undefined) =>
  device === undefined ? -1 : Math.max(parseDevice(device).index, 0);
const current = 0;
const standard = 1;
const fresh = 2;

/**
 * An order of work on the device: what is given to one stream runs in turn, what is
 * given to several may overlap.
 * @throws TorchError without an accelerator.
 */
export class Stream {
  /** @internal */
  readonly id: number;
  /** @internal */
  readonly deviceIndex: number;

  /** A stream of its own. `priority`: lower numbers run first. */
  constructor(options: { device?: Device; priority?: number } | { id: number; deviceIndex: number } = {}) {
    if ("id" in options) {
      this.id = options.id;
      this.deviceIndex = options.deviceIndex;
      return;
    }
    check(shim.aamt_stream(fresh, indexOf(options.device), options.priority ?? 0, out), "Stream");
    [this.id, this.deviceIndex] = out;
  }

  get device(): Device {
    return `cuda:${this.deviceIndex}`;
  }

  /** Waits until everything given to it is done. */
  synchronize(): void {
    check(shim.aamt_stream_synchronize(this.id, this.deviceIndex), "Stream.synchronize");
  }

  /** Whether everything given to it is done. */
  query(): boolean {
    return check(shim.aamt_stream_query(this.id, this.deviceIndex), "Stream.query") === 1;
  }

  /** What is given to it from now on waits for what `stream` has been given so far. */
  waitStream(stream: Stream): void {
    this.waitEvent(stream.recordEvent());
  }

  /** What is given to it from now on waits for the event. */
  waitEvent(event: Event): void {
    event.wait(this);
  }

  /** An event at this place of the stream. */
  recordEvent(event: Event = new Event()): Event {
    event.record(this);
    return event;
  }

  equals(other: Stream): boolean {
    return this.id === other.id && this.deviceIndex === other.deviceIndex;
  }
}

function found(how: number, device: Device | undefined, what: string): Stream {
  check(shim.aamt_stream(how, indexOf(device), 0, out), what);
  return new Stream({ id: out[0], deviceIndex: out[1] });
}

/** The stream that work goes to now. */
export function currentStream(device?: Device): Stream {
  return found(current, device, "currentStream");
}

/** The device's own stream, which work goes to unless told otherwise. */
export function defaultStream(device?: Device): Stream {
  return found(standard, device, "defaultStream");
}

/** Runs `fn` with its work going to `stream`; the one before is restored also when it throws. */
export function stream<T>(on: Stream, fn: () => T): T {
  check(shim.aamt_stream_use(on.id, on.deviceIndex, out), "stream");
  const [id, deviceIndex] = out;
  try {
    const result = fn();
    if (result instanceof Promise) throw new TypeError("stream: the function must not be asynchronous");
    return result;
  } finally {
    check(shim.aamt_stream_use(id, deviceIndex, out), "stream");
  }
}

/**
 * Keeps a tensor's memory until `on` has done what it was given: for tensors used on another
 * stream than they were made on.
 */
export function recordStream(tensor: Tensor, on: Stream): void {
  check(shim.aamt_record_stream(tensor.handle, on.id, on.deviceIndex), "recordStream");
}

/**
 * A place in a stream, to wait for and to measure times between.
 * @throws TorchError without an accelerator.
 */
export class Event {
  readonly #number: number;

  constructor(options: { enableTiming?: boolean } = {}) {
    this.#number = check(shim.aamt_event(options.enableTiming ? 1 : 0), "Event");
    events.register(this, this.#number);
  }

  /** Puts it behind what the stream (default: the current one) has been given. */
  record(on: Stream = currentStream()): void {
    check(shim.aamt_event_record(this.#number, on.id, on.deviceIndex), "Event.record");
  }

  /** The stream (default: the current one) waits for it. */
  wait(on: Stream = currentStream()): void {
    check(shim.aamt_event_wait(this.#number, on.id, on.deviceIndex), "Event.wait");
  }

  /** Waits here until it has come. */
  synchronize(): void {
    check(shim.aamt_event_synchronize(this.#number), "Event.synchronize");
  }

  /** Whether it has come. */
  query(): boolean {
    return check(shim.aamt_event_query(this.#number), "Event.query") === 1;
  }

  /** Milliseconds from this event to `end`; both need `enableTiming` and must have come. */
  elapsedTime(end: Event): number {
    check(shim.aamt_event_elapsed(this.#number, end.#number, out), "Event.elapsedTime");
    return out[0];
  }
}

/**
 * Work of the device recorded once and given to it again as a whole: for steps of many small kernels. What is
 * recorded reads and writes the same memory each time, so inputs are copied into tensors that were there.
 * @throws TorchError where LibTorch has no graphs for the device outside Python.
 */
export class CUDAGraph {
  readonly #number: number;

  constructor() {
    this.#number = check(shim.aamt_graph(), "CUDAGraph");
    graphs.register(this, this.#number);
  }

  /** Begins to record what goes to the current stream, which must not be the default one. */
  captureBegin(): void {
    check(shim.aamt_graph_do(this.#number, 0), "CUDAGraph.captureBegin");
  }

  captureEnd(): void {
    check(shim.aamt_graph_do(this.#number, 1), "CUDAGraph.captureEnd");
  }

  /** Gives the recorded work to the device. */
  replay(): void {
    check(shim.aamt_graph_do(this.#number, 2), "CUDAGraph.replay");
  }

  /** Forgets what was recorded. */
  reset(): void {
    check(shim.aamt_graph_do(this.#number, 3), "CUDAGraph.reset");
  }
}

/** Records what `fn` gives to the device into `into`, on a stream of its own. */
export function graph<T>(into: CUDAGraph, fn: () => T, options: { stream?: Stream } = {}): T {
  const on = options.stream ?? new Stream();
  on.waitStream(currentStream());
  const result = stream(on, () => {
    into.captureBegin();
    try {
      return fn();
    } finally {
      into.captureEnd();
    }
  });
  currentStream().waitStream(on);
  return result;
}
