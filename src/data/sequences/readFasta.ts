import { isUtf8 } from "node:buffer";
import { decodeText, gunzipIfNeeded, readFileBytes, refuseNoText } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { ByteLines } from "../../formats/byteLines.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";

/**
 * An id without the annotations that vsearch and usearch write behind it: abundance, expected
 * errors and what follows.
 */
export function withoutSize(id: string): string {
  return id.replace(/;(size|ee)=.*$/, "");
}

/** IUPAC's letters for nucleotides; gaps belong to alignments, not to representative sequences. */
const sequencePattern = /^[ACGTURYSWKMBDHVN]+$/;

/**
 * Reads representative sequences: FASTA, gzipped or not, or a QIIME 2 artifact of type
 * `FeatureData[Sequence]`. The content decides, not the name. Sequences come in upper case, without line
 * breaks, in the file's order.
 * @returns sequence by id, which is the header's first word, without the `;size=12` of vsearch and usearch.
 * @throws UserError naming the line: text that is no FASTA, an id that is empty or stands twice, a letter
 * that stands for no nucleotide, an empty sequence.
 */
export function readFasta(path: string): Map<string, string> {
  return readFastaBytes(readFileBytes(path), path);
}

/** Like `readFasta`, for a file in memory; `source` names it in errors. */
export function readFastaBytes(bytes: Uint8Array, source: string): Map<string, string> {
  if (!isZip(bytes)) return parseFasta(gunzipIfNeeded(bytes, source), source);
  const artifact = openQzaBytes(bytes, source);
  if (artifact.type !== "FeatureData[Sequence]") {
    throw new UserError(
      `${source} is a QIIME 2 artifact of type ${artifact.type}; give one of type FeatureData[Sequence].`,
    );
  }
  return parseFasta(artifact.file("dna-sequences.fasta"), `dna-sequences.fasta in ${source}`);
}

function parseFasta(bytes: Uint8Array, source: string): Map<string, string> {
  refuseNoText(bytes, source);
  if (!isUtf8(bytes)) decodeText(bytes, source);
  const sequences = new Map<string, string>();
  const lines = new ByteLines(bytes);
  let id: string | undefined;
  let idLine = 0;
  let parts: string[] = [];
  const finish = () => {
    if (id === undefined) return;
    const sequence = parts.length === 1 ? parts[0] : parts.join("");
    if (sequence === "") {
      throw new UserError(`${source}, line ${idLine}: the sequence of ${quote(id)} is empty; remove it.`);
    }
    sequences.set(id, sequence);
  };
  while (lines.next()) {
    const line = lines.lineText().trim();
    if (line === "") continue;
    if (line.startsWith(">")) {
      finish();
      id = withoutSize(line.slice(1).split(/\s/, 1)[0]);
      idLine = lines.lineNumber;
      parts = [];
      if (id === "")
        throw new UserError(`${source}, line ${idLine}: the header has no id behind ">"; add one.`);
      if (sequences.has(id)) {
        throw new UserError(`${source}, line ${idLine}: the id ${quote(id)} stands twice; make ids unique.`);
      }
    } else if (id === undefined) {
      throw new UserError(
        `${source} is no FASTA file (line ${lines.lineNumber} does not start with ">"); give representative ` +
          `sequences as FASTA or as a QIIME 2 artifact.`,
      );
    } else {
      const letters = line.toUpperCase();
      if (!sequencePattern.test(letters)) throw badLetter(letters, id, lines.lineNumber, source);
      parts.push(letters);
    }
  }
  finish();
  if (sequences.size === 0) throw new UserError(`${source} holds no sequences; give a FASTA file with some.`);
  return sequences;
}

function badLetter(letters: string, id: string, line: number, source: string): UserError {
  const letter = [...letters].find((character) => !sequencePattern.test(character));
  const isGap = letter === "-" || letter === ".";
  const what = isGap ? "is a gap; give unaligned sequences" : "stands for no nucleotide; give DNA sequences";
  return new UserError(`${source}, line ${line}: ${quote(letter)} in the sequence of ${quote(id)} ${what}.`);
}
