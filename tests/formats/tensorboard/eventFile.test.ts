import { afterEach, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEventFile, readScalars } from "../../../lab/material/tensorboard/eventReader.ts";
import { readFields } from "../../../lab/material/tensorboard/protoFields.ts";
import { readRecords } from "../../../lab/material/tensorboard/records.ts";
import { UserError } from "../../../src/common/userError.ts";
import { epochScalars, overlayLayout } from "../../../src/display/tensorboard/tags.ts";
import { crc32c, maskedCrc32c } from "../../../src/formats/tensorboard/crc32c.ts";
import { EventFile, listEventFiles, rewindEventFiles } from "../../../src/formats/tensorboard/eventFile.ts";
import { ProtoWriter } from "../../../src/formats/tensorboard/protobuf.ts";
import { encodeRecord } from "../../../src/formats/tensorboard/tfRecord.ts";

/** Written by the real tensorboard package: lab/python/fixtures/tensorboard_events.py. */
const fixture = join(import.meta.dir, "../../fixtures/events/tensorboard.tfevents");
const wallTime = 1700000000.5;
const png = Uint8Array.fromHex(
  "89504e470d0a1a0a0000000d49484452000000030000000208060000009d74661a" +
    "0000000e4944415478da63fccfc050cf80050000110001ff0ac0ff2f0000000049454e44ae426082",
);

const folders: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "aam-events-"));
  folders.push(folder);
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function payloadsOf(path: string): string[] {
  return readRecords(new Uint8Array(readFileSync(path)), path).payloads.map((payload) => payload.toHex());
}

test("CRC-32C equals the published check values (RFC 3720, B.4)", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
});

test("every kind of value is written byte for byte as the real tensorboard package writes it", () => {
  const file = new EventFile(newFolder(), () => wallTime * 1000);
  file.scalars({ "train/total_loss": 0.1, "val/r2": -1.5 }, 1);
  file.scalar("train/grad_norm", Number.POSITIVE_INFINITY, 2 ** 40);
  const counts = {
    min: -1,
    max: 2,
    count: 4,
    sum: 1.5,
    sumOfSquares: 5.25,
    limits: [-0.5, 0.5, 2],
    buckets: [1, 1, 2],
  };
  file.histogram("weights/a.weight", counts, 3);
  file.image("validation/prediction_plot", png, 4);
  file.text("config", "| a | b |\n| --- | --- |\n| größe | 1 |", 5);
  file.layout(overlayLayout(["total_loss", "nuc_loss"]));
  file.hyperParameters({ bounded: false, lr: 0.001, name: "größe" }, ["val/r2"]);
  file.close();
  expect(payloadsOf(file.path)).toEqual(payloadsOf(fixture));
  expect(readFileSync(file.path).equals(readFileSync(fixture))).toBe(true);
});

test("the reader understands what the real tensorboard package wrote", () => {
  const { events, truncated } = readEventFile(fixture);
  expect(truncated).toBe(false);
  expect(events[0]).toEqual({ wallTime, step: 0, fileVersion: "brain.Event:2", values: [] });
  expect(events.map((event) => event.step)).toEqual([0, 1, 2 ** 40, 3, 4, 5, 0, 0]);
  expect(events.slice(1).map((event) => event.values)).toEqual([
    [
      { kind: "scalar", tag: "train/total_loss", value: Math.fround(0.1) },
      { kind: "scalar", tag: "val/r2", value: -1.5 },
    ],
    [{ kind: "scalar", tag: "train/grad_norm", value: Number.POSITIVE_INFINITY }],
    [
      {
        kind: "histogram",
        tag: "weights/a.weight",
        counts: {
          min: -1,
          max: 2,
          count: 4,
          sum: 1.5,
          sumOfSquares: 5.25,
          limits: [-0.5, 0.5, 2],
          buckets: [1, 1, 2],
        },
      },
    ],
    [{ kind: "image", tag: "validation/prediction_plot", width: 3, height: 2, png }],
    [{ kind: "text", tag: "config", text: "| a | b |\n| --- | --- |\n| größe | 1 |" }],
    [{ kind: "other", tag: "custom_scalars__config__", plugin: "custom_scalars" }],
    [
      { kind: "other", tag: "_hparams_/experiment", plugin: "hparams" },
      { kind: "other", tag: "_hparams_/session_start_info", plugin: "hparams" },
    ],
  ]);
});

