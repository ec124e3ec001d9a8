import { noGrad } from "../../autograd/modes.ts";
import type { Device } from "../../core/device.ts";
import { type DType, itemSize } from "../../core/dtype.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { cat } from "../../dispatch/ops.gen.ts";
import { empty } from "../../functions/creation.ts";
import { inBuckets } from "./buckets.ts";
import { broadcast } from "./collectives.ts";
import { currentGroup } from "./group.ts";

/** A tensor that one rank has and others get. Source, shape and type are the same on all ranks. */
export interface Piece {
  /** The rank that has it. */
  readonly src: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Where this rank sends it from or receives it. */
  readonly device: Device;
  /** On rank `src` the values, elsewhere where they go, on any device; null where they are not wanted. */
  readonly tensor: Tensor | null;
}

const numelOf = ({ shape }: Piece) => shape.reduce((product, size) => product * size, 1);

/**
 * Broadcasts many tensors, each from its own rank, in buckets, two of which are on their way at a time. All
 * ranks must give the same pieces in the same order.
 */
export function broadcastPieces(pieces: readonly Piece[]): void {
  const buckets = inBuckets(pieces, {
    kindOf: ({ src, dtype, device }) => `${src} ${dtype} ${device}`,
    bytesOf: (piece) => numelOf(piece) * itemSize(piece.dtype),
  });
  noGrad(() =>
    tidy(() => {
      let finish = () => {};
      for (const bucket of buckets) {
        const next = send(bucket);
        finish();
        finish = next;
      }
      finish();
    }),
  );
}

/** Starts with one bucket; the function that is returned waits for it. */
function send(bucket: readonly Piece[]): () => void {
  const { rank } = currentGroup();
  const [{ src, dtype, device, tensor }] = bucket;
  // What needs no copy is sent from, or received, where it lies.
  const isWhole = bucket.length === 1 && tensor?.isContiguous && tensor.device === device;
  const sizes = bucket.map(numelOf);
  const flat = isWhole
    ? tensor.detach()
    : rank === src
      ? cat(bucket.map((piece) => piece.tensor!.detach().to({ device }).reshape([-1])))
      : empty([sizes.reduce((sum, size) => sum + size, 0)], { dtype, device });
  const work = broadcast(flat, src, { asyncOp: true })!;
  return () => {
    work.wait();
    if (!isWhole && rank !== src) {
      let start = 0;
      bucket.forEach((piece, i) => {
        piece.tensor?.copy_(flat.narrow(0, start, sizes[i]).view(piece.shape));
        start += sizes[i];
      });
    }
    flat.dispose();
  };
}
