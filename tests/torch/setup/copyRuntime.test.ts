/** `aam-torch copy` for a LibTorch that needs NVIDIA's libraries, in the folders that pip makes. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspectLibtorchFolder, sharedLibraryName } from "../../../src/torch/setup/libtorchFolder.ts";
import { copyRuntime } from "../../../src/torch/tools/copyRuntime.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const packages = () => scratch.path("packages");
afterEach(() => rmSync(packages(), { recursive: true, force: true }));

const library = (stem: string) => sharedLibraryName(stem);
const ofTorch = ["c10", "c10_cuda", "torch", "torch_cpu", "torch_cuda", "torch_nvshmem"].map(
  (stem) => `torch/lib/${library(stem)}`,
);
const cuda13 = [
  "nvidia/cu13/lib/libcudart.so.13",
  "nvidia/cu13/lib/libcublasLt.so.13",
  "nvidia/cudnn/lib/libcudnn.so.9",
  "nvidia/cudnn/lib/libcudnn_ops.so.9",
  "nvidia/nvshmem/lib/nvshmem_transport_ucx.so.3",
];
const cuda12 = ["nvidia/cuda_runtime/lib/libcudart.so.12", "nvidia/cublas/lib/libcublas.so.12"];
const unwanted = [
  `torch/lib/${library("torch_python")}`,
  `torch/lib/${library("shm")}`,
  "torch/include/ATen/ATen.h",
  "nvidia/cu13/lib/libnvrtc.alt.so.13",
  "nvidia/cu13/lib/libcudart_static.a",
  "nvidia/cu13/include/cuda.h",
  "nvidia/__init__.py",
];

function lay(files: readonly string[], version = "2.14.1+cu130") {
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(packages(), name)), { recursive: true });
    writeFileSync(join(packages(), name), text);
  };
  for (const name of files) write(name, name);
  write("torch/version.py", `__version__ = '${version}'\n`);
  write("shim", "the native part");
  const { libtorch } = inspectLibtorchFolder(join(packages(), "torch"), "a test", { needsHeaders: false });
  if (libtorch === undefined) throw new Error("no LibTorch");
  return { path: join(packages(), "shim"), libtorch };
}

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

test("NVIDIA's libraries come along, where LibTorch's look for them", () => {
  for (const nvidia of [cuda13, cuda12]) {
    const found = lay([...ofTorch, ...nvidia, ...unwanted]);
    const output = scratch.path(`runtime-${nvidia.length}`);
    expect(copyRuntime(output, found)).toEqual({
      AAM_TORCH_SHIM: join(output, library("aam_torch")),
      LIBTORCH: join(output, "torch"),
    });
    const expected = [library("aam_torch"), "torch/version.py", ...ofTorch, ...nvidia];
    expect(filesOf(output)).toEqual(expected.sort());
    for (const name of [...ofTorch, ...nvidia]) expect(readFileSync(join(output, name), "utf8")).toBe(name);
    rmSync(packages(), { recursive: true });
  }
});

test("an archive that brings its own is copied as it is", () => {
  const found = lay([...ofTorch, "torch/lib/libcudart-9335f6a2.so.12"], "2.13.0+cu126");
  copyRuntime(scratch.path("archive"), found);
  expect(filesOf(scratch.path("archive"))).toContain("torch/lib/libcudart-9335f6a2.so.12");
});

test("where they lie elsewhere, or such a copy is there, one sentence says so and nothing is written", () => {
  const output = scratch.path("refused");
  expect(() => copyRuntime(output, lay(ofTorch))).toThrow(
    /^LibTorch 2\.14\.1\+cu130 is for CUDA 13\.0 and needs NVIDIA's libraries, which are not in .*nvidia: install torch with pip/,
  );
  expect(() => filesOf(output)).toThrow();
  const found = lay([...ofTorch, ...cuda13]);
  copyRuntime(output, found);
  expect(() => copyRuntime(output, found)).toThrow(
    /is there already: delete it, or copy into another folder/,
  );
  rmSync(found.path);
  const broken = scratch.path("broken");
  expect(() => copyRuntime(broken, found)).toThrow("libaam_torch");
  expect(filesOf(broken)).toEqual([]);
});
