import type { EncoderOfAsvs } from "../../models/encoder.ts";

/** Makes an encoder take less memory. Returns a sentence on how, or null where it cannot. */
export function halveAsvChunks(encoder: EncoderOfAsvs): string | null {
  const chunk = encoder.halveChunks();
  return chunk === null
    ? null
    : `from now on ${chunk} ASVs are encoded at a time, twice each. A smaller --batch-size, or --asv-chunk-size ${chunk} with --gradient-checkpointing, avoids the failed try.`;
}
