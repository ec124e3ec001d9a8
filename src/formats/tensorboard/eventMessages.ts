import { ProtoWriter } from "./protobuf.ts";

/**
 * The messages of TensorBoard's event files, field numbers as in its `event.proto`, `summary.proto`,
 * `tensor.proto`, `layout.proto` and the hparams plugin's `plugin_data.proto` and `api.proto`.
 */

const floatType = 1;
const stringType = 7;

export interface HistogramCounts {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Right edge of each bucket, ascending. */
  readonly limits: ArrayLike<number>;
  /** Values in each bucket. */
  readonly buckets: ArrayLike<number>;
}

/** One chart of the "Custom scalars" page: the curves of `tags` in one picture. */
export interface LayoutChart {
  readonly title: string;
  readonly tags: readonly string[];
}

export interface LayoutCategory {
  readonly title: string;
  readonly charts: readonly LayoutChart[];
}

export type HyperParameter = string | number | boolean;

export function fileVersionEvent(wallTime: number): ProtoWriter {
  return new ProtoWriter().double(1, wallTime).string(3, "brain.Event:2");
}

export function summaryEvent(wallTime: number, step: number, values: readonly ProtoWriter[]): ProtoWriter {
  const summary = new ProtoWriter();
  for (const value of values) summary.message(1, value);
  const event = new ProtoWriter().double(1, wallTime);
  if (step !== 0) event.varint(2, step);
  return event.message(5, summary);
}

export function scalarValue(tag: string, value: number): ProtoWriter {
  return new ProtoWriter().string(1, tag).float(2, value);
}

export function histogramValue(tag: string, counts: HistogramCounts): ProtoWriter {
  const histogram = new ProtoWriter()
    .double(1, counts.min)
    .double(2, counts.max)
    .double(3, counts.count)
    .double(4, counts.sum)
    .double(5, counts.sumOfSquares)
    .packedDoubles(6, counts.limits)
    .packedDoubles(7, counts.buckets);
  return new ProtoWriter().string(1, tag).message(5, histogram);
}

export function imageValue(tag: string, png: Uint8Array, width: number, height: number): ProtoWriter {
  const rgba = 4;
  const image = new ProtoWriter().varint(1, height).varint(2, width).varint(3, rgba).bytes(4, png);
  return new ProtoWriter().string(1, tag).message(4, image);
}

export function textValue(tag: string, markdown: string): ProtoWriter {
  return stringTensorValue(tag, "text", [new TextEncoder().encode(markdown)]);
}

export function layoutValue(categories: readonly LayoutCategory[]): ProtoWriter {
  const layout = new ProtoWriter();
  for (const category of categories) {
    const message = new ProtoWriter().string(1, category.title);
    for (const chart of category.charts) {
      const multiline = new ProtoWriter();
      // TensorBoard takes each tag for a regular expression.
      for (const tag of chart.tags) multiline.string(1, `^${tag.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`);
      message.message(2, new ProtoWriter().string(1, chart.title).message(2, multiline));
    }
    layout.message(2, message);
  }
  return stringTensorValue("custom_scalars__config__", "custom_scalars", [layout.finish()]);
}

/**
 * The values that make the "HParams" page: what this run was given, and which scalars tell how good it is.
 */
export function hyperParameterValues(
  parameters: Readonly<Record<string, HyperParameter>>,
  metricTags: readonly string[],
  startSeconds: number,
): ProtoWriter[] {
  const experiment = new ProtoWriter();
  const session = new ProtoWriter();
  for (const [name, value] of Object.entries(parameters)) {
    const typeCode = { string: 1, boolean: 2, number: 3 }[typeof value as "string" | "boolean" | "number"];
    experiment.message(4, new ProtoWriter().string(1, name).varint(4, typeCode));
    session.message(1, new ProtoWriter().string(1, name).message(2, jsonValue(value)));
  }
  for (const tag of metricTags) {
    experiment.message(5, new ProtoWriter().message(1, new ProtoWriter().string(2, tag)));
  }
  session.double(5, startSeconds);
  return [
    hyperParameterValue("_hparams_/experiment", new ProtoWriter().message(2, experiment)),
    hyperParameterValue("_hparams_/session_start_info", new ProtoWriter().message(3, session)),
  ];
}

function hyperParameterValue(tag: string, content: ProtoWriter): ProtoWriter {
  // A value without a tensor would be taken for one of an older TensorBoard.
  const zero = new Uint8Array(4);
  const tensor = new ProtoWriter().varint(1, floatType).message(2, new ProtoWriter()).bytes(5, zero);
  return new ProtoWriter().string(1, tag).message(8, tensor).message(9, pluginMetadata("hparams", content));
}

/** A `google.protobuf.Value`. */
function jsonValue(value: HyperParameter): ProtoWriter {
  const message = new ProtoWriter();
  if (typeof value === "number") return message.double(2, value);
  if (typeof value === "string") return message.string(3, value);
  return message.varint(4, value ? 1 : 0);
}

function stringTensorValue(tag: string, plugin: string, strings: readonly Uint8Array[]): ProtoWriter {
  const shape = new ProtoWriter().message(2, new ProtoWriter().varint(1, strings.length));
  const tensor = new ProtoWriter().varint(1, stringType).message(2, shape);
  for (const bytes of strings) tensor.bytes(8, bytes);
  return new ProtoWriter().string(1, tag).message(8, tensor).message(9, pluginMetadata(plugin));
}

function pluginMetadata(plugin: string, content?: ProtoWriter): ProtoWriter {
  const data = new ProtoWriter().string(1, plugin);
  if (content) data.message(2, content);
  return new ProtoWriter().message(1, data);
}
