import { dlopen, type FFIFunction, toArrayBuffer } from "bun:ffi";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import { type FoundShim, findShim, prebuiltPackage } from "../setup/findShim.ts";
import { faultOfLibrary, reasonOfFailure } from "../setup/libraryFile.ts";
import { type Libtorch, sharedLibraryName } from "../setup/libtorchFolder.ts";
import { commandNames } from "../setup/places.ts";
import { kindOfStatus, TorchError } from "./errors.ts";
import { inOurWords } from "./errorWords.ts";

/** The interface number of native/aam_torch.h that this file is written for. */
const expectedAbi = 5;

/** Exports of the shim that return a status: the types of their arguments (contract: native/aam_torch.h). */
const statusFunctions = {
  aamt_abi: [],
  aamt_build_info: ["ptr", "i32"],
  aamt_last_error: ["ptr", "i32", "i32"],
  aamt_op_find: ["ptr", "i32", "ptr", "i32"],
  aamt_op_schema: ["i32", "ptr", "i32"],
  aamt_all_schemas: ["ptr", "i32"],
  aamt_op_pattern: ["i32", "ptr", "i32", "ptr"],
  aamt_op_call: ["i32", "ptr", "i32", "ptr", "i32", "ptr", "i32", "i32"],
  aamt_take_results: ["ptr", "i32"],
  aamt_free: ["f64"],
  aamt_free_many: ["ptr", "i32"],
  aamt_clone_handle: ["f64", "ptr"],
  aamt_live_handles: ["ptr"],
  aamt_meta: ["f64", "ptr", "i32"],
  aamt_from_host: ["ptr", "f64", "i32", "ptr", "i32", "i32", "ptr"],
  aamt_to_host: ["f64", "ptr", "f64"],
  aamt_fill_from_host: ["f64", "ptr", "f64"],
  aamt_item: ["f64", "ptr"],
  aamt_view: ["f64", "ptr"],
  aamt_set_requires_grad: ["f64", "i32"],
  aamt_grad: ["f64", "ptr"],
  aamt_grad_fn: ["f64", "ptr", "i32"],
  aamt_grads: ["ptr", "i32", "ptr"],
  aamt_clear_grads: ["ptr", "i32"],
  aamt_set_grad: ["f64", "f64"],
  aamt_backward: ["ptr", "ptr", "i32", "i32", "i32", "ptr", "i32"],
  aamt_autograd_grad: ["ptr", "ptr", "i32", "ptr", "i32", "i32", "i32", "i32", "ptr"],
  aamt_grad_enabled: [],
  aamt_set_grad_enabled: ["i32"],
  aamt_inference_mode_push: ["i32"],
  aamt_inference_mode_pop: [],
  aamt_anomaly_mode: ["i32", "i32"],
  aamt_turns_needed: [],
  aamt_turns_start: ["ptr", "ptr", "i32", "ptr", "i32", "i32", "i32", "i32", "i32"],
  aamt_turn_question: ["ptr", "i32"],
  aamt_turn_saved: ["ptr", "i32"],
  aamt_turn_answer: ["ptr", "i32"],
  aamt_turns_go_on: ["i32"],
  aamt_turns_results: ["ptr", "i32"],
  aamt_turns_forgotten: ["ptr", "i32"],
  aamt_function_allowed: [],
  aamt_function_apply: ["ptr", "i32", "ptr", "i32", "ptr"],
  aamt_refuse_second_derivative: ["ptr", "i32", "ptr", "i32", "ptr"],
  aamt_register_hook: ["f64", "f64", "i32"],
  aamt_remove_hook: ["f64"],
  aamt_retain_grad: ["f64"],
  aamt_transform_push: ["i32", "f64", "i32"],
  aamt_transform_pop: [],
  aamt_transform_wrap: ["i32", "f64", "f64", "f64", "f64", "ptr"],
  aamt_dual_level: ["i32"],
  aamt_anomaly_site: ["ptr", "i32", "i32"],
  aamt_anomaly_last: ["ptr", "i32"],
  aamt_profiler_start: ["i32", "i32", "i32", "i32"],
  aamt_profiler_mark: ["ptr", "i32"],
  aamt_profiler_stop: [],
  aamt_profiler_events: ["ptr", "i32"],
  aamt_profiler_save: ["ptr", "i32"],
  aamt_jit_load: ["ptr", "i32", "i32", "i32"],
  aamt_package_load: ["ptr", "i32", "i32"],
  aamt_package_run: ["i32", "ptr", "i32", "ptr", "i32"],
  aamt_jit_free: ["i32"],
  aamt_jit_methods: ["i32", "ptr", "i32"],
  aamt_jit_call: ["i32", "ptr", "i32", "ptr", "i32", "ptr", "i32", "ptr", "i32"],
  aamt_jit_structure: ["ptr", "i32"],
  aamt_jit_state: ["i32", "i32", "ptr", "i32"],
  aamt_jit_train: ["i32", "i32"],
  aamt_stream: ["i32", "i32", "i32", "ptr"],
  aamt_stream_use: ["f64", "i32", "ptr"],
  aamt_stream_synchronize: ["f64", "i32"],
  aamt_stream_query: ["f64", "i32"],
  aamt_record_stream: ["f64", "f64", "i32"],
  aamt_event: ["i32"],
  aamt_event_free: ["i32"],
  aamt_event_record: ["i32", "f64", "i32"],
  aamt_event_wait: ["i32", "f64", "i32"],
  aamt_event_synchronize: ["i32"],
  aamt_event_query: ["i32"],
  aamt_event_elapsed: ["i32", "i32", "ptr"],
  aamt_graph: [],
  aamt_graph_do: ["i32", "i32"],
  aamt_segment_begin: [],
  aamt_segment_end: ["ptr", "i32", "ptr"],
  aamt_segment_abort: [],
  aamt_autocast: ["i32", "i32", "i32", "i32", "i32", "ptr"],
  aamt_manual_seed: ["f64"],
  aamt_generator: ["i32", "i32", "i32", "ptr"],
  aamt_generator_free: ["f64"],
  aamt_generator_seed: ["f64", "f64"],
  aamt_generator_initial_seed: ["f64", "ptr"],
  aamt_generator_state: ["f64", "ptr"],
  aamt_generator_set_state: ["f64", "f64"],
  aamt_threads: ["i32", "i32"],
  aamt_set_interop_threads: ["i32"],
  aamt_deterministic: ["i32", "i32"],
  aamt_flush_denormal: ["i32"],
  aamt_float32_matmul_precision: ["i32"],
  aamt_cudnn_tf32: ["i32"],
  aamt_sdp_kernel: ["i32", "i32"],
  aamt_accelerator: ["ptr"],
  aamt_synchronize: ["i32"],
  aamt_device_index: ["i32"],
  aamt_empty_cache: [],
  aamt_device_memory: ["i32", "ptr"],
  aamt_reset_peak_memory: ["i32"],
  aamt_cpu_memory: ["ptr"],
  aamt_cpu_memory_reset_peak: [],
  aamt_cpu_cache_limit: ["f64"],
  aamt_cpu_empty_cache: [],
  aamt_group_available: [],
  aamt_store_serve: ["i32"],
  aamt_group_open: ["ptr", "i32", "i32", "i32", "i32", "i32", "ptr", "i32", "i32", "f64"],
  aamt_group_close: [],
  aamt_group_post: ["ptr", "i32", "ptr", "i32", "ptr", "i32"],
  aamt_group_read: ["ptr", "i32", "ptr", "i32"],
  aamt_group_silent: ["ptr", "i32"],
} as const satisfies Record<string, readonly ("ptr" | "i32" | "f64")[]>;

