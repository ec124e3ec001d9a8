/** How tensors are printed; PyTorch's names. */
export interface PrintOptions {
  /** Digits behind the point. */
  readonly precision?: number;
  /** Tensors of more elements are printed in part. */
  readonly threshold?: number;
  /** How many elements are shown at each end of a dimension then. */
  readonly edgeitems?: number;
  /** Characters of a line. */
  readonly linewidth?: number;
  /** The standard (`default`), less (`short`) or everything (`full`); what else is given counts more. */
  readonly profile?: "default" | "short" | "full";
  /** Always (true) or never (false) 1.0000e+03; by the values' sizes (null) otherwise. */
  readonly sciMode?: boolean | null;
}

type Settings = Required<Omit<PrintOptions, "profile">>;

const standard: Settings = { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sciMode: null };
const profiles: Record<string, Settings> = {
  default: standard,
  short: { ...standard, precision: 2, edgeitems: 2 },
  full: { ...standard, threshold: Number.POSITIVE_INFINITY },
};

/** What is set now. */
export const printOptions: Settings = { ...standard };

/**
 * Changes how tensors are printed, as `torch.set_printoptions`; what is not given stays, except that
 * `sciMode` is chosen by the values again.
 * @throws RangeError for what is no whole number of at least 0, and for an unknown profile.
 * @example torch.setPrintoptions({ precision: 2, profile: "full" });
 */
export function setPrintoptions(options: PrintOptions): void {
  const { profile, sciMode = null, ...given } = options;
  if (profile !== undefined && !Object.hasOwn(profiles, profile))
    throw new RangeError(`setPrintoptions: profile must be default, short or full, got ${String(profile)}`);
  const numbers = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name, value] of numbers) {
    if (!(name in standard)) throw new TypeError(`setPrintoptions: there is no option '${name}'`);
    const isEndless = name === "threshold" && value === Number.POSITIVE_INFINITY;
    if (
      !isEndless &&
      !(
        Number.isInteger(value) && (value as number) >= (name === "precision" || name === "threshold" ? 0 : 1)
      )
    )
      throw new RangeError(`setPrintoptions: ${name} must be a whole number, got ${String(value)}`);
  }
  Object.assign(printOptions, profile === undefined ? {} : profiles[profile], Object.fromEntries(numbers), {
    sciMode,
  });
}
