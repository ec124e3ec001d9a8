/**
 * Where a tensor lives: `"cpu"`, `"cuda"` (the current CUDA device) or `"cuda:1"`; also
 * LibTorch's other accelerators.
 */
export type Device = "cpu" | "cuda" | `cuda:${number}` | "mps" | "xpu" | "meta" | `xpu:${number}`;

/** `c10::DeviceType`. */
const types: Record<string, number> = { cpu: 0, cuda: 1, hip: 6, xpu: 12, mps: 13, meta: 14 };
const typeNames = new Map(Object.entries(types).map(([name, type]) => [type, name]));
const parsed = new Map<string, { type: number; index: number }>();

function read(device: unknown): { type: number; index: number } | undefined {
  const known = parsed.get(device as string);
  if (known) return known;
  const match = typeof device === "string" ? /^([a-z]+)(?::(\d{1,2}))?$/.exec(device) : null;
  const type = match && Object.hasOwn(types, match[1]) ? types[match[1]] : undefined;
  if (!match || type === undefined) return undefined;
  const result = { type, index: match[2] === undefined ? -1 : Number(match[2]) };
  parsed.set(device as string, result);
  return result;
}

export function isDevice(value: unknown): value is Device {
  return read(value) !== undefined;
}

/**
 * Reads a device's name. Index -1 is the current device of its type.
 * @throws TypeError for an unknown name.
 */
export function parseDevice(device: Device): { type: number; index: number } {
  const result = read(device);
  if (!result) {
    throw new TypeError(`${JSON.stringify(device)} is not a device; expected "cpu", "cuda" or "cuda:N"`);
  }
  return result;
}

/** The name of LibTorch's device type and index, e.g. `"cuda:0"`. */
export function deviceName(type: number, index: number): Device {
  const name = typeNames.get(type) ?? `device${type}`;
  return (type === 0 || index < 0 ? name : `${name}:${index}`) as Device;
}

export function deviceTypeName(type: number): string {
  return typeNames.get(type) ?? `device${type}`;
}
