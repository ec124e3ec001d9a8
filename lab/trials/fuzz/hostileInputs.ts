/**
 * Inputs that somebody made to bring a reader down: bombs, impossible sizes, deep nesting, code to be run.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { encodeRecord } from "../../../src/formats/tensorboard/tfRecord.ts";
import { makeQza, qzaUuid } from "../../material/makeQza.ts";
import { makeZip } from "../../material/makeZip.ts";

export interface HostileInput {
  /** The name of one of `allReaders`. */
  readonly reader: string;
  readonly what: string;
  readonly bytes: Uint8Array;
  /** In the sentence, where another reason would hide that the input did not get far enough. */
  readonly says?: RegExp;
}

const text = (content: string) => new TextEncoder().encode(content);
const latin1 = (content: string) => new Uint8Array(Buffer.from(content, "latin1"));
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const many = 1_000_000;

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** The tables of the fixtures have seven counts. */
const counts = 7n;

/** An HDF5 table whose counts are said to be so many. */
function resizedBiom(name: string, size: bigint): Uint8Array {
  const bytes = new Uint8Array(
    gunzipSync(readFileSync(join(import.meta.dir, `../../../tests/fixtures/tables/${name}.biom.gz`))),
  );
  const old = uint64(counts);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let changed = 0;
  for (let at = buffer.indexOf(old); at >= 0; at = buffer.indexOf(old, at + 1)) {
    bytes.set(uint64(size), at);
    changed++;
  }
  if (changed === 0) throw new Error(`${name} does not have ${counts} counts`);
  return bytes;
}

function npy(header: string, options: { length?: number; data?: Uint8Array } = {}): Uint8Array {
  const content = text(`${header}\n`);
  const start = latin1("\x93NUMPY\x02\x00----");
  new DataView(start.buffer).setUint32(8, options.length ?? content.length, true);
  return joined(start, content, options.data ?? new Uint8Array(0));
}
const npyOf = (descr: string, shape: string, fortran = "False") =>
  npy(`{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`);

function safetensors(header: string, length?: bigint): Uint8Array {
  const content = text(header);
  return joined(uint64(length ?? BigInt(content.length)), content, new Uint8Array(16));
}

/** A file as torch.save writes it, with this pickle. */
function pickled(pickle: Uint8Array): Uint8Array {
  return makeZip([
    { name: "archive/data.pkl", content: pickle, stored: true },
    { name: "archive/data/0", content: new Uint8Array(64), stored: true },
  ]);
}
const pickleOf = (...parts: (string | Uint8Array)[]) =>
  pickled(joined(...parts.map((part) => (typeof part === "string" ? latin1(part) : part))));
const attack = "cposix\nsystem\n(X\x04\x00\x00\x00truetR";

/** Ten times ten times ten ... references to the same list. */
const laughs = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
  .concat(
    Array.from({ length: 12 }, (_, i) => {
      const [name, before] = [98 + i, 97 + i].map((code) => String.fromCharCode(code));
      return `${name}: &${name} [${Array(10).fill(`*${before}`).join(", ")}]`;
    }),
  )
  .join("\n");

