import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Libtorch } from "./libtorchFolder.ts";

/** The one source that has these flags besides those of all. */
export const groupSource = "distributed.cpp";

/** A way to compile `distributed.cpp`. */
export interface GroupVariant {
  /** What the library can do then, in words. */
  readonly name: string;
  readonly flags: string[];
}

/**
 * Where nccl.h and CUDA's own headers lie: beside a wheel's torch in the packages it needs, or in a toolkit.
 */
function cudaHeaders(root: string, cuda: string): string[] | null {
  const packages = join(dirname(root), "nvidia");
  const toolkit = process.env["CUDA_HOME"] || process.env["CUDA_PATH"] || "/usr/local/cuda";
  const places = [
    join(packages, "nccl/include"),
    join(packages, `cu${cuda.split(".")[0]}/include`),
    ...["cuda_runtime", "cublas", "cusparse", "cusolver"].map((name) => join(packages, name, "include")),
    join(toolkit, "include"),
    "/usr/include",
  ].filter(existsSync);
  const has = (name: string) => places.some((place) => existsSync(join(place, name)));
  const needed = ["nccl.h", "cuda_runtime.h", "cublas_v2.h", "cusparse.h", "cusolverDn.h"];
  // The compiler looks into /usr/include by itself.
  return needed.every(has) ? places.filter((place) => place !== "/usr/include") : null;
}

/**
 * The ways to compile `distributed.cpp` for a LibTorch, the most able first: the next one is tried where one
 * fails. The last one, without process groups, always compiles.
 */
export function groupVariants(libtorch: Libtorch, sourceFolder: string): GroupVariant[] {
  const variants: GroupVariant[] = [{ name: "without process groups", flags: [] }];
  const header = "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp";
  if (!libtorch.includeDirs.some((folder) => existsSync(join(folder, header)))) return variants;
  const standIns = join(sourceFolder, "standIns");
  const gloo = ["-DAAMT_WITH_GROUPS", "-DUSE_C10D_GLOO", "-isystem", standIns];
  variants.unshift({ name: "process groups with gloo", flags: gloo });
  const headers = libtorch.cuda === null ? null : cudaHeaders(libtorch.root, libtorch.cuda);
  if (headers === null) return variants;
  const folders = [join(standIns, "cuda"), ...headers].flatMap((folder) => ["-isystem", folder]);
  variants.unshift({
    name: "process groups with gloo and NCCL",
    flags: [...gloo, "-DAAMT_WITH_NCCL", "-DUSE_C10D_NCCL", ...folders],
  });
  return variants;
}
