import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { howToWrite } from "../../common/numberNotation.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { quote, quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type DelimitedRow, splitDelimited } from "../../formats/delimited.ts";
import { idsIn, type NamedArray, type NamedArrays, numbersOf } from "../../formats/namedArrays.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import { checkIds, refuseTornIds } from "../checkIds.ts";
import { onlyName, openNumbers } from "./openNumbers.ts";

/** One number for each sample, such as Faith's phylogenetic diversity. */
export interface SampleVector {
  /** Unique. */
  readonly ids: readonly string[];
  readonly values: Float64Array;
}

export interface ReadSampleVectorOptions {
  /** The sample of each value, for files that hold no ids. */
  readonly sampleOrder?: readonly string[];
  /** Column or array to take where there are several; defaults to `faith_pd` if there is one. */
  readonly column?: string;
}

const usualName = "faith_pd";
const artifact = {
  type: "SampleData[AlphaDiversity]",
  file: "alpha-diversity.tsv",
  meaning: "one number for each sample",
} as const;

/**
 * Reads one number for each sample: a table of two columns or more (tabs or commas, gzipped or not; ids
 * first), `.npy`, `.npz` or HDF5 (`faith_pd`, with `order` for the ids), or a QIIME 2 artifact of type
 * `SampleData[AlphaDiversity]`. The content decides, not the name.
 * @throws UserError for a file that is missing, damaged or of another kind, for a value that is no finite
 * number, and for a file without ids if `sampleOrder` is not given or does not fit.
 */
export function readSampleVector(path: string, options: ReadSampleVectorOptions = {}): SampleVector {
  const held = openNumbers(path, artifact);
  if ("array" in held) return fromArray(held.array, undefined, path, options);
  if ("arrays" in held) return fromArrays(held.arrays, path, options);
  return parseSampleVector(held.text, held.source, options);
}

function fromArrays(arrays: NamedArrays, path: string, options: ReadSampleVectorOptions): SampleVector {
  const usual = arrays.has(usualName) ? usualName : onlyName(arrays);
  const name = options.column ?? usual ?? usualName;
  if (!arrays.has(name)) {
    const held = arrays.names === undefined ? "" : ` (it holds ${arrays.names.join(", ")})`;
    throw new UserError(`${path} holds no array named ${name}${held}; name the array, or give another file.`);
  }
  return fromArray(arrays.get(name), idsIn(arrays), path, options);
}

function fromArray(
  array: NamedArray,
  idsInFile: readonly string[] | undefined,
  path: string,
  options: ReadSampleVectorOptions,
): SampleVector {
  const { shape, source } = array;
  if (shape.length === 0 || shape.slice(1).some((size) => size !== 1)) {
    throw new UserError(`${source} has the shape (${shape.join(", ")}); give one number for each sample.`);
  }
  const ids = idsInFile ?? options.sampleOrder;
  if (ids === undefined) {
    throw new UserError(
      `${path} holds ${shape[0]} values but no sample ids; give the samples' order in a file of ids, one on each line.`,
    );
  }
  if (ids.length !== shape[0]) {
    throw new UserError(
      `${path} holds ${shape[0]} values for ${ids.length} samples; both must be the same samples in the same order.`,
    );
  }
  const values = Float64Array.from(numbersOf(array));
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new UserError(
      `${source}: the value of ${quote(ids[bad])} is ${values[bad]}; every sample needs a finite number.`,
    );
  }
  checkIds(ids, "sample", path);
  return { ids, values };
}

/** Like `readSampleVector`, for a table as text. */
export function parseSampleVector(
  text: string,
  source: string,
  options: ReadSampleVectorOptions = {},
): SampleVector {
  const rows = splitDelimited(text, /^[^\n]*\t/m.test(text) ? "\t" : ",", source).filter(
    ({ cells }) => cells.some((cell) => cell !== "") && !(cells[0].startsWith("#") && cells.length === 1),
  );
  const [header, ...body] = rows;
  if (header === undefined || body.length === 0) {
    throw new UserError(
      `${source} holds no samples; give a table with a header, ids in its first column and a value each.`,
    );
  }
  refuseOtherWidths(header, body, source);
  const column = chooseColumn(header, source, options.column);
  const values = Float64Array.from(body, ({ line, cells }) => {
    const value = parseNumber(cells[column] ?? "");
    if (value !== undefined) return value;
    throw new UserError(
      `${source}, line ${line}: the value of ${quote(cells[0])} is ${quote(cells[column] ?? "")}, not a number; ${howToWrite(cells[column] ?? "")} or remove the row.`,
    );
  });
  const ids = body.map(({ cells }) => cells[0]);
  refuseRepeatedIds(body, source);
  return { ids, values };
}

/** Rows longer than the header would leave open which column a name belongs to. */
function refuseOtherWidths(header: DelimitedRow, body: readonly DelimitedRow[], source: string): void {
  const filled = ({ cells }: DelimitedRow) => cells.findLastIndex((cell) => cell !== "") + 1;
  const bad = body.find((row) => filled(row) > filled(header));
  if (bad === undefined) return;
  throw new UserError(
    `${source}, line ${bad.line}: the row of ${quote(bad.cells[0])} has ${filled(bad)} cells, but the header (line ${header.line}) names ` +
      `${filled(header)}; name every column, the ids' too, and write decimal points, not commas.`,
  );
}

function chooseColumn({ line, cells }: DelimitedRow, source: string, wanted: string | undefined): number {
  const names = cells.slice(1).filter((name) => name !== "");
  if (names.length > 0 && names.every((name) => parseNumber(name) !== undefined)) {
    throw new UserError(
      `${source}, line ${line}: the table has no header; add one, such as sample-id and faith_pd.`,
    );
  }
  const column = cells.indexOf(wanted ?? usualName, 1);
  if (column > 0) return column;
  if (wanted === undefined && names.length === 1) return cells.indexOf(names[0], 1);
  const held = quoteSome(names);
  throw new UserError(
    `${source}, line ${line}: the table has no column ${quote(wanted ?? usualName)} (it has ${held === "" ? "none" : held}); name the column to take.`,
  );
}

function refuseRepeatedIds(rows: readonly DelimitedRow[], source: string): void {
  const seen = new Set<string>();
  for (const { line, cells } of rows) {
    const where = `${source}, line ${line}`;
    if (cells[0] === "") throw new UserError(`${where}: the sample has no id; every row needs one.`);
    if (seen.has(cells[0])) {
      throw new UserError(`${where}: the id ${quote(cells[0])} stands twice; sample ids must be unique.`);
    }
    seen.add(cells[0]);
  }
}

/**
 * Writes a table of ids and values with the header `#SampleID` and `name`, as
 * unifrac-binaries' `faithpd` does.
 * @throws UserError if the file cannot be written or an id contains a tab or a line break.
 */
export function writeSampleVectorTsv(path: string, vector: SampleVector, name: string): void {
  writeFileAtomic(path, `#SampleID\t${name}\n${rowsOf(path, vector)}`);
}

/**
 * Writes them as a QIIME 2 artifact of type `SampleData[AlphaDiversity]`. @throws UserError as
 * `writeSampleVectorTsv` does.
 */
export function writeSampleVectorArtifact(path: string, vector: SampleVector, name: string): void {
  writeArtifact(path, artifact.type, `\t${name}\n${rowsOf(path, vector)}`);
}

function rowsOf(path: string, { ids, values }: SampleVector): string {
  refuseTornIds(path, ids);
  return ids.map((id, i) => `${id}\t${values[i]}\n`).join("");
}