/** Exports that return a number (a handle, bytes) or, below 0, a status. */
const numberFunctions = {
  aamt_owned_bytes: ["f64"],
  aamt_turns_id: [],
  aamt_call: ["i32", "f64", "f64", "f64", "f64", "f64"],
  aamt_call_with_list: ["i32", "f64", "ptr", "i32", "f64", "f64", "f64", "f64"],
  aamt_call_with_tensors: ["i32", "ptr", "i32", "f64"],
} as const satisfies Record<string, readonly ("ptr" | "i32" | "f64")[]>;

/**
 * What an argument of each native type is in TypeScript. A `ptr` is always the typed array
 * itself, never its address.
 */
type NativeArgument<T> = T extends "ptr" ? Float64Array | Uint8Array | null : number;
type NativeArguments<Types extends readonly unknown[]> = {
  -readonly [I in keyof Types]: NativeArgument<Types[I]>;
};
type NativeFunctions<Table extends Record<string, readonly unknown[]>> = {
  [Name in keyof Table]: (...args: NativeArguments<Table[Name]>) => number;
};

interface CollectorFunctions {
  /** The address of the collector's deallocator; see `adoptMemory`. */
  aamt_collect_address(): number;
}

export type Shim = NativeFunctions<typeof statusFunctions> &
  NativeFunctions<typeof numberFunctions> &
  CollectorFunctions;

