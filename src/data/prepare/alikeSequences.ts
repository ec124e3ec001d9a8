import { quote } from "../../common/quote.ts";

/** The share of ASVs that are beginnings of others which is worth a word: some studies have a few. */
const trimmedShare = 0.05;

/**
 * Says of ASVs that share a sequence, or are another one cut shorter, that they count as different ones, each
 * a sentence. `sequences` are those of `asvIds`; capitals, and U for T, do not count.
 */
export function alikeSequences(asvIds: readonly string[], sequences: readonly string[]): string[] {
  const bases = sequences.map((sequence) => sequence.toUpperCase().replaceAll("U", "T"));
  const order = Uint32Array.from(bases.keys()).sort((a, b) =>
    bases[a] < bases[b] ? -1 : bases[a] > bases[b] ? 1 : a - b,
  );
  const counts = { same: 0, trimmed: 0 };
  const first = { same: "", trimmed: "" };
  // All that begin with a sequence stand directly behind it.
  for (let at = 1; at < order.length; at++) {
    const [one, next] = [order[at - 1], order[at]];
    if (!bases[next].startsWith(bases[one])) continue;
    const kind = bases[next] === bases[one] ? "same" : "trimmed";
    if (counts[kind]++ === 0) first[kind] = `${quote(asvIds[one])} and ${quote(asvIds[next])}`;
  }
  const warnings: string[] = [];
  if (counts.same > 0)
    warnings.push(
      `${counts.same} of ${asvIds.length} ASVs have the sequence of another one (the first are ${first.same}) and count as different ones; put them together if they are not.`,
    );
  if (counts.trimmed > trimmedShare * asvIds.length)
    warnings.push(
      `${counts.trimmed} of ${asvIds.length} ASVs are the beginning of a longer one (${first.trimmed}), as where reads were trimmed to several lengths, and count as different ones; ` +
        "trim all to one length before they are denoised.",
    );
  return warnings;
}