test("a histogram of values counts the finite ones, in buckets from the smallest to the largest", () => {
  const folder = newFolder();
  const file = new EventFile(folder);
  file.histogram("h", Float32Array.of(0, 0.5, 1, 3, Number.NaN, Number.POSITIVE_INFINITY), 1);
  file.histogram("constant", [7, 7], 1);
  file.histogram("none", [Number.NaN], 1);
  file.close();
  const values = readEventFile(file.path).events.flatMap((event) => event.values);
  expect(values.map((value) => value.tag)).toEqual(["h", "constant"]);
  const [spread, constant] = values.map((value) => (value.kind === "histogram" ? value.counts : undefined)!);
  expect(spread).toMatchObject({ min: 0, max: 3, count: 4, sum: 4.5, sumOfSquares: 10.25 });
  const buckets = Array.from(spread.buckets);
  expect(buckets.length).toBe(30);
  expect([buckets[0], buckets[5], buckets[10], buckets[29]]).toEqual([1, 1, 1, 1]);
  expect(spread.limits[29]).toBe(3);
  expect(Array.from(constant.buckets)).toEqual([0, 2]);
});

test("an image that is no PNG and a step that is no whole number are refused", () => {
  const file = new EventFile(newFolder());
  expect(() => file.image("a", new Uint8Array(100), 0)).toThrow("PNG");
  expect(() => file.scalar("a", 1, 0.5)).toThrow(RangeError);
  expect(() => file.scalar("a", 1, -1)).toThrow(RangeError);
  file.close();
  expect(readEventFile(file.path).events.length).toBe(1);
  expect(() => file.scalar("a", 1, 1)).toThrow("closed");
});

test("records reach the file whole: after five seconds, after 1 MiB, and on flush", () => {
  let milliseconds = 1e12;
  const file = new EventFile(newFolder(), () => milliseconds);
  const size = () => statSync(file.path).size;
  const empty = size();
  file.scalar("a", 1, 1);
  expect(size()).toBe(empty);
  milliseconds += 5000;
  file.scalar("a", 2, 2);
  expect(readEventFile(file.path).events.length).toBe(3);
  file.text("big", "x".repeat(1 << 20));
  expect(readEventFile(file.path)).toMatchObject({ truncated: false, events: { length: 4 } });
  file.scalar("a", 3, 3);
  file.flush();
  expect(readEventFile(file.path).events.length).toBe(5);
  file.close();
});

test("a tail cut at any byte costs only the last record", () => {
  const folder = newFolder();
  const file = new EventFile(folder);
  for (let step = 0; step < 3; step++) file.scalar("a", step, step);
  file.close();
  const bytes = readFileSync(file.path);
  const path = join(folder, "cut");
  const whole = readEventFile(file.path).events.length;
  const lastRecord = readRecords(new Uint8Array(bytes), "").payloads[whole - 1].length + 16;
  for (let cut = 1; cut < lastRecord; cut++) {
    writeFileSync(path, bytes.subarray(0, bytes.length - cut));
    expect(readEventFile(path)).toMatchObject({ truncated: true, events: { length: whole - 1 } });
  }
  writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(100)]));
  expect(readEventFile(path)).toMatchObject({ truncated: true, events: { length: whole } });
  writeFileSync(path, "");
  expect(readEventFile(path)).toEqual({ truncated: false, events: [] });
});

test("damage is a UserError with the place, at whichever byte it is", () => {
  const folder = newFolder();
  const file = new EventFile(folder);
  file.scalar("a", 1, 1);
  file.close();
  const bytes = readFileSync(file.path);
  const path = join(folder, "damaged");
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] ^= 0x10;
    writeFileSync(path, damaged);
    expect(() => readEventFile(path)).toThrow(/damaged is damaged at byte \d+: the checksum/);
  }
  writeFileSync(path, "not an event file, but long enough");
  expect(() => readEventFile(path)).toThrow(UserError);
  expect(() => readEventFile(join(folder, "missing"))).toThrow(UserError);
});

