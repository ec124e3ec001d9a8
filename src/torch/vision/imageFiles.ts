import { convertIndexedToRgb, decode as decodePngData, encode as encodePngData } from "fast-png";
import * as jpeg from "jpeg-js";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { cat } from "../dispatch/ops.gen.ts";
import { tensor } from "../functions/creation.ts";

/** What channels an image is read with: those of the file, or converted to gray, RGB or with transparency. */
export type ImageMode = "unchanged" | "gray" | "gray_alpha" | "rgb" | "rgb_alpha";

const channelsOf: Record<Exclude<ImageMode, "unchanged">, number> = {
  gray: 1,
  gray_alpha: 2,
  rgb: 3,
  rgb_alpha: 4,
};

const isPng = (bytes: Uint8Array) =>
  bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47;
const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === 0xd8;

/** Samples of fewer than 8 bits, packed row by row, as bytes of 0 to 255. */
function widen(data: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const perRow = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = data[y * perRow + (bit >> 3)];
      out[y * width + x] = (((byte >> (8 - depth - (bit & 7))) & most) * 255) / most;
    }
  }
  return out;
}

interface Pixels {
  readonly data: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

function pixelsOfPng(bytes: Uint8Array): Pixels {
  const png = decodePngData(bytes, { checkCrc: true });
  const { width, height } = png;
  if (png.palette) {
    const data = convertIndexedToRgb(png) as Uint8Array;
    return { data, width, height, channels: data.length / (width * height) };
  }
  const data = png.data instanceof Uint8ClampedArray ? new Uint8Array(png.data) : png.data;
  if (png.depth < 8)
    return { data: widen(data as Uint8Array, width, height, png.depth), width, height, channels: 1 };
  return { data, width, height, channels: png.channels };
}

/** JPEG's own number of channels stands in the frame's header. */
function pixelsOfJpeg(bytes: Uint8Array): Pixels {
  const { data, width, height } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxMemoryUsageInMB: 4096,
    maxResolutionInMP: 500,
  });
  const pixels = width * height;
  const isGray = componentsOf(bytes) === 1;
  if (!isGray) return { data, width, height, channels: 3 };
  const gray = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) gray[i] = data[3 * i];
  return { data: gray, width, height, channels: 1 };
}

function componentsOf(bytes: Uint8Array): number {
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return 3;
    const marker = bytes[at + 1];
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return bytes[at + 9];
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return 3;
}

/** Luminance as PNG's and JPEG's readers compute it (ITU-R 601). */
function toGray(rgb: Tensor): Tensor {
  const [red, green, blue] = rgb.to("float32").unbind(0);
  const gray = red.mul(0.299).add(green.mul(0.587)).add(blue.mul(0.114));
  return gray.round().to(rgb.dtype).unsqueeze(0);
}

function withMode(image: Tensor, mode: ImageMode): Tensor {
  if (mode === "unchanged") return image;
  const wanted = channelsOf[mode];
  if (wanted === undefined)
    throw new TypeError(`readImage: mode must be unchanged, ${Object.keys(channelsOf).join(", ")}`);
  const channels = image.size(0);
  if (wanted === channels) return image;
  const hasAlpha = channels === 2 || channels === 4;
  const color = hasAlpha ? image.narrow(0, 0, channels - 1) : image;
  const wantsColor = wanted >= 3;
  const isColor = color.size(0) === 3;
  const base = wantsColor === isColor ? color : wantsColor ? color.expand([3, -1, -1]) : toGray(color);
  if (wanted === 1 || wanted === 3) return base.contiguous();
  const most = image.dtype === "uint16" ? 65535 : 255;
  const alpha = hasAlpha ? image.narrow(0, channels - 1, 1) : base.narrow(0, 0, 1).mul(0).add(most);
  return cat([base, alpha]);
}

/**
 * The pixels of a PNG or JPEG file's bytes: uint8 [channels, height, width] (uint16 for PNGs of 16 bits).
 * `what` names the file in messages.
 * @throws UserError for other contents and damaged files.
 */
export function decodeImage(bytes: Uint8Array, mode: ImageMode = "unchanged", what = "The image"): Tensor {
  const read = isPng(bytes) ? pixelsOfPng : isJpeg(bytes) ? pixelsOfJpeg : null;
  if (!read)
    throw new UserError(`${what} is neither a PNG nor a JPEG file; convert it, or choose another file.`);
  let pixels: Pixels;
  try {
    pixels = read(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(
      `${what} cannot be read as ${isPng(bytes) ? "PNG" : "JPEG"}: ${reason}. Choose another file.`,
    );
  }
  const { data, width, height, channels } = pixels;
  return tidy(() => {
    const dtype = data instanceof Uint16Array ? "uint16" : "uint8";
    const rows = tensor(data, { dtype, shape: [height, width, channels] });
    if (dtype === "uint16" && mode !== "unchanged")
      return withMode(rows.to("int32").permute([2, 0, 1]).contiguous(), mode).to("uint16");
    return withMode(rows.permute([2, 0, 1]).contiguous(), mode);
  });
}

/** Reads a PNG or JPEG file: see `decodeImage`. @throws UserError that names the file. */
export function readImage(path: string, mode: ImageMode = "unchanged"): Tensor {
  return decodeImage(readFileBytes(path), mode, path);
}

/** An image's bytes pixel by pixel. */
function interleaved(
  image: Tensor,
  what: string,
  most: number,
): { data: Uint8Array; channels: number; width: number; height: number } {
  const [channels, height, width] = image.shape;
  if (image.dim() !== 3 || image.dtype !== "uint8" || channels < 1 || channels > most)
    throw new TypeError(
      `${what}: takes a uint8 tensor [channels, height, width] of 1 to ${most} channels, got ${image.dtype} [${image.shape.join(", ")}]`,
    );
  if (image.numel === 0) throw new TypeError(`${what}: the image is empty`);
  const data = tidy(() => image.permute([1, 2, 0]).contiguous().data()) as Uint8Array;
  return { data, channels, width, height };
}

/** The bytes of a PNG file of an image (uint8 [1 to 4 channels, height, width]). */
export function encodePng(image: Tensor): Uint8Array {
  const { data, channels, width, height } = interleaved(image, "encodePng", 4);
  return encodePngData({ data, channels, width, height, depth: 8 });
}

/**
 * The bytes of a JPEG file of an image (uint8, 1 or 3 channels; gray is written as
 * three). `quality`: 1 to 100.
 */
export function encodeJpeg(image: Tensor, quality = 75): Uint8Array {
  if (!(quality >= 1 && quality <= 100))
    throw new RangeError(`encodeJpeg: quality must be 1 to 100, got ${quality}`);
  const { data, channels, width, height } = interleaved(image, "encodeJpeg", 3);
  if (channels === 2) throw new TypeError("encodeJpeg: takes 1 or 3 channels");
  const rgba = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[i * channels + (channels === 1 ? 0 : c)];
    rgba[4 * i + 3] = 255;
  }
  return new Uint8Array(jpeg.encode({ data: rgba, width, height }, quality).data);
}

/** Writes a PNG file, atomically. @throws UserError if it cannot be written. */
export function writePng(path: string, image: Tensor): void {
  writeFileAtomic(path, encodePng(image));
}

/** Writes a JPEG file, atomically. @throws UserError if it cannot be written. */
export function writeJpeg(path: string, image: Tensor, quality = 75): void {
  writeFileAtomic(path, encodeJpeg(image, quality));
}
