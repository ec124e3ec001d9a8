import type { Batch } from "../../data/batches/batch.ts";
import { type Packing, packingOn } from "../../models/packing.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import * as torch from "../../torch/index.ts";

/** What a batch's losses are measured against. */
export interface BatchTargets {
  /** [B] Which samples of the data set these are. */
  readonly samples: Int32Array;
  /** [B, B] float32 distances, of several metrics [M, B, B]; 0 where unknown. */
  readonly distances: torch.Tensor | null;
  /** Of the same shape, bool: true where the distance is known; false on the diagonal. */
  readonly distanceMask: torch.Tensor | null;
  /** [B] float32 values per sample, such as Faith PD; 0 where unknown. */
  readonly vector: torch.Tensor | null;
  /** [B] bool. */
  readonly vectorMask: torch.Tensor | null;
}

export interface BatchTensors {
  readonly input: RaggedBatch;
  readonly targets: BatchTargets;
}

/** Copies values to a device. On an accelerator the copies go through page-locked memory and do not wait. */
function sendTo(device: torch.Device) {
  const isHost = device === "cpu";
  return (values: torch.TypedArray, shape: readonly number[], dtype?: torch.DType): torch.Tensor => {
    if (isHost) return torch.tensor(values, { shape, dtype });
    // `meta` is no hardware: nothing is copied.
    const pinned = torch.tensor(values, { shape, pinMemory: device !== "meta" });
    return pinned.to({ device, dtype, nonBlocking: true });
  };
}

/** What a batch's losses are measured against, as tensors on a device. */
export function batchTargets(batch: Batch, device: torch.Device): BatchTargets {
  const send = sendTo(device);
  const { samples } = batch;
  const mask = (values: Uint8Array | undefined, shape: readonly number[]) =>
    values ? send(values, shape).to("bool") : null;
  const metrics = (batch.distances?.length ?? 0) / samples ** 2;
  const square = metrics > 1 ? [metrics, samples, samples] : [samples, samples];
  return {
    samples: batch.sampleIndices,
    distances: batch.distances ? send(batch.distances, square) : null,
    distanceMask: mask(batch.distanceMask, square),
    vector: batch.vector ? send(batch.vector, [samples]) : null,
    vectorMask: mask(batch.vectorMask, [samples]),
  };
}

/** A batch as tensors on a device. */
export function batchTensors(batch: Batch, device: torch.Device): BatchTensors {
  const send = sendTo(device);
  const { samples, slots, distinct, tokens } = batch;
  let asvPacking: { known: Packing | null } | undefined;
  let samplePacking: { known: Packing | null } | undefined;
  return {
    input: {
      asvTokens: send(batch.asvTokens, [distinct, tokens], "int64"),
      asvIndex: send(batch.asvIndex, [samples, slots], "int64"),
      counts: send(batch.counts, [samples, slots]),
      multiplicity: send(batch.multiplicity, [distinct]),
      hasAsvPadding: hasZero(batch.asvTokens),
      hasSamplePadding: hasZero(batch.asvIndex),
      // Worked out where a transformer asks for it.
      get asvPacking() {
        asvPacking ??= { known: packingOn(device, batch.asvTokens, distinct, tokens) };
        return asvPacking.known;
      },
      get samplePacking() {
        samplePacking ??= { known: packingOn(device, batch.asvIndex, samples, slots) };
        return samplePacking.known;
      },
    },
    targets: batchTargets(batch, device),
  };
}

/** Token 0 is padding or an unknown base, index 0 an empty slot: without any, attention needs no mask. */
function hasZero(values: Uint8Array | Int32Array): boolean {
  return values.includes(0);
}
