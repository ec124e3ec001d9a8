/** `torch.vision`: image files, and the transforms of images. */
export {
  decodeImage,
  encodeJpeg,
  encodePng,
  type ImageMode,
  readImage,
  writeJpeg,
  writePng,
} from "./imageFiles.ts";
export * as transforms from "./transforms.ts";
