import { UserError } from "../../common/userError.ts";
import { type Dataset, reopenDataset } from "../dataset/dataset.ts";
import type { Batch, BatchOptions } from "./batch.ts";
import { BatchBuilder, batchBuffers } from "./batch.ts";
import { batchRandom } from "./plan.ts";

/** The first message: which data set to open. */
export interface OpenRequest {
  readonly kind: "open";
  readonly dataset: Pick<Dataset, "path" | "manifest">;
  readonly options: BatchOptions;
  readonly seed: number;
}

/** A batch to build; they are answered in order. */
export interface BuildRequest {
  readonly kind: "build";
  readonly sampleIndices: Int32Array;
  readonly epoch: number;
  readonly batch: number;
}

export type Answer = { readonly batch: Batch } | { readonly error: string; readonly isUserError: boolean };

declare const self: Worker;

let builder: BatchBuilder | undefined;
let seed = 0;
let failure: Answer | undefined;

self.onmessage = ({ data }: MessageEvent<OpenRequest | BuildRequest>) => {
  try {
    if (data.kind === "open") {
      seed = data.seed;
      builder = new BatchBuilder(reopenDataset(data.dataset), data.options);
      return;
    }
    if (failure !== undefined) {
      postMessage(failure);
      return;
    }
    const batch = builder!.build(data.sampleIndices, batchRandom(seed, data.epoch, data.batch));
    postMessage({ batch } satisfies Answer, batchBuffers(batch));
  } catch (error) {
    const answer = {
      error: error instanceof Error ? error.message : String(error),
      isUserError: error instanceof UserError,
    };
    // A failed opening is told when the first batch is asked for.
    if (data.kind === "open") failure = answer;
    else postMessage(answer);
  }
};
