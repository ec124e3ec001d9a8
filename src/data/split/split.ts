import { Mt19937 } from "../../common/random/mt19937.ts";
import { UserError } from "../../common/userError.ts";

/** Sample numbers of the two parts, in the order in which they were drawn. */
export interface Split {
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Splits `count` samples at random; equal to scikit-learn's `train_test_split(ids, test_size=share,
 * random_state=seed)`. The validation part has `ceil(share * count)` samples.
 * @throws UserError if the share is not between 0 and 1 or leaves no sample for training.
 */
export function randomSplit(count: number, share: number, seed: number): Split {
  const size = validationSize(count, share, "samples");
  const order = new Mt19937(seed).permuted(range(count));
  return { train: Int32Array.from(order.slice(size)), validation: Int32Array.from(order.slice(0, size)) };
}

/**
 * Splits samples so that both parts have every label in the same proportions, as near as whole samples allow;
 * equal to scikit-learn's `train_test_split(..., stratify=labels)`. `column` names the labels in errors.
 * @throws UserError for missing labels, for a label of one sample only, and if a part is smaller
 * than the number of labels.
 */
export function stratifiedSplit(
  labels: readonly (string | null)[],
  share: number,
  seed: number,
  column: string,
): Split {
  const classes = membersOf(labels, column, "stratified");
  const size = validationSize(labels.length, share, "samples");
  const rare = classes.find(({ members }) => members.length < 2);
  if (rare !== undefined) {
    throw new UserError(
      `Samples cannot be split stratified by "${column}": "${rare.label}" has one sample only, so it cannot be in both parts; merge rare values or choose another column.`,
    );
  }
  if (size < classes.length || labels.length - size < classes.length) {
    throw new UserError(
      `Samples cannot be split stratified by "${column}": it has ${classes.length} values, but one part has only ${Math.min(size, labels.length - size)} samples; choose another share or column.`,
    );
  }
  const random = new Mt19937(seed);
  const counts = classes.map(({ members }) => members.length);
  const trainCounts = apportion(counts, labels.length - size, random);
  const left = counts.map((count, i) => count - trainCounts[i]);
  const validationCounts = apportion(left, size, random);
  const orders = classes.map(({ members }) => random.permuted(members));
  const train = orders.flatMap((order, i) => order.slice(0, trainCounts[i]));
  const validation = orders.flatMap((order, i) =>
    order.slice(trainCounts[i], trainCounts[i] + validationCounts[i]),
  );
  return {
    train: Int32Array.from(random.permuted(train)),
    validation: Int32Array.from(random.permuted(validation)),
  };
}

/**
 * Splits whole groups (such as hosts), so that no group is in both parts; equal to scikit-learn's
 * `GroupShuffleSplit(test_size=share, random_state=seed)`: the share is of the groups. Both parts
 * are in the samples' order.
 * @throws UserError for missing groups and if the share leaves no group for training.
 */
export function groupedSplit(
  groups: readonly (string | null)[],
  share: number,
  seed: number,
  column: string,
): Split {
  const sorted = membersOf(groups, column, "grouped");
  const size = validationSize(sorted.length, share, `values of "${column}"`);
  const held = new Mt19937(seed).permuted(range(sorted.length)).slice(0, size);
  const isHeld = new Uint8Array(groups.length);
  for (const group of held) for (const member of sorted[group].members) isHeld[member] = 1;
  const samples = range(groups.length);
  return {
    train: Int32Array.from(samples.filter((sample) => isHeld[sample] === 0)),
    validation: Int32Array.from(samples.filter((sample) => isHeld[sample] === 1)),
  };
}

function validationSize(count: number, share: number, what: string): number {
  if (!(share > 0 && share < 1)) {
    throw new UserError(`The share of validation samples must lie between 0 and 1, not ${share}.`);
  }
  const size = Math.ceil(share * count);
  if (count < 2 || size >= count) {
    throw new UserError(
      `A share of ${share} of ${count} ${what} leaves none for training; use more data or a smaller share.`,
    );
  }
  return size;
}

/** The samples of each label, labels in sorted order. */
function membersOf(
  labels: readonly (string | null)[],
  column: string,
  how: string,
): { label: string; members: number[] }[] {
  const members = new Map<string, number[]>();
  for (const [sample, label] of labels.entries()) {
    if (label === null) continue;
    const list = members.get(label);
    if (list === undefined) members.set(label, [sample]);
    else list.push(sample);
  }
  const missing = labels.filter((label) => label === null).length;
  if (missing > 0) {
    throw new UserError(
      `Samples cannot be split ${how} by "${column}": ${missing} of ${labels.length} samples have no value there; fill them in or leave these samples out.`,
    );
  }
  return [...members.keys()].sort().map((label) => ({ label, members: members.get(label)! }));
}

/**
 * Divides `total` among classes in proportion to their counts: everyone gets the whole part of its share, the
 * largest remainders get one more, ties are broken at random.
 */
function apportion(counts: readonly number[], total: number, random: Mt19937): number[] {
  const sum = counts.reduce((a, b) => a + b, 0);
  const shares = counts.map((count) => (count / sum) * total);
  const whole = shares.map(Math.floor);
  let open = total - whole.reduce((a, b) => a + b, 0);
  const remainders = shares.map((share, i) => share - whole[i]);
  for (const value of [...new Set(remainders)].sort((a, b) => b - a)) {
    if (open <= 0) break;
    const tied = range(counts.length).filter((i) => remainders[i] === value);
    for (const i of random.permuted(tied).slice(0, open)) whole[i]++;
    open -= Math.min(tied.length, open);
  }
  return whole;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
