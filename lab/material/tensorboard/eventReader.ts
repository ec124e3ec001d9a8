import { join } from "node:path";
import { readFileBytes } from "../../../src/common/files/inputFile.ts";
import { UserError } from "../../../src/common/userError.ts";
import { listEventFiles } from "../../../src/formats/tensorboard/eventFile.ts";
import type { HistogramCounts } from "../../../src/formats/tensorboard/eventMessages.ts";
import { type ProtoField, readDoubles, readFields } from "./protoFields.ts";
import { readRecords } from "./records.ts";

export type EventValue =
  | { readonly kind: "scalar"; readonly tag: string; readonly value: number }
  | { readonly kind: "histogram"; readonly tag: string; readonly counts: HistogramCounts }
  | {
      readonly kind: "image";
      readonly tag: string;
      readonly width: number;
      readonly height: number;
      readonly png: Uint8Array;
    }
  | { readonly kind: "text"; readonly tag: string; readonly text: string }
  /**
   * What another part of TensorBoard reads: a layout, hyper-parameters, or what this reader does not know.
   */
  | { readonly kind: "other"; readonly tag: string; readonly plugin: string };

export interface LoggedEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Only in the first event of a file. */
  readonly fileVersion?: string;
  readonly values: readonly EventValue[];
}

export interface EventFileContent {
  readonly events: readonly LoggedEvent[];
  /** True if the file ends in a record that was not written to its end. */
  readonly truncated: boolean;
}

export interface ScalarPoint {
  readonly step: number;
  readonly wallTime: number;
  readonly value: number;
}

/**
 * Reads a TensorBoard event file. A last record that is cut off is left out; a wrong checksum, a wrong length
 * or anything else that no writer writes is a `UserError` with the place.
 */
export function readEventFile(path: string): EventFileContent {
  const { payloads, truncated } = readRecords(readFileBytes(path), path);
  const events = payloads.map((payload, i) => {
    try {
      return readEvent(payload);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new UserError(
        `${path}: record ${i + 1} is no TensorBoard event (${cause.message}); check that it is an event file.`,
      );
    }
  });
  return { events, truncated };
}

/**
 * Every scalar of all event files of a folder by its tag, in order of the step. Where a step was
 * logged again (a run that was resumed from an earlier point), the later entry holds and all that
 * followed the earlier one is dropped.
 */
export function readScalars(folder: string): Map<string, ScalarPoint[]> {
  const series = new Map<string, ScalarPoint[]>();
  for (const name of listEventFiles(folder)) {
    for (const event of readEventFile(join(folder, name)).events) {
      for (const value of event.values) {
        if (value.kind !== "scalar") continue;
        let points = series.get(value.tag);
        if (!points) series.set(value.tag, (points = []));
        while (points.length > 0 && points[points.length - 1].step >= event.step) points.pop();
        points.push({ step: event.step, wallTime: event.wallTime, value: value.value });
      }
    }
  }
  return series;
}

function readEvent(payload: Uint8Array): LoggedEvent {
  const fields = readFields(payload);
  const version = last(fields, 3);
  const summary = last(fields, 5);
  const values = summary ? readFields(summary.bytes).filter((part) => part.field === 1) : [];
  return {
    wallTime: numberOf(fields, 1),
    step: numberOf(fields, 2),
    ...(version && { fileVersion: textOf(version) }),
    values: values.map((value) => readValue(value.bytes)),
  };
}

function readValue(bytes: Uint8Array): EventValue {
  const fields = readFields(bytes);
  const tagField = last(fields, 1);
  const tag = tagField ? textOf(tagField) : "";
  const scalar = last(fields, 2);
  if (scalar) return { kind: "scalar", tag, value: scalar.number };
  const image = last(fields, 4);
  if (image) {
    const parts = readFields(image.bytes);
    const png = last(parts, 4)?.bytes ?? new Uint8Array(0);
    return { kind: "image", tag, height: numberOf(parts, 1), width: numberOf(parts, 2), png };
  }
  const histogram = last(fields, 5);
  if (histogram) return { kind: "histogram", tag, counts: readHistogram(histogram.bytes) };
  const metadata = last(fields, 9);
  const pluginData = metadata && last(readFields(metadata.bytes), 1);
  const pluginName = pluginData && last(readFields(pluginData.bytes), 1);
  const plugin = pluginName ? textOf(pluginName) : "";
  const tensor = last(fields, 8);
  if (plugin === "text" && tensor) {
    const text = last(readFields(tensor.bytes), 8);
    return { kind: "text", tag, text: text ? textOf(text) : "" };
  }
  return { kind: "other", tag, plugin };
}

function readHistogram(bytes: Uint8Array): HistogramCounts {
  const fields = readFields(bytes);
  const limits = readDoubles(fields, 6);
  const buckets = readDoubles(fields, 7);
  if (limits.length !== buckets.length) {
    throw new RangeError(`a histogram has ${limits.length} bucket limits but ${buckets.length} counts`);
  }
  return {
    min: numberOf(fields, 1),
    max: numberOf(fields, 2),
    count: numberOf(fields, 3),
    sum: numberOf(fields, 4),
    sumOfSquares: numberOf(fields, 5),
    limits,
    buckets,
  };
}

/** The last occurrence of a field, which holds where a message has several. */
function last(fields: readonly ProtoField[], field: number): ProtoField | undefined {
  return fields.findLast((one) => one.field === field);
}

function numberOf(fields: readonly ProtoField[], field: number): number {
  return last(fields, field)?.number ?? 0;
}

function textOf(field: ProtoField): string {
  return new TextDecoder().decode(field.bytes);
}