function textInputs(): HostileInput[] {
  const json = (rows: string, more: string) =>
    text(`{"format": "Biological Observation Matrix 1.0.0", "rows": ${rows}, ${more}}`);
  const nested = "[".repeat(many) + "]".repeat(many);
  return [
    { reader: "BIOM 1", what: "a million lists in each other", bytes: json(nested, '"columns": []') },
    {
      reader: "BIOM 1",
      what: "a shape of 10^18",
      bytes: json('[{"id": "A"}]', '"columns": [{"id": "S"}], "shape": [1e18, 1e18], "data": []'),
    },
    {
      reader: "BIOM 1",
      what: "an index of 2^53",
      bytes: json(
        '[{"id": "A"}]',
        '"columns": [{"id": "S"}], "shape": [1, 1], "data": [[9007199254740992, 0, 1]]',
      ),
    },
    {
      reader: "classic tables",
      what: "a million empty columns",
      bytes: text(`#OTU ID${"\t".repeat(many)}\nA\t1\n`),
    },
    {
      reader: "classic tables",
      what: "a cell of ten million digits",
      bytes: text(`\tS1\nA\t${"9".repeat(10 * many)}\n`),
    },
    { reader: "FASTA", what: "a million headers without sequences", bytes: text(">a\n".repeat(many)) },
    { reader: "Newick", what: "a million open parentheses", bytes: text("(".repeat(many)) },
    { reader: "Newick", what: "a million open comments", bytes: text(`(a${"[".repeat(many)}`) },
    { reader: "Newick", what: "a label that never ends", bytes: text(`('${"x".repeat(5 * many)}`) },
    {
      reader: "Newick",
      what: "a million closed parentheses too many",
      bytes: text(`(a,b)${")".repeat(many)};`),
    },
    { reader: "Newick", what: "a length of 10^999", bytes: text("(a:1e999,b:1);") },
    {
      reader: "metadata, tabs",
      what: "a million columns of one name",
      bytes: text(`id${"\tx".repeat(many)}\nS1\n`),
    },
    {
      reader: "metadata, commas",
      what: "a quotation that never ends",
      bytes: text(`id,a\nS1,"${"x\n".repeat(many)}`),
    },
    { reader: "distances, text", what: "a million columns", bytes: text(`${"\tS".repeat(many)}\nS\t0\n`) },
    { reader: "lists of ids", what: "no text at all", bytes: new Uint8Array(many).fill(255) },
    {
      reader: "values per sample",
      what: "a million columns",
      bytes: text(`id${"\tx".repeat(many)}\nS1\t1\n`),
    },
    { reader: "configurations, YAML", what: "lists that multiply", bytes: text(laughs) },
    {
      reader: "configurations, YAML",
      what: "20,000 lists in each other",
      bytes: text(`a: ${"[".repeat(20_000)}`),
    },
    {
      reader: "configurations, YAML",
      what: "20,000 lists on one line",
      bytes: text("- ".repeat(20_000)),
    },
    { reader: "configurations, YAML", what: "30 MB of settings", bytes: text("a: 1\n".repeat(6 * many)) },
    {
      reader: "QIIME 2 artifacts",
      what: "YAML of 20,000 lists in each other",
      bytes: makeZip([{ name: `${qzaUuid}/metadata.yaml`, content: text(`a: ${"[".repeat(20_000)}`) }]),
    },
    {
      reader: "configurations, YAML",
      what: "a function",
      bytes: text("metric: !!js/function 'function () {}'\n"),
    },
    {
      reader: "configurations, JSON",
      what: "a prototype",
      bytes: text('{"__proto__": {"polluted": 1}, "metric": 3}'),
    },
    {
      reader: "configurations, JSON",
      what: "20,000 objects in each other",
      bytes: text('{"model":'.repeat(20_000)),
    },
  ];
}

function compressedInputs(): HostileInput[] {
  const zeros = new Uint8Array(300 * 2 ** 20);
  const gzipBomb = new Uint8Array(gzipSync(zeros));
  const readers = ["gzip and QIIME 2 artifacts", "Newick", "metadata, tabs", "lists of ids", "FASTA"];
  const inputs = [...readers, "distances, text", "values per sample"].map((reader) => ({
    reader,
    what: "300 MiB of zeros in 300 KiB of gzip",
    bytes: gzipBomb,
  }));
  const part = { name: `${qzaUuid}/data/feature-table.biom`, content: zeros };
  const metadata = {
    name: `${qzaUuid}/metadata.yaml`,
    content: text(`uuid: ${qzaUuid}\ntype: FeatureTable[Frequency]\nformat: BIOMV210DirFmt\n`),
  };
  const honest = makeZip([metadata, part]);
  const lying = makeZip([metadata, { ...part, stated: { size: 1000 } }]);
  const matrix = { name: "matrix.npy", content: zeros };
  return [
    ...inputs,
    { reader: "QIIME 2 artifacts", what: "300 MiB of zeros", bytes: honest },
    { reader: "QIIME 2 artifacts", what: "300 MiB that claim to be 1000 bytes", bytes: lying },
    {
      reader: "QIIME 2 artifacts",
      what: "a way out of the folder",
      bytes: makeZip([metadata, { name: `${qzaUuid}/data/../../../etc/passwd`, content: text("x") }]),
    },
    {
      reader: "QIIME 2 artifacts",
      what: "YAML that multiplies",
      bytes: makeZip([{ name: `${qzaUuid}/metadata.yaml`, content: text(laughs) }]),
    },
    {
      reader: "Newick in artifacts",
      what: "a million open parentheses",
      bytes: makeQza("Phylogeny[Rooted]", { "tree.nwk": text("(".repeat(many)) }),
    },
    { reader: "distances, npz", what: "300 MiB of zeros", bytes: makeZip([matrix]) },
    {
      reader: "distances, npz",
      what: "a huge shape",
      bytes: makeZip([{ name: "matrix.npy", content: npyOf("<f8", "(4000000000, 4000000000)") }]),
    },
  ];
}

