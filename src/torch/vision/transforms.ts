/**
 * `torch.vision.transforms`: functions of images [..., channels, height, width]; each class is made once
 * and called by `forward`.
 */
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { ops } from "../dispatch/operators.ts";
import { cat, pad as padTensor, stack, where } from "../dispatch/ops.gen.ts";
import { onesLike, rand, randint, randperm, tensor } from "../functions/creation.ts";

/** Anything that makes one image (or value) of another. */
export interface Transform<In = Tensor, Out = Tensor> {
  forward(input: In): Out;
}

const uniform = (low: number, high: number): number => {
  using drawn = rand([1], { dtype: "float64" });
  return low + (high - low) * drawn.item();
};
const whole = (below: number): number => {
  if (below <= 1) return 0;
  using drawn = randint(0, below, [1]);
  return drawn.item();
};
const sizeOf = (image: Tensor): [height: number, width: number] => [image.size(-2), image.size(-1)];
const pair = (size: number | readonly [number, number]): readonly [number, number] =>
  typeof size === "number" ? [size, size] : size;

/** Transforms one after the other. */
export class Compose implements Transform<never, unknown> {
  constructor(readonly transforms: readonly Transform<never, unknown>[]) {}
  forward(input: unknown): Tensor {
    return tidy(() => {
      let value = input;
      for (const transform of this.transforms)
        value = (transform as Transform<unknown, unknown>).forward(value);
      return value as Tensor;
    });
  }
}

/** A function as a transform. */
export class Lambda<In, Out> implements Transform<In, Out> {
  constructor(readonly forward: (input: In) => Out) {}
}

/** uint8 of 0 to 255 to float32 of 0 to 1; floats stay as they are. */
export class ToFloat implements Transform {
  forward(image: Tensor): Tensor {
    if (image.dtype === "uint8") return tidy(() => image.to("float32").div(255));
    return image.dtype === "uint16" ? tidy(() => image.to("float32").div(65535)) : image;
  }
}

/** (x - mean) / std, channel by channel. */
export class Normalize implements Transform {
  constructor(
    readonly mean: readonly number[],
    readonly std: readonly number[],
  ) {
    if (mean.length !== std.length) throw new TypeError("Normalize: mean and std must have the same length");
    if (std.some((value) => value === 0))
      throw new RangeError("Normalize: a std of 0 leaves nothing to divide by");
  }
  forward(image: Tensor): Tensor {
    if (!image.isFloatingPoint()) throw new TypeError("Normalize: takes floats; ToFloat comes before it");
    return tidy(() => {
      const column = (values: readonly number[]) =>
        tensor(values, { dtype: image.dtype, device: image.device }).view([-1, 1, 1]);
      return image.sub(column(this.mean)).div(column(this.std));
    });
  }
}

/** Runs `fn` on the image as a batch of floats, and gives the dtype back. */
function asBatch(image: Tensor, fn: (batch: Tensor) => Tensor): Tensor {
  return tidy(() => {
    const isFloat = image.isFloatingPoint();
    const flat = image.reshape([-1, ...image.shape.slice(-3)]);
    const result = fn(isFloat ? flat : flat.to("float32"));
    const shaped = result.reshape([...image.shape.slice(0, -3), ...result.shape.slice(-3)]);
    return isFloat
      ? shaped
      : shaped
          .round()
          .clamp(0, image.dtype === "uint8" ? 255 : 65535)
          .to(image.dtype);
  });
}

/** An image of another size: `[height, width]`, or a number for the shorter side. */
export class Resize implements Transform {
  readonly #size: number | readonly [number, number];
  readonly #mode: "bilinear" | "nearest" | "bicubic";
  readonly #antialias: boolean;

  /** `antialias` (default true) averages what a smaller image leaves out; `nearest` does not. */
  constructor(
    size: number | readonly [number, number],
    options: { interpolation?: "bilinear" | "nearest" | "bicubic"; antialias?: boolean } = {},
  ) {
    this.#size = size;
    this.#mode = options.interpolation ?? "bilinear";
    this.#antialias = options.antialias ?? true;
  }

