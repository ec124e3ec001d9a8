/** `torch.inductor`: models that Python compiled ahead of time (AOTInductor packages, `.pt2`). */
import { UserError } from "../../common/userError.ts";
import type { Tensor } from "../core/tensor.ts";
import { checkReadable, readStructure, resultHandles } from "../jit/scriptModule.ts";
import { TorchError } from "../native/errors.ts";
import { check, shim } from "../native/library.ts";

const encoder = new TextEncoder();
const packages = new FinalizationRegistry<number>((number) => void shim.aamt_jit_free(number));

/**
 * A compiled model: fast, for the shapes and the kind of machine that it was compiled for; without gradients.
 */
export class CompiledPackage {
  readonly #number: number;

  /** @internal use `torch.inductor.loadPackage`. */
  constructor(number: number) {
    this.#number = number;
    packages.register(this, number, this);
  }

  /** The outputs, flat and in their order, for the inputs in the order in which they were exported. */
  forward(...inputs: Tensor[]): Tensor[] {
    const handles = Float64Array.from(inputs.length > 0 ? inputs : [], (input) => input.handle);
    const given = handles.length > 0 ? handles : new Float64Array(1);
    const count = check(
      shim.aamt_package_run(this.#number, given, inputs.length, resultHandles, resultHandles.length),
      "CompiledPackage",
    );
    return readStructure(count) as Tensor[];
  }

  /** Frees the model now. */
  dispose(): void {
    packages.unregister(this);
    check(shim.aamt_jit_free(this.#number));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Reads what Python wrote with `torch._inductor.aoti_compile_and_package`. Such a package holds machine code,
 * which runs with the rights of the process: load only what you trust.
 * @throws UserError for other files.
 */
export function loadPackage(path: string, options: { deviceIndex?: number } = {}): CompiledPackage {
  checkReadable(path);
  const bytes = encoder.encode(path);
  try {
    return new CompiledPackage(
      check(shim.aamt_package_load(bytes, bytes.length, options.deviceIndex ?? -1), "loadPackage"),
    );
  } catch (cause) {
    if (!(cause instanceof TorchError)) throw cause;
    throw new UserError(
      `${path} cannot be loaded as a compiled package: ${cause.message.split("\n")[0]} Write it with torch._inductor.aoti_compile_and_package, with the PyTorch that is used here.`,
    );
  }
}