test("a record with right checksums and a wrong length inside is a UserError, not a crash or a hang", () => {
  const folder = newFolder();
  const path = join(folder, "wrong");
  const wrongs = [
    [0x2a, 0x7f, 0x00], // summary of 127 bytes, one is there
    [0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00],
    new Array(11).fill(0xff),
    [0x09, 0x00], // a double of one byte
    [0x0b], // a group
  ];
  for (const wrong of wrongs) {
    writeFileSync(path, encodeRecord(Uint8Array.from(wrong)));
    expect(() => readEventFile(path)).toThrow(/wrong: record 1 is no TensorBoard event/);
  }
  const histogram = new ProtoWriter().packedDoubles(6, [1, 2]).packedDoubles(7, [1]);
  const value = new ProtoWriter().string(1, "h").message(5, histogram);
  const event = new ProtoWriter().double(1, 1).message(5, new ProtoWriter().message(1, value));
  writeFileSync(path, encodeRecord(event.finish()));
  expect(() => readEventFile(path)).toThrow("2 bucket limits but 1 counts");
});

test("protocol buffer varints up to 2^53 - 1 come back exactly", () => {
  for (const value of [0, 1, 127, 128, 300, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    expect(readFields(new ProtoWriter().varint(3, value).finish())[0].number).toBe(value);
  }
});

test("a resumed run opens a later file, also within the same second and with a clock set back", () => {
  const folder = newFolder();
  const opened: string[] = [];
  for (const milliseconds of [1e12, 1e12, 1e12 - 5e6]) {
    const file = new EventFile(folder, () => milliseconds);
    opened.push(file.path.slice(folder.length + 1));
    file.close();
  }
  expect(listEventFiles(folder)).toEqual(opened);
  expect(new Set(opened).size).toBe(3);
});

test("rewinding takes back exactly what was logged after the checkpoint", () => {
  const folder = newFolder();
  const log = (file: EventFile, from: number, to: number) => {
    for (let step = from; step < to; step++) file.scalar("a", step * 10, step);
  };
  const first = new EventFile(folder);
  log(first, 0, 5);
  const position = JSON.parse(JSON.stringify(first.position()));
  log(first, 5, 9);
  first.close();
  const lost = new EventFile(folder);
  log(lost, 9, 12);
  lost.close();
  appendFileSync(first.path, "half a rec");
  rewindEventFiles(folder, position);
  expect(readdirSync(folder)).toEqual([position.file]);
  const resumed = new EventFile(folder);
  log(resumed, 5, 8);
  resumed.close();
  expect(
    readScalars(folder)
      .get("a")!
      .map((point) => point.step),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  rewindEventFiles(newFolder(), position);
  rewindEventFiles(join(folder, "missing"), position);
});

test("scalars of a folder: a step that is logged again replaces the old one and all after it", () => {
  const folder = newFolder();
  const first = new EventFile(folder);
  for (const step of [0, 1, 2, 3]) first.scalar("a", step, step);
  first.scalar("b", 1, 7);
  first.close();
  const second = new EventFile(folder);
  for (const step of [2, 3, 4]) second.scalar("a", step + 100, step);
  second.close();
  const series = readScalars(folder);
  expect(series.get("a")!.map((point) => point.value)).toEqual([0, 1, 102, 103, 104]);
  expect(series.get("b")!.length).toBe(1);
});

test("a folder that cannot be made is a UserError", () => {
  const path = join(newFolder(), "file");
  writeFileSync(path, "");
  expect(() => new EventFile(join(path, "tensorboard"))).toThrow(UserError);
});

test("an epoch's scalars carry the reference's tags, losses with their overlay pair", () => {
  expect(epochScalars("train", { total_loss: 1, nuc_accuracy: 0.5, r2: 0.25 })).toEqual({
    "train/total_loss": 1,
    "TotalLoss/train": 1,
    "train/nuc_accuracy": 0.5,
    "NucAccuracy/train": 0.5,
    "train/r2": 0.25,
  });
  expect(epochScalars("val", { unifrac_loss: 2 })).toEqual({ "val/unifrac_loss": 2, "UniFracLoss/val": 2 });
  expect(overlayLayout(["unifrac_loss"])).toEqual([
    { title: "Losses", charts: [{ title: "UniFracLoss", tags: ["UniFracLoss/train", "UniFracLoss/val"] }] },
  ]);
});
