import * as torch from "../../torch/index.ts";

/** The ASVs of a sample, and to what degree it has each. */
export interface Degrees {
  readonly asvs: readonly number[];
  readonly degrees: readonly number[];
}

/**
 * Sums over ASVs on ways from a base, that has each of all ASVs to a degree, to samples. All in float64 on
 * the CPU.
 */
export interface AsvSums {
  /** [n, K] at t. */
  at(t: number, ways: readonly number[]): torch.Tensor;
  /** See `Ways.gains`: [n, width, K] -> [n, width, A]. */
  gains(t: number, ways: readonly number[], slopes: torch.Tensor): torch.Tensor;
}

/** Numbers of a chunk of ASVs, which bounds memory. */
const chunkNumbers = 2 ** 22;

/** Of rows [A, K], some at a time in float64: what `run` makes of each, in their order. */
function mapChunks(
  table: torch.Tensor,
  run: (rows: torch.Tensor, from: number, count: number) => torch.Tensor,
): torch.Tensor[] {
  const [all, width] = table.shape;
  const most = Math.max(1, Math.floor(chunkNumbers / width));
  return Array.from({ length: Math.ceil(all / most) }, (_, i) => {
    const count = Math.min(most, all - i * most);
    return torch.tidy(() => run(table.narrow(0, i * most, count).to("float64"), i * most, count));
  });
}

function addUp(parts: readonly torch.Tensor[]): torch.Tensor {
  return parts.reduce((sum, part) => sum.add(part));
}

function rowsOf(table: torch.Tensor, asvs: readonly number[]): torch.Tensor {
  return table.indexSelect(0, indexOf(asvs)).to("float64");
}

/** Numbers of rows as an index [n] int64. */
export const indexOf = (rows: readonly number[]) => torch.tensor(BigInt64Array.from(rows, BigInt));
const column = (values: ArrayLike<number>) => torch.tensor(Float64Array.from(values)).unsqueeze(1);

/** Sums that are linear in degrees: sum_a p_a w_ak. */
export class LinearSums implements AsvSums {
  readonly #table: torch.Tensor;
  readonly #base: Float64Array;
  readonly #samples: readonly Degrees[];
  /** [1, K] and [N, K] */
  readonly #start: torch.Tensor;
  readonly #ends: torch.Tensor;

