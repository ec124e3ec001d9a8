import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { readFasta, readFastaBytes } from "../../../src/data/sequences/readFasta.ts";
import { outsideData } from "../../helpers/outsideData.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const read = (content: string | Uint8Array) => [
  ...readFastaBytes(typeof content === "string" ? bytes(content) : content, "t.fa"),
];

describe("readFasta", () => {
  const content = ">a description of it\nACGT\nacgtn\n\n>b\r\nRYSWKMBDHV\r\n>c\tx\n  UUU  \n>d\nA";
  const expected: [string, string][] = [
    ["a", "ACGTACGTN"],
    ["b", "RYSWKMBDHV"],
    ["c", "UUU"],
    ["d", "A"],
  ];

  test("joins lines, takes the header's first word and turns letters to upper case", () => {
    expect(read(content)).toEqual(expected);
    expect(read(`\ufeff\n\n${content}\n\n`)).toEqual(expected);
  });

  test("reads gzip data and QIIME 2 artifacts", () => {
    expect(read(gzipSync(content))).toEqual(expected);
    expect(read(makeQza("FeatureData[Sequence]", { "dna-sequences.fasta": bytes(content) }))).toEqual(
      expected,
    );
  });

  const refusals: [string, string | Uint8Array, RegExp][] = [
    ["nothing", "", /^t\.fa holds no sequences/],
    ["a table", "#OTU ID\tS1\nA\t1\n", /is no FASTA file \(line 1 does not start with ">"\)/],
    ["binary junk", Uint8Array.of(1, 2, 200), /is not UTF-8 text/],
    ["an id twice", ">a\nA\n>b\nC\n>a\nG\n", /line 5: the id "a" stands twice/],
    ["a header without an id", ">a\nA\n> b\nC\n", /line 3: the header has no id/],
    ["a sequence without letters", ">a\n>b\nC\n", /line 1: the sequence of "a" is empty/],
    ["an empty last sequence", ">a\nA\n>b\n\n", /line 3: the sequence of "b" is empty/],
    ["gaps", ">a\nAC\nA-C\n", /line 3: "-" in the sequence of "a" is a gap; give unaligned/],
    ["proteins", ">a\nMKLV\n", /line 2: "L" in the sequence of "a" stands for no nucleotide/],
    [
      "another artifact",
      makeQza("FeatureData[AlignedSequence]", {}),
      /of type FeatureData\[AlignedSequence\]; give/,
    ],
  ];
  for (const [name, input, message] of refusals) {
    test(`refuses ${name}`, () => {
      expect(() => read(input)).toThrow(message);
    });
  }

  const pictures = join(outsideData, "moving-pictures/refseq.qza");
  test.skipIf(!existsSync(pictures))("reads the moving pictures' sequences", () => {
    const sequences = readFasta(pictures);
    expect(sequences.size).toBe(770);
    for (const [id, sequence] of sequences) {
      expect(new Bun.CryptoHasher("md5").update(sequence).digest("hex")).toBe(id);
    }
  });
});
