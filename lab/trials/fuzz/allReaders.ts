import { datasetReaders } from "./datasetReaders.ts";
import { fileReaders } from "./fileReaders.ts";
import type { FuzzedReader } from "./fuzzReader.ts";
import { runReaders } from "./runReaders.ts";

/** Every reader of the project. */
export function allReaders(): FuzzedReader[] {
  return [...fileReaders(), ...datasetReaders(), ...runReaders()];
}