  /** @param table [A, K], of which degrees are weights. */
  constructor(table: torch.Tensor, base: Float64Array, samples: readonly Degrees[]) {
    this.#table = table;
    this.#base = base;
    this.#samples = samples;
    const chunks = mapChunks(table, (rows, from, count) =>
      rows.mul(column(base.subarray(from, from + count))).sum([0], true),
    );
    this.#start = addUp(chunks);
    this.#ends = torch.cat(
      samples.map(({ asvs, degrees }) => rowsOf(table, asvs).mul(column(degrees)).sum([0], true)),
    );
  }

  at(t: number, ways: readonly number[]): torch.Tensor {
    const ends = this.#ends.indexSelect(0, indexOf(ways));
    return this.#start.mul(1 - t).add(ends.mul(t));
  }

  gains(_t: number, ways: readonly number[], slopes: torch.Tensor): torch.Tensor {
    const moves = new Float64Array(ways.length * this.#base.length);
    ways.forEach((way, i) => {
      const own = moves.subarray(i * this.#base.length, (i + 1) * this.#base.length);
      this.#base.forEach((degree, asv) => {
        own[asv] = -degree;
      });
      const { asvs, degrees } = this.#samples[way];
      asvs.forEach((asv, at) => {
        own[asv] += degrees[at];
      });
    });
    const rates = torch.cat(
      mapChunks(this.#table, (rows) => slopes.matmul(rows.t())),
      2,
    );
    return rates.mul(torch.tensor(moves, { shape: [ways.length, 1, this.#base.length] }));
  }
}

/** Sums of ASVs' degrees in columns of their own, of the K there are; some ASVs have none. */
export class ColumnSums implements AsvSums {
  /** [A, 1 + K]: the first column is for ASVs that have none. */
  readonly #shape: readonly [number, number];
  /** [A] int64 */
  readonly #columns: torch.Tensor;
  /** [1, A] and [N, A]: degrees at both ends. */
  readonly #start: torch.Tensor;
  readonly #ends: torch.Tensor;

  /** @param columnOf the column of each ASV, from 1 on, or 0. */
  constructor(columnOf: readonly number[], count: number, base: Float64Array, samples: readonly Degrees[]) {
    this.#shape = [base.length, 1 + count];
    this.#columns = indexOf(columnOf);
    this.#start = torch.tensor(base).unsqueeze(0);
    const ends = new Float64Array(samples.length * base.length);
    samples.forEach(({ asvs, degrees }, i) => {
      asvs.forEach((asv, at) => {
        ends[i * base.length + asv] = degrees[at];
      });
    });
    this.#ends = torch.tensor(ends, { shape: [samples.length, base.length] });
  }

  at(t: number, ways: readonly number[]): torch.Tensor {
    const values = this.#start.mul(1 - t).add(this.#ends.indexSelect(0, indexOf(ways)).mul(t));
    const columns = this.#columns.unsqueeze(0).expand([ways.length, -1]);
    return torch
      .zeros([ways.length, this.#shape[1]], { dtype: "float64" })
      .scatterAdd(1, columns, values)
      .narrow(1, 1, this.#shape[1] - 1);
  }

  gains(_t: number, ways: readonly number[], slopes: torch.Tensor): torch.Tensor {
    const none = torch.zeros([ways.length, slopes.size(1), 1], { dtype: "float64" });
    const ofAsvs = torch.cat([none, slopes], 2).indexSelect(2, this.#columns);
    const moves = this.#ends.indexSelect(0, indexOf(ways)).sub(this.#start);
    return ofAsvs.mul(moves.unsqueeze(1));
  }
}

/** Keeps the logarithm finite where a sample surely has what an ASV surely has. */
const mostSure = 1 - 1e-12;

/**
 * How surely a sample has each code, as a sum: u_k = -sum_a log(1 - p_a q_ak), where q_ak = 1 - exp(-c_ak) is
 * how surely ASV a has code k. So 1 - exp(-u_k) = 1 - prod_a (1 - p_a q_ak), the chance that any ASV gives
 * the sample the code where ASVs are there with chances p independently (the multilinear extension, Owen
 * 1972). Where all p are 0 or 1, u is the sum of codes c, of which a set encoder makes features.
 */
export class UnionSums implements AsvSums {
  /** [A, K] in float64 */
  readonly #sure: torch.Tensor;
  readonly #base: Float64Array;
  readonly #samples: readonly (readonly number[])[];
  /** By t: the sums of all of the base's ASVs, where the sample that is gone to has none: [1, K]. */
  readonly #leaving: Map<number, torch.Tensor>;

  /**
   * @param sure `surenessOf` codes [A, K]
   * @param leaving filled here, for the same codes and base.
   */
  constructor(
    sure: torch.Tensor,
    base: Float64Array,
    samples: readonly (readonly number[])[],
    leaving: Map<number, torch.Tensor>,
  ) {
    this.#sure = sure;
    this.#base = base;
    this.#samples = samples;
    this.#leaving = leaving;
  }

  at(t: number, ways: readonly number[]): torch.Tensor {
    const { leaving, arriving } = this.#degrees(t);
    let others = this.#leaving.get(t);
    if (!others) {
      const chunks = mapChunks(this.#sure, (sure, from, count) =>
        codesOf(sure, leaving.subarray(from, from + count)).sum([0], true),
      );
      others = addUp(chunks).detachFromScope();
      this.#leaving.set(t, others);
    }
    return torch.cat(
      ways.map((way) => {
        const asvs = this.#samples[way];
        const sure = rowsOf(this.#sure, asvs);
        const pick = (from: Float64Array) => Float64Array.from(asvs, (asv) => from[asv]);
        const own = codesOf(sure, pick(arriving)).sub(codesOf(sure, pick(leaving)));
        return others.add(own.sum([0], true));
      }),
    );
  }

  gains(t: number, ways: readonly number[], slopes: torch.Tensor): torch.Tensor {
    const { leaving, arriving } = this.#degrees(t);
    const base = this.#base;
    const parts = mapChunks(this.#sure, (sure, from, count) => {
      const rates = slopes.matmul(rateOf(sure, leaving.subarray(from, from + count)).t());
      return rates.mul(torch.tensor(base.subarray(from, from + count).map((degree) => -degree)));
    });
    const gains = torch.cat(parts, 2);
    ways.forEach((way, i) => {
      const asvs = this.#samples[way];
      const pick = (from: (asv: number) => number) => Float64Array.from(asvs, from);
      const rates = rateOf(
        rowsOf(this.#sure, asvs),
        pick((asv) => arriving[asv]),
      );
      const moves = torch.tensor(pick((asv) => 1 - base[asv]));
      const index = indexOf(asvs);
      const own = slopes.select(0, i).matmul(rates.t()).mul(moves);
      gains.select(0, i).indexCopy_(1, index, own);
    });
    return gains;
  }

  /** At t, of ASVs that the sample lacks, and of those that it has. */
  #degrees(t: number) {
    const leaving = this.#base.map((degree) => (1 - t) * degree);
    return { leaving, arriving: leaving.map((degree) => degree + t) };
  }
}

/** How surely ASVs have each code, 1 - exp(-c), of codes c [A, K]: in float64. */
export function surenessOf(codes: torch.Tensor): torch.Tensor {
  return codes.to("float64").neg().expm1_().neg_();
}

/** p q of sureness q [n, K] at degrees p [n]. */
function chances(sure: torch.Tensor, degrees: Float64Array): torch.Tensor {
  return sure.mul(column(degrees)).clampMax_(mostSure);
}

/** -log(1 - p q) of sureness q [n, K] at degrees p [n]. */
function codesOf(sure: torch.Tensor, degrees: Float64Array): torch.Tensor {
  return chances(sure, degrees).neg_().log1p_().neg_();
}

/** The slope of that by p: q / (1 - p q). */
function rateOf(sure: torch.Tensor, degrees: Float64Array): torch.Tensor {
  return chances(sure, degrees).neg_().add_(1).reciprocal_().mul_(sure);
}