/** What the shim must export, with types; a test compares it with the header. */
export const shimFunctions: Readonly<Record<string, { args: readonly string[]; returns: string }>> = {
  ...withResult(statusFunctions, "i32"),
  ...withResult(numberFunctions, "f64"),
  aamt_collect_address: { args: [], returns: "ptr" },
};

function withResult(table: Record<string, readonly string[]>, returns: string) {
  return Object.fromEntries(Object.entries(table).map(([name, args]) => [name, { args, returns }]));
}

/** Facts compiled into the shim. */
export interface BuildInfo {
  /** LibTorch's version whose headers were compiled against. */
  readonly compiled: string;
  /** LibTorch's version that the build looked for. */
  readonly libtorch: string;
  readonly sourceHash: string;
  /** Whether LibTorch found usable CUDA. */
  readonly cuda: boolean;
  readonly mkldnn: boolean;
  readonly mkl: boolean;
  readonly parallel: string;
  /** The instruction set that LibTorch's own kernels use, e.g. `AVX512`. */
  readonly cpu: string;
}

const decoder = new TextDecoder();

/**
 * How long LibTorch's threads (OpenMP) wait busily for each other before they sleep, unless the user has said
 * so. The library's default, about a millisecond, is right only where no other process wants the cores:
 * beside one it makes everything twice as slow.
 */