function binaryInputs(): HostileInput[] {
  const sizes = [2n ** 31n, 2n ** 40n, 2n ** 63n, 2n ** 64n - 1n];
  const tables = ["contiguous", "gzip", "single-chunk-gzip"].flatMap((name) =>
    sizes.map((size) => ({
      reader: name.startsWith("single") ? "BIOM 2, new HDF5 structures" : "BIOM 2, old HDF5 structures",
      what: `${name}: ${size} counts`,
      bytes: resizedBiom(name, size),
    })),
  );
  const shapes = ["(1000000000000000000,)", "(4294967296, 4294967296)", `(${"9".repeat(400)},)`, "(-5,)"];
  const arrays = [
    ...shapes.map((shape) => ({ what: `the shape ${shape.slice(0, 30)}`, bytes: npyOf("<f8", shape) })),
    { what: "a header of 4 GiB", bytes: npy("{}", { length: 0xffffffff }) },
    { what: "texts of a billion letters", bytes: npyOf("<U1000000000", "(3,)") },
    { what: "10^15 texts of no letter", bytes: npyOf("|S0", "(1000000000000000,)") },
    { what: "Python objects", bytes: npyOf("|O", "(1,)") },
  ].map((input) => ({ reader: "npy", ...input }));
  const tensor = (shape: string, offsets: string) =>
    safetensors(`{"a": {"dtype": "F32", "shape": ${shape}, "data_offsets": ${offsets}}}`);
  const tensors = [
    { what: "a header of 2^63 bytes", bytes: safetensors("{}", 2n ** 63n) },
    { what: "a header of 90 MiB", bytes: safetensors("{}", 90n << 20n) },
    { what: "a million lists in each other", bytes: safetensors(`{"a": ${"[".repeat(many)}`) },
    { what: "a shape of 2^62", bytes: tensor("[2147483648, 2147483648]", "[0, 16]") },
    { what: "a negative size", bytes: tensor("[-4, -1]", "[0, 16]") },
    { what: "a negative place", bytes: tensor("[4]", "[-16, 0]") },
    { what: "values beyond the end", bytes: tensor("[4000000000]", "[0, 16000000000]") },
  ].map((input) => ({ reader: "safetensors", ...input }));
  const pickles = [
    {
      what: "a call of os.system",
      says: /posix\.system at the top/,
      bytes: pickleOf("\x80\x02", attack, "."),
    },
    {
      what: "a call whose result is thrown away",
      says: /calls "posix\.system"/,
      bytes: pickleOf("\x80\x02", attack, "0N."),
    },
    {
      what: "a call as an attribute",
      says: /posix\.system at a;/,
      bytes: pickleOf("\x80\x02}X\x01\x00\x00\x00a", attack, "s."),
    },
    {
      what: "the operation INST",
      says: /operation INST/,
      bytes: pickleOf("\x80\x02(X\x04\x00\x00\x00trueiposix\nsystem\n."),
    },
    {
      what: "the operation OBJ",
      says: /operation OBJ/,
      bytes: pickleOf("\x80\x02(cposix\nsystem\nX\x04\x00\x00\x00trueo."),
    },
    { what: "an extension's code", says: /operation EXT1/, bytes: pickleOf("\x80\x02\x82\x01.") },
    {
      what: "keywords for a class",
      says: /operation NEWOBJ_EX/,
      bytes: pickleOf("\x80\x04cbuiltins\neval\n)}\x92."),
    },
    {
      what: "an integer of 5 MB",
      says: /an integer of 5000000 bytes/,
      bytes: pickleOf("\x80\x02\x8b\x40\x4b\x4c\x00", new Uint8Array(5_000_000).fill(77), "."),
    },
    { what: "a text of 4 GiB", says: /ends too early/, bytes: pickleOf("\x80\x02X\xff\xff\xff\xff.") },
    {
      what: "half a million lists in each other, around a class",
      says: /nested more than/,
      bytes: pickleOf("\x80\x02", "]".repeat(many / 2), "cposix\nsystem\n", "a".repeat(many / 2), "."),
    },
    {
      what: "a storage of 2^40 values",
      says: /a storage without a tensor/,
      bytes: pickleOf(
        "\x80\x02((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu\x8a\x06\x00\x00\x00\x00\x00\x01tQt.",
      ),
    },
  ].map((input) => ({ reader: "pt", ...input }));
  const records = [
    {
      what: "a record of 2^60 bytes, with a checksum of its length",
      bytes: joined(encodeRecord(text("x")).subarray(0, 3), new Uint8Array(40).fill(127)),
    },
    { what: "a number that never ends", bytes: encodeRecord(new Uint8Array(many).fill(255)) },
    { what: "a million fields that are cut off", bytes: encodeRecord(new Uint8Array(many).fill(0x0a)) },
  ].map((input) => ({ reader: "event files", ...input }));
  const arrow = [
    {
      what: "a footer of 2 GiB",
      bytes: joined(latin1("ARROW1\0\0"), new Uint8Array(64), latin1("\xff\xff\xff\x7fARROW1")),
    },
    {
      what: "a footer of -1 byte",
      bytes: joined(latin1("ARROW1\0\0"), new Uint8Array(64), latin1("\xff\xff\xff\xffARROW1")),
    },
    {
      what: "a footer of ones",
      bytes: joined(latin1("ARROW1\0\0"), new Uint8Array(4096).fill(255), latin1("\x00\x10\x00\x00ARROW1")),
    },
  ].map((input) => ({ reader: "distances, Arrow", ...input }));
  return [...tables, ...arrays, ...tensors, ...pickles, ...records, ...arrow];
}

/** All of them; each must be refused with one sentence, in bounded time and memory. */
export function hostileInputs(): HostileInput[] {
  return [...textInputs(), ...compressedInputs(), ...binaryInputs()];
}
