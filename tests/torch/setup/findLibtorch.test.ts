import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inspectLibtorchFolder, sharedLibraryName } from "../../../src/torch/setup/libtorchFolder.ts";
import { askPython, pythonsOnPath } from "../../../src/torch/setup/python.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-libtorch-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;

/** A folder with these files (path to content). */
function makeFolder(files: Record<string, string>): string {
  const root = join(folder, `case-${count++}`);
  mkdirSync(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const libraries = {
  [`lib/${sharedLibraryName("torch_cpu")}`]: "",
  [`lib/${sharedLibraryName("c10")}`]: "_ZN3c105ErrorC1ENSt7__cxx1112basic_string",
  "include/ATen/ATen.h": "",
};
const cudaLibrary = { [`lib/${sharedLibraryName("torch_cuda")}`]: "" };
const inspect = (files: Record<string, string>) => inspectLibtorchFolder(makeFolder(files), "a test");

test("a Python wheel tells its version and CUDA by version.py", () => {
  const found = inspect({
    ...libraries,
    ...cudaLibrary,
    "version.py": "__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\n",
  });
  expect(found.libtorch).toMatchObject({
    version: "2.11.0+cu130",
    cuda: "13.0",
    cxx11Abi: true,
    cxxStandard: 17,
  });
  expect(found.verdict).toBe("version 2.11.0+cu130, CUDA 13.0");
});

test("an archive tells its version by build-version, and the standard that its headers need", () => {
  const cmake = { "share/cmake/Torch/TorchConfig.cmake": "    CXX_STANDARD 20\n" };
  const found = inspect({ ...libraries, ...cudaLibrary, ...cmake, "build-version": "2.12.1+cu128\n" });
  expect(found.libtorch).toMatchObject({ version: "2.12.1+cu128", cuda: "12.8", cxxStandard: 20 });
});

test("the C++ standard is the highest that CMake's file or the headers ask for", () => {
  const standard = (files: Record<string, string>) =>
    inspect({ ...libraries, "build-version": "2.15.0", ...files }).libtorch?.cxxStandard;
  const header = (least: string) => ({
    "include/ATen/ATen.h": `#if __cplusplus < ${least}L\n#error\n#endif\n`,
  });
  const cmake = (text: string) => ({ "share/cmake/Torch/TorchConfig.cmake": text });
  expect(standard({})).toBe(17);
  expect(standard(header("201703"))).toBe(17);
  expect(standard(header("202002"))).toBe(20);
  expect(standard(cmake("target_compile_features(torch INTERFACE cxx_std_20)"))).toBe(20);
  expect(standard({ ...header("201703"), ...cmake("CXX_STANDARD 20") })).toBe(20);
});

test("a build without either tells its version by its headers", () => {
  const header =
    "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n#define TORCH_VERSION_PATCH 0\n";
  const found = inspect({ ...libraries, "include/torch/headeronly/version.h": header });
  expect(found.libtorch).toMatchObject({ version: "2.13.0", cuda: null });
  expect(found.verdict).toBe("version 2.13.0, CPU");
});

test("2.11 to 2.15 are accepted, and newer ones tried with a warning", () => {
  for (const version of ["2.11.0", "2.14.1+cu130", "2.15.0a0"])
    expect(inspect({ ...libraries, "build-version": version }).libtorch?.isUntried).toBe(false);
  for (const version of ["2.16.0", "3.0.0"]) {
    const found = inspect({ ...libraries, "build-version": version });
    expect(found.libtorch).toMatchObject({ version, isUntried: true });
    expect(found.verdict).toBe(`version ${version}, CPU, newer than 2.11 to 2.15, which are supported`);
  }
});

test("what does not fit is rejected with the reason", () => {
  const version = (text: string) => inspect({ ...libraries, "build-version": text }).verdict;
  expect(version("2.10.0+cpu")).toBe("version 2.10.0+cpu is too old; 2.11 to 2.15 are accepted");
  expect(version("1.13.1")).toContain("too old");
  expect(version("")).toBe("its version could not be read");
  expect(inspect({}).verdict).toContain("not a LibTorch folder");
  const { "include/ATen/ATen.h": _, ...withoutHeaders } = libraries;
  expect(inspect(withoutHeaders).verdict).toContain("not its headers");
  const file = join(makeFolder({ x: "" }), "x");
  expect(inspectLibtorchFolder(file, "a test").verdict).toBe("a file, not a LibTorch folder");
  expect(inspectLibtorchFolder(join(file, "y"), "a test").verdict).toBe("no such folder");
  for (const stem of ["torch_cpu", "c10"]) {
    const name = `lib/${sharedLibraryName(stem)}`;
    const { [name]: _, ...rest } = libraries as Record<string, string>;
    expect(inspect(rest).verdict).toBe(`a LibTorch without its ${name}: install it anew`);
  }
  const above = makeFolder(libraries);
  expect(inspectLibtorchFolder(join(above, "lib"), "a test").verdict).toBe(
    "LibTorch's lib: name the folder above it",
  );
});

test("every distinct Python of the PATH is found, in order, links to one only once", () => {
  const first = makeFolder({ python3: "", python: "" });
  const second = makeFolder({ python: "" });
  const linked = makeFolder({});
  symlinkSync(join(first, "python3"), join(linked, "python3"));
  const environment = makeFolder({ "pyvenv.cfg": "" });
  mkdirSync(join(environment, "bin"));
  symlinkSync(join(first, "python3"), join(environment, "bin/python3"));
  // A file among the folders is passed over, as a folder is that may not be searched.
  const others = [join(folder, "absent"), join(first, "python3")];
  const path = [first, linked, ...others, second, join(environment, "bin"), first].join(":");
  expect(pythonsOnPath(path)).toEqual([
    join(first, "python3"),
    join(second, "python"),
    join(environment, "bin/python3"),
  ]);
});

test("a Python that does not answer is no Python", () => {
  const root = makeFolder({ broken: "#!/bin/sh\nexit 9009\n", talking: "#!/bin/sh\necho install me\n" });
  for (const name of ["broken", "talking"]) {
    chmodSync(join(root, name), 0o755);
    expect(askPython(join(root, name))).toBeUndefined();
  }
});

test.skipIf(Bun.which("python3") === null)("a Python tells where torch lies, without importing it", () => {
  const root = makeFolder({ "torch/__init__.py": "raise SystemExit('imported')\n" });
  const before = process.env["PYTHONPATH"];
  process.env["PYTHONPATH"] = root;
  try {
    const report = askPython(Bun.which("python3") ?? "");
    expect(report?.torchFolder).toBe(join(root, "torch"));
    expect(report?.version).toMatch(/^3\.\d+\.\d+$/);
    expect(report?.searchFolders).toContain(root);
  } finally {
    if (before === undefined) delete process.env["PYTHONPATH"];
    else process.env["PYTHONPATH"] = before;
  }
});