function calmThreads(): void {
  if (process.platform !== "linux" || process.env["GOMP_SPINCOUNT"] || process.env["OMP_WAIT_POLICY"]) return;
  // What Bun sets in process.env is not seen by native code.
  const libc = dlopen("libc.so.6", { setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" } });
  libc.symbols.setenv(Buffer.from("GOMP_SPINCOUNT\0"), Buffer.from("2000\0"), 0);
}

/**
 * Loads LibTorch's libraries from their folder, so that those the shim asks for by name are there already: it
 * does not say where they lie, as it may have been built on another machine.
 */
function loadLibtorch({ libDir }: Libtorch): void {
  const c = dlopen(process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6", {
    dlopen: { args: ["cstring", "i32"], returns: "ptr" },
    dlerror: { args: [], returns: "cstring" },
  });
  const now = 2;
  for (const stem of ["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"]) {
    const path = join(libDir, sharedLibraryName(stem));
    if (!existsSync(path)) continue;
    const fault =
      faultOfLibrary(path) ??
      (c.symbols.dlopen(Buffer.from(`${path}\0`), now) === null
        ? `cannot be loaded (${reasonOfFailure(path, String(c.symbols.dlerror()))})`
        : undefined);
    if (fault !== undefined)
      throw new UserError(`LibTorch's ${path} ${fault}: install torch anew, or set LIBTORCH to another one.`);
  }
}

/** One sentence about a shim that does not serve, with the cure. `fault` follows its name. */
function refusal({ path, origin, libtorch }: FoundShim, fault: string): UserError {
  if (origin === "variable")
    return new UserError(
      `AAM_TORCH_SHIM names ${path}, which ${fault}: give it the native part of this version of the toolkit for LibTorch ` +
        `${libtorch.version}, or unset it and let one be found or built.`,
    );
  const cure =
    origin === "package"
      ? `install ${prebuiltPackage} anew, or remove it and let the native part be built`
      : `delete it and run \`${commandNames.setup}\`, which builds it`;
  return new UserError(`The native part ${path} ${fault}: ${cure}.`);
}

function load(): { shim: Shim; path: string } {
  const found = findShim();
  const { path, libtorch } = found;
  const fault = faultOfLibrary(path);
  if (fault !== undefined) throw refusal(found, fault);
  if (found.origin === "build") checkBuild(path);
  calmThreads();
  loadLibtorch(libtorch);
  let shim: Shim;
  try {
    shim = dlopen(path, shimFunctions as Record<string, FFIFunction>).symbols as unknown as Shim;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const isOther = said.startsWith('Symbol "');
    throw refusal(
      found,
      isOther
        ? "is a library, but not of this version of the toolkit"
        : `cannot be loaded (${reasonOfFailure(path, said)})`,
    );
  }
  const abi = shim.aamt_abi();
  if (abi !== expectedAbi)
    throw refusal(found, `is of another version of the toolkit (interface ${abi} instead of ${expectedAbi})`);
  const { compiled } = readBuildInfo(shim);
  if (found.origin !== "build" && !libtorch.version.startsWith(compiled)) {
    throw refusal(
      found,
      `was built for LibTorch ${compiled}, but LibTorch ${libtorch.version} was found in ${libtorch.root}`,
    );
  }
  return { shim, path };
}

/**
 * The hash of sources and LibTorch in a shim's name is compiled into it, too.
 * @throws UserError, before anything is loaded, for a file that was put under another build's name.
 */
export function checkBuild(path: string): void {
  const hash = /-([0-9a-f]+)\.\w+$/.exec(path)?.[1] ?? path;
  if (readFileSync(path).includes(hash)) return;
  throw new UserError(
    `The native part ${path} was built for another LibTorch or from other sources than its name says: delete it and run \`${commandNames.setup}\`.`,
  );
}

const loaded = load();

/** The loaded shim. Every call returns a status that `check` turns into an error. */
export const shim: Shim = loaded.shim;

/** Where the loaded shim lies. */
export const shimPath: string = loaded.path;

/** The collector's deallocator in the shim. */
const deallocator = shim.aamt_collect_address();

/**
 * An ArrayBuffer over native memory. When it becomes unreachable, the collector frees `handle` in the shim
 * (which does nothing if that was freed before); this happens inside the collector on this thread, also in
 * synchronous code. (Bun's own types leave out the last two parameters.)
 */
export function adoptMemory(address: number, bytes: number, handle: number): ArrayBuffer {
  const adopt = toArrayBuffer as unknown as (...args: number[]) => ArrayBuffer;
  return adopt(address, 0, bytes, handle, deallocator);
}

/**
 * An ArrayBuffer that must never be read or written: the collector believes that it holds `bytes` bytes,
 * and frees `handle` with it.
 */
export function claimMemory(bytes: number, handle: number): ArrayBuffer {
  return adoptMemory(deallocator, bytes, handle);
}

/**
 * Reads text that a native function writes into a buffer, asking again with a larger one if it does not fit.
 */
export function readText(read: (buffer: Uint8Array, capacity: number) => number): string {
  let buffer = new Uint8Array(4096);
  let length = check(read(buffer, buffer.length));
  if (length > buffer.length) {
    buffer = new Uint8Array(length);
    length = check(read(buffer, buffer.length));
  }
  return decoder.decode(buffer.subarray(0, length));
}

/**
 * Whether errors carry the native backtrace: finding its names takes milliseconds. PyTorch's own variable.
 */
const withNativeStack = process.env["TORCH_SHOW_CPP_STACKTRACES"] === "1";

/** The text of this thread's last native error; `nativeStack` has the backtrace too, where it is wanted. */
export function lastError(): { text: string; nativeStack: string } {
  const read = (full: number) => readText((buffer, capacity) => shim.aamt_last_error(buffer, capacity, full));
  return { text: inOurWords(read(0)), nativeStack: withNativeStack ? read(1) : "" };
}

/** Passes a status on, or throws what it stands for. `what` names the operation in the message. */
export function check(status: number, what = ""): number {
  if (status >= 0) return status;
  throw nativeError(status, what);
}

/** The error that a negative status stands for. `prefix` is put before LibTorch's text, `suffix` behind. */
export function nativeError(status: number, prefix: string, suffix = ""): TorchError {
  const { text, nativeStack } = lastError();
  return new TorchError(
    (prefix ? `${prefix}: ${text}` : text) + suffix,
    kindOfStatus(status),
    prefix,
    nativeStack,
  );
}

let info: BuildInfo | undefined;

/** Facts about the loaded shim and LibTorch. */
export function buildInfo(): BuildInfo {
  info ??= readBuildInfo(shim);
  return info;
}

function readBuildInfo(from: Shim): BuildInfo {
  return JSON.parse(readText((buffer, capacity) => from.aamt_build_info(buffer, capacity))) as BuildInfo;
}
