import { commandNames } from "../setup/places.ts";

/** What LibTorch's texts leave out or say in Python's or C++'s words, and the cure in this library's. */
const terms: readonly (readonly [said: RegExp, ours: string])[] = [
  // Every LibTorch with CUDA (or another accelerator) can make empty tensors there; the original
  // lists all other backends, on sixty lines.
  [
    /Could not run 'aten::empty[^']*' with arguments from the '(CUDA|HIP|MPS|XPU)' backend.*/s,
    `this LibTorch was built without $1 (\`${commandNames.doctor}\` shows what was found); use the device cpu`,
  ],
  [
    /PyTorch is not linked with support for (\w+) devices.*/s,
    `this LibTorch has no device $1 (\`${commandNames.doctor}\` shows what was found); use the device cpu`,
  ],
  [
    /(expected target dtype to be Long.*|Expected dtype int32 or int64 for index.*|scalar types: Long, Int;.*|tensors used as indices must be long.*)/s,
    '$1; numbers make float32 tensors unless dtype: "int64" is given, and .to("int64") converts them',
  ],
  [/Specify retain_graph=True/, "Give retainGraph: true"],
  [
    /grad can be implicitly created only for scalar outputs/,
    "$&; call it on a sum or mean, or give it the output's gradient",
  ],
];

/** A text of LibTorch's with its words replaced and its cure added where one is known. */
export function inOurWords(text: string): string {
  return terms.reduce((told, [said, ours]) => told.replace(said, ours), text);
}
