import type { SequenceEncoding } from "../../models/sequenceEncoder.ts";
import type * as torch from "../../torch/index.ts";

/**
 * An encoding of a rank's samples with what losses of whole batches look at gathered from all ranks:
 * vectors and values per sample.
 */
export function gatherEncoding(
  own: SequenceEncoding,
  gather: (rows: torch.Tensor) => torch.Tensor,
): Pick<SequenceEncoding, "embeddings" | "basePrediction"> {
  return {
    embeddings: own.embeddings && gather(own.embeddings),
    basePrediction: own.basePrediction && gather(own.basePrediction),
  };
}
