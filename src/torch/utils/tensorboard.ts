/** `torch.utils.tensorboard`: runs for TensorBoard to show. */
import { hostname } from "node:os";
import { join } from "node:path";
import { EventFile } from "../../formats/tensorboard/eventFile.ts";
import type { HyperParameter } from "../../formats/tensorboard/eventMessages.ts";
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { encodePng } from "../vision/imageFiles.ts";

export interface SummaryWriterOptions {
  /** Behind the default folder's name. */
  readonly comment?: string;
}

/** `runs/Nov28_14-03-59_host` and the comment, as PyTorch names a run. */
function defaultFolder(comment: string): string {
  const now = new Date();
  const month = now.toLocaleString("en-US", { month: "short" });
  const two = (value: number) => String(value).padStart(2, "0");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("-");
  return join("runs", `${month}${two(now.getDate())}_${time}_${hostname()}${comment}`);
}

const numberOf = (value: Tensor | number): number => (value instanceof Tensor ? value.item() : value);

/**
 * Writes what a training run tells into a folder for TensorBoard (`tensorboard --logdir runs`). What is told
 * is gathered and written whole every few seconds, by `flush` and by `close`.
 * @throws UserError where the folder cannot be written.
 * @example
 * using writer = new torch.utils.tensorboard.SummaryWriter("runs/first");
 * writer.addScalar("loss", loss, step);
 */
export class SummaryWriter implements Disposable {
  readonly logDir: string;
  readonly #file: EventFile;
  readonly #runs = new Map<string, EventFile>();

  constructor(logDir?: string, options: SummaryWriterOptions = {}) {
    this.logDir = logDir ?? defaultFolder(options.comment ?? "");
    this.#file = new EventFile(this.logDir);
  }

  /** One number at a step. */
  addScalar(tag: string, value: Tensor | number, globalStep = 0): void {
    this.#file.scalar(tag, numberOf(value), globalStep);
  }

  /** Several numbers in one chart: each is a run of its own in a folder below, as in PyTorch. */
  addScalars(mainTag: string, values: Readonly<Record<string, Tensor | number>>, globalStep = 0): void {
    for (const [name, value] of Object.entries(values)) {
      const key = `${mainTag.replaceAll("/", "_")}_${name}`;
      let run = this.#runs.get(key);
      if (!run) {
        run = new EventFile(join(this.logDir, key));
        this.#runs.set(key, run);
      }
      run.scalar(mainTag, numberOf(value), globalStep);
    }
  }

  /** The distribution of a tensor's or an array's values; those that are not finite are left out. */
  addHistogram(tag: string, values: Tensor | ArrayLike<number>, globalStep = 0): void {
    this.#file.histogram(tag, values instanceof Tensor ? values.toFloat64Array() : values, globalStep);
  }

  /**
   * A picture: uint8 of 0 to 255 or floats of 0 to 1, one, three or four channels.
   * @param options `dataformats`: the order of dimensions, default `CHW`; `HW` for one
   * channel without its dimension
   */
  addImage(
    tag: string,
    image: Tensor,
    globalStep = 0,
    options: { dataformats?: "CHW" | "HWC" | "HW" } = {},
  ): void {
    const { dataformats = "CHW" } = options;
    const png = tidy(() => {
      const ordered =
        dataformats === "HWC" ? image.permute([2, 0, 1]) : dataformats === "HW" ? image.unsqueeze(0) : image;
      const bytes =
        ordered.dtype === "uint8" ? ordered : ordered.to("float32").mul(255).clamp(0, 255).to("uint8");
      return encodePng(bytes);
    });
    this.#file.image(tag, png, globalStep);
  }

  /** A text in Markdown. */
  addText(tag: string, text: string, globalStep = 0): void {
    this.#file.text(tag, text, globalStep);
  }

  /** What the run was given, and how good it came out: the HParams page compares runs by them. */
  addHparams(
    hyperParameters: Readonly<Record<string, HyperParameter>>,
    metrics: Readonly<Record<string, Tensor | number>>,
    globalStep = 0,
  ): void {
    this.#file.hyperParameters(hyperParameters, Object.keys(metrics));
    for (const [tag, value] of Object.entries(metrics)) this.addScalar(tag, value, globalStep);
  }

  /** Writes what is pending. */
  flush(): void {
    for (const file of [this.#file, ...this.#runs.values()]) file.flush();
  }

  /** Writes what is pending and closes the files; doing it twice is harmless. */
  close(): void {
    for (const file of [this.#file, ...this.#runs.values()]) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
