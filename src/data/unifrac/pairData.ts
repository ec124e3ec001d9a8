import { bytesText } from "../../common/bytesText.ts";
import { UserError } from "../../common/userError.ts";
import type * as torch from "../../torch/index.ts";
import type { Table } from "../table/table.ts";
import { BranchWalker } from "./branchWalker.ts";
import type { DenseBuilder, DenseData, DenseOptions } from "./denseBranches.ts";
import { Fingerprints } from "./fingerprints.ts";
import { type MetricForm, metricForm, type UniFracMetric } from "./metrics.ts";
import type { ShearedTree } from "./shearTree.ts";

/** Which distances, and how they are computed. */
export interface UniFracOptions {
  /** Default `unweighted`. */
  readonly metric?: UniFracMetric;
  /**
   * Of the generalized metric, 0 to 1: 0 weighs rare and frequent lineages alike, 1, the
   * default, is weighted normalized.
   */
  readonly alpha?: number;
  /** Divide each branch's terms by their standard deviation under random assignment (Chang et al. 2011). */
  readonly varianceAdjusted?: boolean;
  /** Take counts as they are instead of shares of the sample. */
  readonly absolute?: boolean;
  /** Leave out the branches of the tips. */
  readonly bypassTips?: boolean;
  /** Default `cpu`. */
  readonly device?: torch.Device;
  /** Of the computation and the result. Default `float32`. */
  readonly precision?: "float32" | "float64";
  /** Cores to use: as many as LibTorch may use (`torch.setNumThreads`) by default, where that saves time. */
  readonly threads?: number;
  /**
   * Only the rows of these samples, from the first up to the second, which is not among them; all by default.
   */
  readonly rows?: readonly [from: number, to: number];
  /**
   * From which share of the samples on a branch is dense, 0 for all and 2 for none: the
   * default is what was fastest.
   */
  readonly denseShare?: number;
}

/**
 * All that the distances of a table are computed from, as plain objects and arrays that threads share. A
 * branch is either dense (many samples have it) or sparse.
 */
export interface PairData {
  readonly form: MetricForm;
  readonly precision: "float32" | "float64";
  readonly samples: number;
  /** Of each branch. */
  readonly length: Float64Array;
  /** Samples with the same amounts on the same branches bear the same number: their distance is exactly 0. */
  readonly fingerprint: Int32Array;
  /**
   * What each sample adds to `high` of `MetricForm` by itself, see `PairRows`. Unused by
   * variance-adjusted forms.
   */
  readonly alone: Float64Array;
  /**
   * The sparse branches of sample i, except those that no other has: `branches[start[i] .. start[i + 1]]`.
   */
  readonly bySample: { readonly start: Float64Array; readonly branches: Int32Array };
  /**
   * The samples of sparse branch b, ascending: `samples[start[b] .. start[b + 1]]`, and the amounts beside
   * them (none for presence).
   */
  readonly byBranch?: {
    readonly start: Float64Array;
    readonly samples: Int32Array;
    readonly amounts: Float32Array | Float64Array;
  };
  /**
   * For variance-adjusted forms, beside `bySample.branches` (then all branches): amounts and counts; and
   * all counts of each sample.
   */
  readonly adjusted?: {
    readonly amounts: Float64Array;
    readonly counts: Float64Array;
    readonly totals: Float64Array;
  };
  readonly dense?: DenseData;
}

/** Makes what collects the dense branches; without it all branches are sparse, and no LibTorch is needed. */
export type MakeDense = (
  samples: number,
  walker: BranchWalker,
  branches: readonly number[],
  options: DenseOptions,
) => DenseBuilder;

/**
 * From which share of the samples on a branch is cheaper as matrix work. Measured with 2,537
 * samples on a core with AVX-512.
 */
const denseShares = { presence: 0.12, weighted: 0.2, generalized: 0.35 };
/** What an accelerator makes of these shares. */
const acceleratorGain = 10;
/** Below so many samples all work is less than handing it to LibTorch. */
const fewSamples = 200;
/** Bytes that the dense branches may take on the device. */
const denseBytes = 3 * 2 ** 30;

/** The branches that are cheaper as matrix work, the most frequent ones, as many as memory allows. */
function chooseDense(
  frequency: Int32Array,
  samples: number,
  form: MetricForm,
  options: UniFracOptions,
): number[] {
  const { device = "cpu", precision = "float32", varianceAdjusted = false, denseShare } = options;
  if (varianceAdjusted || (denseShare === undefined && samples < fewSamples)) return [];
  const kind = form.isPresence ? "presence" : form.exponent === 0 ? "weighted" : "generalized";
  const share = denseShare ?? denseShares[kind] / (device === "cpu" ? 1 : acceleratorGain);
  const least = Math.max(1, share * samples);
  const branches: number[] = [];
  for (let branch = 0; branch < frequency.length; branch++) {
    if (frequency[branch] >= least) branches.push(branch);
  }
  const most = Math.floor(denseBytes / (samples * (precision === "float64" ? 8 : 4)));
  return branches.sort((a, b) => frequency[b] - frequency[a]).slice(0, most);
}

/**
 * Goes through the samples twice: first to count which branches they have, then to sort what they have into
 * dense and sparse parts. The caller disposes the dense part's tensor.
 * @throws UserError for counts that are negative or not finite, for an alpha outside 0 to 1, and for
 * more than fits into memory.
 */
