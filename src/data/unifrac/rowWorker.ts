import * as torch from "../../torch/index.ts";
import type { DenseData } from "./denseBranches.ts";
import { pairRowsOf } from "./denseRows.ts";
import type { PairData } from "./pairData.ts";
import type { DistanceRows, PairRows } from "./pairRows.ts";

/** The first message to a worker; the dense tensor comes as what `Tensor.transfer` returned. */
export interface StartRequest {
  readonly kind: "start";
  readonly data: Omit<PairData, "dense">;
  readonly dense: (Omit<DenseData, "amounts"> & { readonly amounts: number }) | undefined;
}

/** Rows to compute, in ascending order; each request is answered by its rows. */
export interface RowsRequest {
  readonly kind: "rows";
  readonly from: number;
  readonly to: number;
}

/** Asks to free the tensor; answered by "stopped". */
export interface StopRequest {
  readonly kind: "stop";
}

export type RowsAnswer = DistanceRows | { readonly error: string } | "stopped";

declare const self: Worker;

let rows: PairRows | undefined;
let amounts: torch.Tensor | undefined;

self.onmessage = ({ data: request }: MessageEvent<StartRequest | RowsRequest | StopRequest>) => {
  try {
    if (request.kind === "start") {
      // The other cores have workers of their own.
      torch.setNumThreads(1);
      const { data, dense } = request;
      amounts = dense && torch.Tensor.receive(dense.amounts);
      rows = pairRowsOf({ ...data, dense: dense && amounts && { ...dense, amounts } });
    } else if (request.kind === "rows") {
      const answer = rows!.compute(request.from, request.to);
      postMessage(answer satisfies RowsAnswer, [answer.values.buffer]);
    } else {
      amounts?.dispose();
      postMessage("stopped" satisfies RowsAnswer);
    }
  } catch (error) {
    postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies RowsAnswer);
  }
};
