import { permutedSum } from "./mantelSum.ts";

/** The first message to a worker: both matrices, in memory that all of them share. */
export interface MantelStart {
  readonly square: Float64Array;
  readonly condensed: Float64Array;
}

/** Orders of samples; answered by the sum of each. */
export interface MantelRequest {
  readonly orders: readonly Int32Array[];
}

declare const self: Worker;

let matrices: MantelStart | undefined;

self.onmessage = ({ data }: MessageEvent<MantelStart | MantelRequest>) => {
  if ("square" in data) {
    matrices = data;
    return;
  }
  const { square, condensed } = matrices!;
  postMessage(Float64Array.from(data.orders, (order) => permutedSum(square, condensed, order)));
};
