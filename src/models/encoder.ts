import type { AsvCodes } from "./asvCodes.ts";
import type { AsvEncoder } from "./asvEncoder.ts";
import type { SequenceEncoder } from "./sequenceEncoder.ts";
import type { SetEncoder } from "./setEncoder.ts";

/** What encodes samples: as sets of codes, or with transformers. */
export type Encoder = SetEncoder | SequenceEncoder;

/** What encodes ASVs for an encoder of samples: tokens [U, L] -> [U, D]. */
export type EncoderOfAsvs = AsvEncoder | AsvCodes;