export function preparePairs(
  table: Table,
  tree: ShearedTree,
  options: UniFracOptions = {},
  makeDense?: MakeDense,
): PairData {
  const { metric = "unweighted", alpha = 1, device = "cpu", precision = "float32" } = options;
  const { varianceAdjusted = false, absolute = false, bypassTips = false } = options;
  const form = metricForm(metric, alpha);
  const samples = table.sampleIds.length;
  const walker = new BranchWalker(table, tree, bypassTips);
  const frequency = new Int32Array(walker.nodes);
  for (let sample = 0; sample < samples; sample++) {
    walker.visit(sample);
    for (let k = 0; k < walker.size; k++) frequency[walker.branches[k]]++;
  }

  const denseBranches = makeDense ? chooseDense(frequency, samples, form, options) : [];
  const isDense = new Uint8Array(walker.nodes);
  for (const branch of denseBranches) isDense[branch] = 1;
  const dense =
    denseBranches.length > 0
      ? makeDense?.(samples, walker, denseBranches, { form, device, precision })
      : undefined;
  const sparse = new BranchLists(
    samples,
    frequency.map((count, branch) => (isDense[branch] === 1 || (count < 2 && !varianceAdjusted) ? 0 : count)),
    { varianceAdjusted, precision, isPresence: form.isPresence },
  );
  const length = sharedDoubles(walker.nodes);
  length.set(walker.length);
  const alone = sharedDoubles(samples);
  const fingerprint = new Int32Array(new SharedArrayBuffer(4 * samples));
  const fingerprints = new Fingerprints();
  const amounts = new Float64Array(walker.nodes);
  // Where w is 1, `high` is what both samples have less `low`; else dense branches bring their own.
  const skip = form.exponent === 0 ? undefined : isDense;
  for (let sample = 0; sample < samples; sample++) {
    walker.visit(sample);
    for (let k = 0; k < walker.size; k++) {
      amounts[k] = form.isPresence ? 1 : absolute ? walker.counts[k] : walker.counts[k] / walker.total;
    }
    fingerprint[sample] = fingerprints.numberOf(walker, amounts);
    alone[sample] = sumAlone(walker, amounts, form.exponent, skip);
    dense?.add(sample, walker, amounts);
    sparse.add(sample, walker, amounts);
  }
  const built = sparse.finish();
  return { form, precision, samples, length, alone, fingerprint, ...built, dense: dense?.finish() };
}

/** The sum of `L x^(exponent + 1)` over the walker's branches, without those to `skip`. */
function sumAlone(
  { branches, size, length }: BranchWalker,
  amounts: Float64Array,
  exponent: number,
  skip: Uint8Array | undefined,
): number {
  let sum = 0;
  for (let k = 0; k < size; k++) {
    if (skip?.[branches[k]]) continue;
    sum += length[branches[k]] * (exponent === 0 ? amounts[k] : amounts[k] ** (exponent + 1));
  }
  return sum;
}

interface SparseOptions {
  readonly varianceAdjusted: boolean;
  readonly isPresence: boolean;
  readonly precision: "float32" | "float64";
}

/** Collects the sparse branches by sample and, for all but variance-adjusted forms, by branch. */
class BranchLists {
  readonly #frequency: Int32Array;
  readonly #bySample: PairData["bySample"];
  readonly #byBranch: PairData["byBranch"];
  readonly #adjusted: PairData["adjusted"];
  readonly #next: Float64Array;
  #size = 0;

  /** `frequency` says how many samples have each branch, 0 for those that are not to be collected. */
  constructor(samples: number, frequency: Int32Array, options: SparseOptions) {
    const { varianceAdjusted, isPresence, precision } = options;
    const start = sharedDoubles(frequency.length + 1);
    for (let branch = 0; branch < frequency.length; branch++) {
      start[branch + 1] = start[branch] + frequency[branch];
    }
    const size = start[frequency.length];
    this.#frequency = frequency;
    this.#next = start.slice();
    this.#bySample = { start: sharedDoubles(samples + 1), branches: sharedInts(size) };
    if (varianceAdjusted) {
      const [amounts, counts, totals] = [sharedDoubles(size), sharedDoubles(size), sharedDoubles(samples)];
      this.#adjusted = { amounts, counts, totals };
    } else {
      const amounts = isPresence ? 0 : size;
      this.#byBranch = {
        start,
        samples: sharedInts(size),
        amounts:
          precision === "float64" ? sharedDoubles(amounts) : new Float32Array(sharedBytes(4 * amounts)),
      };
    }
  }

  /** Adds a sample, in ascending order, from the walker's place; `amounts` are those of its branches. */
  add(sample: number, { branches, counts, size, total }: BranchWalker, amounts: Float64Array): void {
    const byBranch = this.#byBranch;
    const adjusted = this.#adjusted;
    if (adjusted) adjusted.totals[sample] = total;
    for (let k = 0; k < size; k++) {
      const branch = branches[k];
      if (this.#frequency[branch] === 0) continue;
      this.#bySample.branches[this.#size] = branch;
      if (byBranch) {
        const at = this.#next[branch]++;
        byBranch.samples[at] = sample;
        if (byBranch.amounts.length > 0) byBranch.amounts[at] = amounts[k];
      } else if (adjusted) {
        adjusted.amounts[this.#size] = amounts[k];
        adjusted.counts[this.#size] = counts[k];
      }
      this.#size++;
    }
    this.#bySample.start[sample + 1] = this.#size;
  }

  finish(): Pick<PairData, "bySample" | "byBranch" | "adjusted"> {
    return { bySample: this.#bySample, byBranch: this.#byBranch, adjusted: this.#adjusted };
  }
}

function sharedDoubles(size: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(sharedBytes(8 * size));
}

function sharedInts(size: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(sharedBytes(4 * size));
}

function sharedBytes(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch {
    throw new UserError(
      `The samples' branches need ${bytesText(bytes)} in one piece, more than there is; ` +
        "take fewer samples, rarefy, or drop rare ASVs.",
    );
  }
}
