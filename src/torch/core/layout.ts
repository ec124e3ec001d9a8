/** How a tensor's elements are stored, under PyTorch's names; the numbers are LibTorch's `c10::Layout`. */
export const layouts = {
  strided: 0,
  sparse: 1,
  sparse_coo: 1,
  sparse_csr: 2,
  mkldnn: 3,
  sparse_csc: 4,
  sparse_bsr: 5,
  sparse_bsc: 6,
} as const;

/** `sparse` is another name of `sparse_coo`. */
export type Layout = keyof typeof layouts;

const names: readonly Layout[] = [
  "strided",
  "sparse_coo",
  "sparse_csr",
  "mkldnn",
  "sparse_csc",
  "sparse_bsr",
  "sparse_bsc",
];

/** The layout of LibTorch's number. */
export function layoutOfCode(code: number): Layout {
  return names[code] ?? "strided";
}
