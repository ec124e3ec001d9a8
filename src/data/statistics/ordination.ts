import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { isArtifact } from "../../formats/namedArrays.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { checkIds, refuseTornIds } from "../checkIds.ts";

/** Coordinates of samples on some axes, the one that explains most first. */
export interface Ordination {
  /** Unique. */
  readonly ids: readonly string[];
  /** One for each axis. */
  readonly eigenvalues: Float64Array;
  /** Share of all variation on each axis, 0 to 1. */
  readonly explained: Float64Array;
  /** [samples, axes], row after row. */
  readonly coordinates: Float64Array;
}

/** Samples whose lines are encoded together. */
const linesPerPiece = 256;

/**
 * The bytes of an ordination in scikit-bio's text format (`OrdinationResults`), which QIIME 2 keeps in
 * artifacts of type `PCoAResults` as `ordination.txt`: eigenvalues, proportions explained and the samples
 * ("Site"), with the sections that a PCoA lacks declared empty.
 */
export function* ordinationText({
  ids,
  eigenvalues,
  explained,
  coordinates,
}: Ordination): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const axes = eigenvalues.length;
  yield encoder.encode(
    `Eigvals\t${axes}\n${eigenvalues.join("\t")}\n\nProportion explained\t${axes}\n${explained.join("\t")}\n\n` +
      `Species\t0\t0\n\nSite\t${ids.length}\t${axes}\n`,
  );
  for (let from = 0; from < ids.length; from += linesPerPiece) {
    const lines = ids.slice(from, from + linesPerPiece).map((id, i) => {
      const start = (from + i) * axes;
      return `${id}\t${coordinates.subarray(start, start + axes).join("\t")}\n`;
    });
    yield encoder.encode(lines.join(""));
  }
  yield encoder.encode("\nBiplot\t0\t0\n\nSite constraints\t0\t0\n");
}

/**
 * Writes `ordinationText` into a file. @throws UserError if it cannot be written or an id contains a tab or
 * a line break.
 */
export function writeOrdination(path: string, ordination: Ordination): void {
  refuseTornIds(path, ordination.ids);
  writeFileAtomic(path, ordinationText(ordination));
}

/** Writes it as a QIIME 2 artifact of type `PCoAResults`. @throws UserError as `writeOrdination` does. */
export function writeOrdinationArtifact(path: string, ordination: Ordination): void {
  refuseTornIds(path, ordination.ids);
  writeArtifact(path, "PCoAResults", () => ordinationText(ordination));
}

/**
 * Writes the coordinates as a table of samples and axes (`PC1`, `PC2`, ...), which serves as metadata too.
 * @throws UserError if the file cannot be written or an id contains a tab or a line break.
 */
export function writeCoordinatesTsv(path: string, { ids, eigenvalues, coordinates }: Ordination): void {
  refuseTornIds(path, ids);
  const axes = eigenvalues.length;
  const names = Array.from({ length: axes }, (_, axis) => `PC${axis + 1}`);
  const rows = ids.map((id, i) => `${id}\t${coordinates.subarray(i * axes, (i + 1) * axes).join("\t")}\n`);
  writeFileAtomic(path, `sample-id\t${names.join("\t")}\n${rows.join("")}`);
}

/**
 * Whether a file holds an ordination: scikit-bio's text, or an artifact of type `PCoAResults`. @throws
 * UserError if it cannot be read.
 */
export function isOrdination(path: string): boolean {
  const bytes = readFileBytes(path);
  if (isZip(bytes))
    return isArtifact(bytes, path) && /^PCoAResults( %|$)/.test(openQzaBytes(bytes, path).type);
  const start = gunzipIfNeeded(bytes, path).subarray(0, 8);
  return new TextDecoder().decode(start).startsWith("Eigvals\t");
}

/**
 * Reads an ordination: scikit-bio's text format, gzipped or not, or a QIIME 2 artifact of type `PCoAResults`.
 * @throws UserError for a file that is missing, damaged or of another kind.
 */
export function readOrdination(path: string): Ordination {
  const bytes = readFileBytes(path);
  if (!isZip(bytes)) return parseOrdination(decodeText(gunzipIfNeeded(bytes, path), path), path);
  const artifact = openQzaBytes(bytes, path);
  if (!/^PCoAResults( %|$)/.test(artifact.type))
    throw new UserError(
      `${path} is a QIIME 2 artifact of type ${artifact.type}, not an ordination; give one of type PCoAResults.`,
    );
  const source = `${path} (data/ordination.txt)`;
  return parseOrdination(decodeText(artifact.file("ordination.txt"), source), source);
}

/** Like `readOrdination`, for text in memory. */
export function parseOrdination(text: string, source: string): Ordination {
  const lines = text.split(/\r\n?|\n/);
  const damaged = (line: number, what: string) =>
    new UserError(`${source}, line ${line + 1}: ${what}; write the ordination anew.`);
  const section = (name: string) => {
    const at = lines.findIndex((line) => line.startsWith(`${name}\t`));
    if (at < 0) throw new UserError(`${source} is no ordination: it has no section ${quote(name)}.`);
    return { at, sizes: lines[at].split("\t").slice(1).map(Number) };
  };
  const numbers = (line: number, cells: readonly string[], count: number) => {
    if (cells.length !== count)
      throw damaged(line, `${cells.length} numbers stand where ${count} are announced`);
    return cells.map((cell) => {
      const value = parseNumber(cell.trim());
      if (value === undefined) throw damaged(line, `${quote(cell)} is not a finite number`);
      return value;
    });
  };
  const vector = (name: string) => {
    const { at, sizes } = section(name);
    return Float64Array.from(numbers(at + 1, (lines[at + 1] ?? "").split("\t"), sizes[0]));
  };
  const eigenvalues = vector("Eigvals");
  const explained = vector("Proportion explained");
  const { at, sizes } = section("Site");
  const [samples, axes] = sizes;
  if (axes !== eigenvalues.length || explained.length !== axes)
    throw damaged(at, `the samples have ${axes} axes, but there are ${eigenvalues.length} eigenvalues`);
  const ids: string[] = [];
  const coordinates = new Float64Array(samples * axes);
  for (let i = 0; i < samples; i++) {
    const [id, ...cells] = (lines[at + 1 + i] ?? "").split("\t");
    ids.push(id);
    coordinates.set(numbers(at + 1 + i, cells, axes), i * axes);
  }
  checkIds(ids, "sample", source);
  return { ids, eigenvalues, explained, coordinates };
}
