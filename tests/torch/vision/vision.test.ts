import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import * as torch from "../../../src/torch/index.ts";

const { vision } = torch;
const { transforms } = vision;
const folder = mkdtempSync(join(tmpdir(), "aam-vision-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const picture = (channels: number) =>
  torch
    .arange(channels * 4 * 6)
    .mul(3)
    .remainder(256)
    .to("uint8")
    .view([channels, 4, 6]);

test("PNG files keep every pixel, of every number of channels and depth", () => {
  using _s = torch.scope();
  for (const channels of [1, 2, 3, 4]) {
    const path = join(folder, `${channels}.png`);
    vision.writePng(path, picture(channels));
    expect(vision.readImage(path).toArray()).toEqual(picture(channels).toArray());
  }
  const rgb = vision.readImage(join(folder, "1.png"), "rgb");
  expect(rgb.shape).toEqual([3, 4, 6]);
  expect(vision.readImage(join(folder, "3.png"), "gray").shape).toEqual([1, 4, 6]);
  const [, alpha] = vision.readImage(join(folder, "1.png"), "gray_alpha").unbind(0);
  expect(alpha.amin().item()).toBe(255);
  const deep = encode({ width: 2, height: 1, data: new Uint16Array([1, 65535]), depth: 16, channels: 1 });
  const read = vision.decodeImage(deep);
  expect([read.dtype, read.toArray()]).toEqual(["uint16", [[[1, 65535]]]]);
  const bits = encode({
    width: 10,
    height: 2,
    data: new Uint8Array([0b10100000, 0b01000000, 0, 0]),
    depth: 1,
    channels: 1,
  });
  expect((vision.decodeImage(bits).toArray() as number[][][])[0]).toEqual([
    [255, 0, 255, 0, 0, 0, 0, 0, 0, 255],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ]);
  const palette = encode({
    ...{ width: 2, height: 1, data: new Uint8Array([1, 0]), depth: 8, channels: 1 },
    palette: [
      [1, 2, 3],
      [4, 5, 6],
    ],
  });
  expect(vision.decodeImage(palette).permute([1, 2, 0]).toArray()).toEqual([
    [
      [4, 5, 6],
      [1, 2, 3],
    ],
  ]);
});

test("JPEG files keep pictures nearly, gray ones too", () => {
  using _s = torch.scope();
  const smooth = torch.linspace(0, 255, 48).view([1, 6, 8]).expand([3, 6, 8]).round().to("uint8");
  const path = join(folder, "smooth.jpg");
  vision.writeJpeg(path, smooth, 95);
  const read = vision.readImage(path);
  expect(read.shape).toEqual([3, 6, 8]);
  expect(read.float().sub(smooth.float()).abs().amax().item()).toBeLessThan(12);
  expect(vision.decodeImage(vision.encodeJpeg(smooth.narrow(0, 0, 1)), "gray").shape).toEqual([1, 6, 8]);
});

test("files that are none of these, damaged or missing are told in a sentence", () => {
  const text = join(folder, "text.png");
  writeFileSync(text, "not a picture");
  expect(() => vision.readImage(text)).toThrow(/text.png is neither a PNG nor a JPEG/);
  const cut = join(folder, "cut.png");
  writeFileSync(cut, readFileSync(join(folder, "3.png")).subarray(0, 60));
  expect(() => vision.readImage(cut)).toThrow(/cut.png cannot be read as PNG/);
  const halved = join(folder, "cut.jpg");
  writeFileSync(halved, readFileSync(join(folder, "smooth.jpg")).subarray(0, 200));
  expect(() => vision.readImage(halved)).toThrow(/cut.jpg cannot be read as JPEG/);
  expect(() => vision.readImage(join(folder, "none.png"))).toThrow(/none.png/);
  expect(() => vision.encodePng(torch.ones([3, 2, 2]))).toThrow(/uint8/);
  expect(() => vision.encodeJpeg(picture(4))).toThrow(/1 to 3 channels/);
});

test("transforms: sizes, values, randomness by the seed", () => {
  using _s = torch.scope();
  const image = picture(3);
  const float = new transforms.ToFloat().forward(image);
  expect(float.amax().item()).toBeLessThanOrEqual(1);
  const normal = new transforms.Normalize([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]).forward(float);
  expect(normal.at(0, 0, 1).item()).toBeCloseTo((3 / 255 - 0.5) / 0.25, 5);
  expect(() => new transforms.Normalize([0], [1]).forward(image)).toThrow(/ToFloat/);
  expect(new transforms.Resize(2).forward(image).shape).toEqual([3, 2, 3]);
  expect(new transforms.Resize([8, 9]).forward(image).dtype).toBe("uint8");
  const constant = torch.full([3, 5, 5], 7, { dtype: "uint8" });
  expect(new transforms.Resize([3, 4]).forward(constant).toArray()).toEqual(
    torch.full([3, 3, 4], 7, { dtype: "uint8" }).toArray(),
  );
  expect(new transforms.CenterCrop([2, 2]).forward(image).toArray()).toEqual(
    image.narrow(1, 1, 2).narrow(2, 2, 2).toArray(),
  );
  expect(new transforms.CenterCrop(8).forward(image).shape).toEqual([3, 8, 8]);
  expect(new transforms.RandomHorizontalFlip(1).forward(image).toArray()).toEqual(image.flip([2]).toArray());
  expect(new transforms.RandomVerticalFlip(0).forward(image).toArray()).toEqual(image.toArray());
  expect(new transforms.Pad([1, 2]).forward(image).shape).toEqual([3, 8, 8]);
  expect(new transforms.Pad(1, { mode: "edge" }).forward(image).at(0, 0, 0).item()).toBe(
    image.at(0, 0, 0).item(),
  );
  expect(new transforms.RandomCrop(3, 2).forward(image).shape).toEqual([3, 3, 3]);
  expect(new transforms.RandomResizedCrop(5).forward(image).shape).toEqual([3, 5, 5]);
  expect(new transforms.FiveCrop(2).forward(image).shape).toEqual([5, 3, 2, 2]);
  expect(new transforms.Grayscale(3).forward(image).shape).toEqual([3, 4, 6]);
  // Turning the hue by a third makes green of red.
  const red = torch.tensor([1, 0, 0]).view([3, 1, 1]);
  const green = new transforms.ColorJitter({ hue: [1 / 3, 1 / 3] }).forward(red);
  torch.testing.assertClose(green.flatten(), torch.tensor([0, 1, 0]), { rtol: 0, atol: 1e-5 });
  const jitter = new transforms.ColorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 });
  const all = new transforms.Compose([
    new transforms.RandomApply(jitter, 0.9),
    new transforms.ToFloat(),
    new transforms.RandomErasing(1),
    new transforms.Lambda((value: torch.Tensor) => value.mul(2)),
  ]);
  const draw = () => {
    torch.manualSeed(4);
    return all.forward(image).toArray();
  };
  expect(draw()).toEqual(draw());
});