  forward(image: Tensor): Tensor {
    const [height, width] = sizeOf(image);
    const size = this.#size;
    const shorter = Math.min(height, width);
    const target: readonly [number, number] =
      typeof size !== "number"
        ? size
        : height <= width
          ? [size, Math.floor((size * width) / shorter)]
          : [Math.floor((size * height) / shorter), size];
    return resize(image, target, this.#mode, this.#antialias);
  }
}

function resize(image: Tensor, size: readonly [number, number], mode: string, antialias: boolean): Tensor {
  const [height, width] = sizeOf(image);
  if (height === size[0] && width === size[1]) return image;
  const aten = ops.unsafe["aten"] as unknown as Record<string, (...args: unknown[]) => Tensor>;
  return asBatch(image, (batch) => {
    if (mode === "nearest") return aten["upsample_nearest2d"](batch, size, null);
    const name = antialias ? `_upsample_${mode}2d_aa` : `upsample_${mode}2d`;
    return aten[name](batch, size, false, null, null);
  });
}

/** A part of the image. */
export function crop(image: Tensor, top: number, left: number, height: number, width: number): Tensor {
  return tidy(() => image.narrow(-2, top, height).narrow(-1, left, width));
}

/** Borders: one width for all sides, `[horizontal, vertical]` or `[left, top, right, bottom]`. */
export class Pad implements Transform {
  readonly #sides: readonly number[];
  readonly #mode: string;
  readonly #fill: number;

  constructor(
    padding: number | readonly number[],
    options: { fill?: number; mode?: "constant" | "edge" | "reflect" } = {},
  ) {
    const list = typeof padding === "number" ? [padding] : padding;
    const [a, b, c, d] = list;
    const sides = list.length === 1 ? [a, a, a, a] : list.length === 2 ? [a, a, b, b] : [a, c, b, d];
    if (![1, 2, 4].includes(list.length)) throw new TypeError("Pad: takes one, two or four widths");
    this.#sides = sides;
    this.#mode = options.mode === "edge" ? "replicate" : (options.mode ?? "constant");
    this.#fill = options.fill ?? 0;
  }

