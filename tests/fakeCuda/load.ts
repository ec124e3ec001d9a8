/**
 * Gives this process a CUDA device made of the host's memory (fakeCuda.cpp), before
 * LibTorch is asked for devices:
 *
 *     BUN_OPTIONS=--preload=./tests/fakeCuda/load.ts AAM_TEST_DEVICE=cuda \
 *       bun test ./tests/models/finite.test.ts
 */
import { dlopen } from "bun:ffi";
import { ensureFakeCuda } from "./build.ts";

const { symbols } = dlopen(ensureFakeCuda(), { fake_cuda_devices: { args: [], returns: "int" } });
if (symbols.fake_cuda_devices() !== 1) throw new Error("the fake CUDA device is not there");
