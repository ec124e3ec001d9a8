import * as torch from "../../torch/index.ts";

/**
 * Sums of losses over the steps of an epoch, kept on the device: adding does not wait
 * for it, only `means` does.
 */
export class RunningLosses {
  #names: string[] = [];
  #sums: torch.Tensor | null = null;
  /** What was summed before a checkpoint. */
  #before: Record<string, number> = {};
  #count = 0;

  /** Steps since the start of the epoch. */
  get count(): number {
    return this.#count;
  }

  /** Adds the losses of one step: the same names every time, tensors of one element. */
  add(losses: Readonly<Record<string, torch.Tensor>>): void {
    const names = Object.keys(losses);
    const values = torch.tidy(() =>
      torch.stack(Object.values(losses).map((loss) => loss.detach().reshape([]).to("float32"))),
    );
    if (this.#sums === null) {
      this.#names = names;
      this.#sums = values.detachFromScope();
    } else {
      if (names.join() !== this.#names.join())
        throw new Error(`internal: the losses changed from ${this.#names} to ${names}`);
      this.#sums.add_(values);
      values.dispose();
    }
    this.#count++;
  }

  /** Means over the epoch so far. Waits for the device. */
  means(): Record<string, number> {
    const sums = this.#totals();
    return Object.fromEntries(
      Object.entries(sums).map(([name, sum]) => [name, sum / Math.max(this.#count, 1)]),
    );
  }

  #totals(): Record<string, number> {
    const sums = { ...this.#before };
    const values = this.#sums?.toFloat64Array();
    this.#names.forEach((name, i) => {
      sums[name] = (sums[name] ?? 0) + values![i];
    });
    return sums;
  }

  reset(): void {
    this.#sums?.dispose();
    this.#sums = null;
    this.#names = [];
    this.#before = {};
    this.#count = 0;
  }

  /** Plain numbers, for a checkpoint. */
  state(): Record<string, number> & { count: number } {
    return { ...this.#totals(), count: this.#count };
  }

  static restore({ count, ...sums }: Record<string, number> & { count: number }): RunningLosses {
    const running = new RunningLosses();
    running.#before = sums;
    running.#count = count;
    return running;
  }
}