  forward(image: Tensor): Tensor {
    if (this.#mode === "constant") return padTensor(image, this.#sides, "constant", this.#fill);
    return asBatch(image, (batch) => padTensor(batch, this.#sides, this.#mode));
  }
}

/** The middle of the image; smaller images are padded with zeros. */
export class CenterCrop implements Transform {
  constructor(readonly size: number | readonly [number, number]) {}
  forward(image: Tensor): Tensor {
    const [height, width] = pair(this.size);
    return tidy(() => {
      const large = enlarge(image, height, width);
      const [h, w] = sizeOf(large);
      return crop(large, Math.round((h - height) / 2), Math.round((w - width) / 2), height, width);
    });
  }
}

function enlarge(image: Tensor, height: number, width: number): Tensor {
  const [h, w] = sizeOf(image);
  const [dy, dx] = [Math.max(0, height - h), Math.max(0, width - w)];
  if (dy === 0 && dx === 0) return image;
  const [left, top] = [Math.floor(dx / 2), Math.floor(dy / 2)];
  return padTensor(image, [left, dx - left, top, dy - top], "constant", 0);
}

/** A part at a random place, after `padding` on all sides. */
export class RandomCrop implements Transform {
  constructor(
    readonly size: number | readonly [number, number],
    readonly padding = 0,
  ) {}
  forward(image: Tensor): Tensor {
    const [height, width] = pair(this.size);
    return tidy(() => {
      const { padding: p } = this;
      const padded = enlarge(p ? padTensor(image, [p, p, p, p], "constant", 0) : image, height, width);
      const [h, w] = sizeOf(padded);
      return crop(padded, whole(h - height + 1), whole(w - width + 1), height, width);
    });
  }
}

/** A random part of random size and proportions, resized: the usual augmentation for classifiers. */
export class RandomResizedCrop implements Transform {
  constructor(
    readonly size: number | readonly [number, number],
    readonly scale: readonly [number, number] = [0.08, 1],
    readonly ratio: readonly [number, number] = [3 / 4, 4 / 3],
  ) {}
  forward(image: Tensor): Tensor {
    const [h, w] = sizeOf(image);
    return tidy(() => {
      for (let i = 0; i < 10; i++) {
        const area = h * w * uniform(...(this.scale as [number, number]));
        const ratio = Math.exp(uniform(Math.log(this.ratio[0]), Math.log(this.ratio[1])));
        const width = Math.round(Math.sqrt(area * ratio));
        const height = Math.round(Math.sqrt(area / ratio));
        if (width < 1 || height < 1 || width > w || height > h) continue;
        const part = crop(image, whole(h - height + 1), whole(w - width + 1), height, width);
        return resize(part, pair(this.size), "bilinear", true);
      }
      const side = Math.min(h, w);
      return resize(new CenterCrop(side).forward(image), pair(this.size), "bilinear", true);
    });
  }
}

/** Mirrors left and right with probability `p`. */
export class RandomHorizontalFlip implements Transform {
  constructor(readonly p = 0.5) {}
  forward(image: Tensor): Tensor {
    return uniform(0, 1) < this.p ? image.flip([-1]) : image;
  }
}

/** Mirrors top and bottom with probability `p`. */
export class RandomVerticalFlip implements Transform {
  constructor(readonly p = 0.5) {}
  forward(image: Tensor): Tensor {
    return uniform(0, 1) < this.p ? image.flip([-2]) : image;
  }
}

/** Luminance (ITU-R 601) of RGB, in one channel or three. */
export class Grayscale implements Transform {
  constructor(readonly channels: 1 | 3 = 1) {}
  forward(image: Tensor): Tensor {
    return asBatch(image, (batch) => {
      const gray = luminance(batch);
      return this.channels === 3 ? gray.expand([-1, 3, -1, -1]) : gray;
    });
  }
}

function luminance(batch: Tensor): Tensor {
  if (batch.size(-3) !== 3) throw new TypeError(`takes images of 3 channels, got ${batch.size(-3)}`);
  const weights = tensor([0.2989, 0.587, 0.114], { dtype: batch.dtype, device: batch.device }).view([
    3, 1, 1,
  ]);
  return batch.mul(weights).sum([-3], true);
}

/**
 * Random changes of brightness, contrast, saturation and hue, in random order: each a
 * strength, or a range of factors.
 */
export class ColorJitter implements Transform {
  readonly #ranges: Readonly<Record<string, readonly [number, number] | null>>;

  constructor(
    options: {
      brightness?: number | readonly [number, number];
      contrast?: number | readonly [number, number];
      saturation?: number | readonly [number, number];
      /** A part of the circle of colors, at most 0.5. */
      hue?: number | readonly [number, number];
    } = {},
  ) {
    const range = (value: number | readonly [number, number] | undefined, center: number) => {
      if (value === undefined || value === 0) return null;
      return typeof value === "number"
        ? ([center === 0 ? -value : Math.max(0, 1 - value), center + value] as const)
        : value;
    };
    this.#ranges = {
      brightness: range(options.brightness, 1),
      contrast: range(options.contrast, 1),
      saturation: range(options.saturation, 1),
      hue: range(options.hue, 0),
    };
  }

  forward(image: Tensor): Tensor {
    const isFloat = image.isFloatingPoint();
    const most = isFloat ? 1 : 255;
    return asBatch(image, (given) => {
      const names = Object.keys(this.#ranges);
      using order = randperm(names.length);
      let batch = given.div(most);
      for (const at of order.toFloat64Array()) {
        const range = this.#ranges[names[at]];
        if (range === null) continue;
        batch = adjust(batch, names[at], uniform(range[0], range[1])).clamp(0, 1);
      }
      return batch.mul(most);
    });
  }
}

/** One change of an image batch of 0 to 1. */
function adjust(batch: Tensor, what: string, factor: number): Tensor {
  const mix = (other: Tensor) => batch.mul(factor).add(other.mul(1 - factor));
  if (what === "brightness") return batch.mul(factor);
  if (what === "contrast") return mix(luminance(batch).mean([-3, -2, -1], true));
  if (what === "saturation") return mix(luminance(batch));
  return turnHue(batch, factor);
}

/** Turns the hue by a part of the circle: RGB to HSV and back. */
function turnHue(batch: Tensor, part: number): Tensor {
  const [r, g, b] = batch.unbind(-3);
  const most = batch.amax([-3]);
  const spread = most.sub(batch.amin([-3]));
  const safe = spread.eq(0).logicalNot();
  const divisor = where(safe, spread, onesLike(spread));
  const saturation = spread.div(where(safe, most, onesLike(most)));
  const [rc, gc, bc] = [r, g, b].map((channel) => most.sub(channel).div(divisor));
  const isRed = most.eq(r);
  const isGreen = most.eq(g).logicalAnd(isRed.logicalNot());
  const sector = isRed
    .to(batch.dtype)
    .mul(bc.sub(gc))
    .add(isGreen.to(batch.dtype).mul(rc.sub(bc).add(2)));
  const isBlue = isRed.logicalNot().logicalAnd(isGreen.logicalNot()).to(batch.dtype);
  const hue = sector
    .add(isBlue.mul(gc.sub(rc).add(4)))
    .div(6)
    .add(part + 1)
    .remainder(1);
  const channel = (offset: number) => {
    const k = hue.mul(6).add(offset).remainder(6);
    const ramp = stack([k, k.neg().add(4)])
      .amin([0])
      .clamp(0, 1);
    return most.sub(most.mul(saturation).mul(ramp));
  };
  return stack([channel(5), channel(3), channel(1)], -3);
}

/** Blanks a random rectangle with probability `p`. */
export class RandomErasing implements Transform {
  constructor(
    readonly p = 0.5,
    readonly scale: readonly [number, number] = [0.02, 0.33],
    readonly ratio: readonly [number, number] = [0.3, 3.3],
    readonly value = 0,
  ) {}
  forward(image: Tensor): Tensor {
    if (uniform(0, 1) >= this.p) return image;
    const [h, w] = sizeOf(image);
    return tidy(() => {
      for (let i = 0; i < 10; i++) {
        const area = h * w * uniform(this.scale[0], this.scale[1]);
        const ratio = Math.exp(uniform(Math.log(this.ratio[0]), Math.log(this.ratio[1])));
        const height = Math.round(Math.sqrt(area * ratio));
        const width = Math.round(Math.sqrt(area / ratio));
        if (height >= h || width >= w || height < 1 || width < 1) continue;
        const copy = image.clone();
        crop(copy, whole(h - height + 1), whole(w - width + 1), height, width).fill_(this.value);
        return copy;
      }
      return image;
    });
  }
}

/** Applies a transform with probability `p`. */
export class RandomApply implements Transform {
  constructor(
    readonly transform: Transform,
    readonly p = 0.5,
  ) {}
  forward(image: Tensor): Tensor {
    return uniform(0, 1) < this.p ? this.transform.forward(image) : image;
  }
}

/** The four corners and the middle, stacked in a new first dimension. */
export class FiveCrop implements Transform {
  constructor(readonly size: number | readonly [number, number]) {}
  forward(image: Tensor): Tensor {
    const [height, width] = pair(this.size);
    const [h, w] = sizeOf(image);
    if (height > h || width > w)
      throw new RangeError(`FiveCrop: the image is ${h} by ${w}, smaller than ${height} by ${width}`);
    return tidy(() => {
      const corners = [
        crop(image, 0, 0, height, width),
        crop(image, 0, w - width, height, width),
        crop(image, h - height, 0, height, width),
        crop(image, h - height, w - width, height, width),
      ];
      return cat([stack(corners), new CenterCrop([height, width]).forward(image).unsqueeze(0)]);
    });
  }
}
