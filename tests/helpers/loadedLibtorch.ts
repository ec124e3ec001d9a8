import { expectedShim } from "../../src/torch/setup/build.ts";

const { version, cuda } = expectedShim().libtorch;

/** The LibTorch that the tests run with: the 11 of 2.11, and whether it is a build for CUDA. */
export const loadedLibtorch = { minor: Number(version.split(".")[1]), isForCuda: cuda !== null };
