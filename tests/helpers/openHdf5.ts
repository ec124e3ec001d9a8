import { readFileBytes } from "../../src/common/files/inputFile.ts";
import { type Hdf5File, openHdf5Bytes } from "../../src/formats/hdf5/read.ts";

export function openHdf5(path: string): Hdf5File {
  return openHdf5Bytes(readFileBytes(path), path);
}