test("a DataLoader over a folder of image files gives batches of pictures and labels", () => {
  using _s = torch.scope();
  const root = mkdtempSync(join(folder, "classes-"));
  const classes = ["dark", "light"];
  classes.forEach((name, label) => {
    mkdirSync(join(root, name));
    for (let i = 0; i < 3; i++) {
      const pixels = torch.full([3, 4, 6], 100 * label + i, { dtype: "uint8" });
      vision.writePng(join(root, name, `${i}.png`), pixels);
    }
  });
  const files = classes.flatMap((name, label) =>
    readdirSync(join(root, name))
      .sort()
      .map((file) => ({ path: join(root, name, file), label })),
  );
  const scale = new transforms.Compose([new transforms.Resize([2, 3]), new transforms.ToFloat()]);
  const dataset = {
    length: files.length,
    get: (i: number) => ({ image: scale.forward(vision.readImage(files[i].path)), label: files[i].label }),
  };
  const seen: [number, number][] = [];
  for (const { image, label } of new torch.utils.data.DataLoader(dataset, { batchSize: 4, shuffle: true })) {
    expect(image.shape.slice(1)).toEqual([3, 2, 3]);
    const means = image.mean([1, 2, 3]).mul(255).toFloat64Array();
    label.toFloat64Array().forEach((one, i) => {
      seen.push([one, Math.round(means[i])]);
    });
  }
  const sorted = seen.sort(([, a], [, b]) => a - b);
  expect(sorted).toEqual([0, 1, 2, 100, 101, 102].map((value) => [value < 100 ? 0 : 1, value]));
});
