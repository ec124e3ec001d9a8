import { existsSync, readFileSync } from "node:fs";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import { type Batch, BatchBuilder, type BatchOptions } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { tokenCount, tokenizeAll } from "../../data/sequences/tokenizer.ts";
import { splitDelimited } from "../../formats/delimited.ts";
import { delimitedText } from "../targets/predictionTable.ts";

/**
 * The sample that predictions are compared with: it has each ASV as often as the training samples do. Its
 * ASVs are those of a data set in their order, and behind them those that only training samples have.
 */
export interface AsvBase {
  readonly asvCount: number;
  asvId(asv: number): string;
  asvTokens(asv: number): Uint8Array;
  /** By ASV: the share of the training samples that have it, of what a model reads of them. */
  readonly presence: Float64Array;
  /** By ASV: its share of a training sample's counts, on average. */
  readonly shares: Float64Array;
}

/** ASVs of one row of a batch, by number of the data set, and their shares of what the row counts. */
export function asvsOfRow(batch: Batch, row: number): { asvs: number[]; counts: number[]; shares: number[] } {
  const asvs: number[] = [];
  const counts: number[] = [];
  for (let at = row * batch.slots; at < (row + 1) * batch.slots && batch.asvIndex[at] !== 0; at++) {
    asvs.push(batch.asvRows[batch.asvIndex[at] - 1]);
    counts.push(batch.counts[at]);
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  // Without counts ASVs share alike, as in `slotWeights`.
  const shares = counts.map((count) => (total > 0 ? count / total : 1 / counts.length));
  return { asvs, counts, shares };
}

/** Samples that are read at a time. */
const samplesAtOnce = 256;

/** The base of a data set's training samples, as a model reads them. */
export function baseOfSamples(dataset: Dataset, train: Int32Array, batch: BatchOptions): AsvBase {
  const builder = new BatchBuilder(dataset, { ...batch, withoutTokens: true });
  const random = new Random(0);
  const presence = new Float64Array(dataset.asvCount);
  const shares = new Float64Array(dataset.asvCount);
  for (let from = 0; from < train.length; from += samplesAtOnce) {
    const some = builder.build(train.subarray(from, from + samplesAtOnce), random);
    for (let row = 0; row < some.samples; row++) {
      const own = asvsOfRow(some, row);
      own.asvs.forEach((asv, i) => {
        presence[asv] += 1 / train.length;
        shares[asv] += own.shares[i] / train.length;
      });
    }
  }
  return {
    asvCount: dataset.asvCount,
    asvId: (asv) => dataset.asvId(asv),
    asvTokens: (asv) => dataset.asvTokens(asv),
    presence,
    shares,
  };
}

const header = ["asv_id", "sequence", "presence", "share"];

/** Writes the base of a data set's training samples: their ASVs, as far as a model of `maxBp` reads them. */
export function writeBase(path: string, dataset: Dataset, base: AsvBase, maxBp: number): void {
  const asvs = Array.from(base.presence.keys()).filter((asv) => base.presence[asv] > 0);
  const numbers = (values: Float64Array) => Float64Array.from(asvs, (asv) => values[asv]);
  const columns = [
    asvs.map((asv) => dataset.asvId(asv)),
    asvs.map((asv) => dataset.asvSequence(asv).slice(0, maxBp)),
    numbers(base.presence),
    numbers(base.shares),
  ].map((values, i) => ({ name: header[i], values }));
  writeFileAtomic(path, delimitedText(columns, "\t"));
}

/**
 * Reads a base for the samples of a data set, whose ASVs are known again by what a model of `maxBp` reads of
 * their sequences.
 * @throws UserError if there is no such file, or another one.
 */
export function readBase(path: string, dataset: Dataset, maxBp: number): AsvBase {
  if (!existsSync(path))
    throw new UserError(
      `${path} is missing, which has the training samples' ASVs, and contributions are counted from these; give --model the whole folder of a run, or train it again if it is of an earlier version.`,
    );
  const [names, ...rows] = splitDelimited(readFileSync(path, "utf8"), "\t", path);
  const wrong = rows.find(
    ({ cells }) => cells.length !== header.length || !(Number(cells[2]) > 0) || !(Number(cells[3]) >= 0),
  );
  if (names?.cells.join() !== header.join() || wrong)
    throw new UserError(
      `${path}, line ${wrong?.line ?? 1}: expected ${header.join(", ")}; restore it, or train again.`,
    );
  const read = tokenizeAll(rows.map(({ cells }) => cells[1]));
  const tokens = rows.map((_, i) => read.values.subarray(read.offsets[i], read.offsets[i + 1]));
  const keyOf = (own: Uint8Array) => own.subarray(0, tokenCount(maxBp)).join("");
  // Of several that read alike each row has its own: their presence adds up to more than a sample can have.
  const known = Map.groupBy(Array(dataset.asvCount).keys(), (asv) => keyOf(dataset.asvTokens(asv)));
  const others: number[] = [];
  const places = tokens.map(
    (own, i) => known.get(keyOf(own))?.shift() ?? dataset.asvCount + others.push(i) - 1,
  );
  const asvCount = dataset.asvCount + others.length;
  const [presence, shares] = [new Float64Array(asvCount), new Float64Array(asvCount)];
  rows.forEach(({ cells }, i) => {
    presence[places[i]] = Number(cells[2]);
    shares[places[i]] = Number(cells[3]);
  });
  const other = (asv: number) => others[asv - dataset.asvCount];
  return {
    asvCount,
    asvId: (asv) => (asv < dataset.asvCount ? dataset.asvId(asv) : rows[other(asv)].cells[0]),
    asvTokens: (asv) => (asv < dataset.asvCount ? dataset.asvTokens(asv) : tokens[other(asv)]),
    presence,
    shares,
  };
}
