import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { describeSource } from "../../data/prepare/provenance.ts";
import type { RunFacts } from "../run/facts.ts";
import { builtinName, builtinNotes, checkpointOf, hasBuiltin, readRunFacts } from "../run/open.ts";
import { fitWarnings } from "../run/openSamples.ts";
import { encoderKnows } from "../run/trainedOn.ts";
import { newEncoder } from "./newEncoder.ts";

/**
 * What an encoder for folds says of itself.
 * @throws UserError for one that was fine-tuned: it has seen values, perhaps those of held-out samples.
 */
function encoderFactsOf(path: string): RunFacts {
  const facts = readRunFacts(checkpointOf(path));
  if (facts.kind === "pretrain") return facts;
  throw new UserError(
    `${path} was trained on values of metadata, perhaps on those of held-out samples; give --encoder a pretraining run, or builtin.`,
  );
}

interface FoldEncoderFacts {
  readonly warnings: readonly string[];
  readonly sha256: string;
}

/**
 * What a report must tell of an encoder, and what tells it from another one of the same name.
 * @throws UserError for one that was fine-tuned, and where there is none.
 */
export function describeFoldEncoder(path: string, dataset: Dataset, samples: Int32Array): FoldEncoderFacts {
  const checkpoint = checkpointOf(path);
  const warnings = [
    ...builtinNotes(path),
    ...fitWarnings(encoderFactsOf(path), dataset),
    ...encoderKnows(path, dataset, samples, "samples"),
  ];
  return { warnings, sha256: describeSource("encoder", checkpoint).sha256 };
}

/**
 * The same of encoders that folds pretrain themselves: they know no held-out sample, and differ where the one
 * that they may start from does.
 */
export function describeNewEncoders(): FoldEncoderFacts {
  const sha256 = hasBuiltin() ? describeSource("encoder", checkpointOf(builtinName)).sha256 : "";
  const note = `"${newEncoder}" is an encoder that each fold pretrains, not ${resolve(newEncoder)}; give ./${newEncoder} for that.`;
  return { warnings: existsSync(newEncoder) ? [note] : [], sha256 };
}
