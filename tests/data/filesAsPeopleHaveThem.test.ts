import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { makeQza } from "../../lab/material/makeQza.ts";
import { describeInput } from "../../src/data/describe/describe.ts";
import { parseSampleVector } from "../../src/data/distances/sampleVector.ts";
import { parseDistanceText } from "../../src/data/distances/text.ts";
import { columnType } from "../../src/data/metadata/columns.ts";
import { parseMetadata, readMetadata } from "../../src/data/metadata/read.ts";
import { hasSequenceIds, resolveSequences } from "../../src/data/prepare/asvSequences.ts";
import { metadataOf } from "../../src/data/prepare/sampleMetadata.ts";
import { readFasta } from "../../src/data/sequences/readFasta.ts";
import { readIdFile } from "../../src/data/split/files.ts";
import { readTable, readTableBytes } from "../../src/data/table/read.ts";
import { parseNewick } from "../../src/data/tree/newick.ts";
import { readTree } from "../../src/data/tree/read.ts";
import { userErrorOf, useScratch } from "../helpers/scratch.ts";

const { write } = useScratch();
const sequences = ["ACGTACGTACGTACGTACGTAA", "CCGTACGTACGTACGTACGTAC"];

describe("metadata", () => {
  const warningsOf = (...cells: string[]) =>
    parseMetadata(`sample-id\tph\n${cells.map((cell, i) => `S${i}\t${cell}\n`).join("")}`, "m.tsv").warnings;

  test.each([
    [["6,69", "7,01"], /line 2: "ph" was taken for text.*decimal comma.*such as "6,69"/],
    [["7", "6,69", "NA", "5"], /line 3: "ph".*such as "6,69"/],
    [["\u22125", "3"], /minus sign/],
    [["12%", "5%"], /sign %/],
    [["4,671", "12,000", "unknown"], /digit groups/],
  ])("of numbers in another notation (%s) says so", (cells, message) => {
    expect(warningsOf(...cells)).toEqual([expect.stringMatching(message)]);
  });

  test("of numbers, of words, and of text that is declared categorical says nothing", () => {
    for (const cells of [
      ["1", "2"],
      ["a", "b"],
      ["a", "b", "1,5"],
    ])
      expect(warningsOf(...cells)).toEqual([]);
    const declared = parseMetadata("id\ta\n#q2:types\tcategorical\nx\t1,5\ny\t2,5\n", "m.tsv");
    expect(declared.warnings).toEqual([]);
    expect(columnType(declared.columns.get("a")!)).toBe("categorical");
  });

  test("whose rows begin with # says which were skipped; a comment is none", () => {
    const { ids, warnings } = parseMetadata("id\ta\n# by hand\nx\t1\n#y\t2\n", "m.tsv");
    expect(ids).toEqual(["x"]);
    expect(warnings).toEqual([expect.stringMatching(/line 4: the row of "#y" was skipped/)]);
  });

  test("whose open quotation mark would swallow rows is refused", () => {
    const text = 'id\ta\tb\nx\t"3 in\t1\ny\t4\t2\nz\t5"\t3\n';
    expect(userErrorOf(() => parseMetadata(text, "m.tsv"))).toMatch(
      /line 2: a cell that begins with a quotation mark/,
    );
  });

  test("with other ids shows how they differ, also where only some do", () => {
    const metadata = parseMetadata("id\ta\nS1\u200b\t1\nS2\t2\n", "m.tsv");
    expect(userErrorOf(() => metadataOf(metadata, ["S1"], "t.tsv"))).toMatch(
      /"S1\\u200b".*"S1".*invisible characters/,
    );
    expect(metadataOf(metadata, ["S1", "S2"], "t.tsv").warnings).toEqual([
      expect.stringMatching(/1 of 2 samples .*\("S1" and "S1\\u200b" differ only in invisible/),
    ]);
  });
});

describe("sequences", () => {
  test("in headers of vsearch and usearch are found without ;size=", () => {
    const path = write(
      "s.fasta",
      `>a;size=12;\n${sequences[0]}\n>b;ee=0.1;size=3;tax=d:Bacteria\n${sequences[1]}\n`,
    );
    expect([...readFasta(path).keys()]).toEqual(["a", "b"]);
    for (const ids of [
      ["a", "b"],
      ["a;size=12;", "b"],
    ])
      expect(resolveSequences(ids, "t", { name: "s", sequences: readFasta(path) })).toEqual(sequences);
  });

  test("with line ends of old Macs are read", () => {
    expect(readFasta(write("mac.fasta", ">a x\rACGT\rACGT\r>b\rGG\r"))).toEqual(
      new Map([
        ["a", "ACGTACGT"],
        ["b", "GG"],
      ]),
    );
  });

  test("are not seen in words of IUPAC's letters", () => {
    for (const ids of [
      ["A", "Cat"],
      ["ACGTACGTACGTACGTACGT", "B"],
      ["N".repeat(30)],
      ["BVDHKMSWRYBVDHKMSWRYBVDHKMSWRY"],
    ])
      expect(hasSequenceIds(ids)).toBe(false);
    expect(hasSequenceIds(sequences)).toBe(true);
    expect(userErrorOf(() => resolveSequences(["Cat", sequences[0]], "t"))).toMatch(
      /"Cat" \(ASV 1\), which has only letters of bases, but not 12/,
    );
  });
});

describe("trees", () => {
  test.each([
    ["#NEXUS\nbegin trees;", /NEXUS/],
    ['{"tree":"(a:1{0},b:1{1});","placements":[],"version":3}', /placement file.*gappa/],
    ['<?xml version="1.0"?>\n<phyloxml><phylogeny/></phyloxml>', /PhyloXML/],
    ['<nex:nexml version="0.9"/>', /NeXML/],
    [">a\nACGT\n", /FASTA/],
    ["(a:0,5,b:0,25);", /decimal commas/],
    ["((a:0,5,b:0,25):0,1,c:1,0);", /decimal commas/],
    ["(a;size=12;:1,b;size=3;:2);", /column 3.*a label goes on with ";"/],
  ])("%s: named for what it is, by info too", async (text, message) => {
    expect(userErrorOf(() => parseNewick(text, "t"))).toMatch(message);
    await expect(describeInput(write("odd.tree", text))).rejects.toThrow(message);
    if (!text.startsWith(">")) await expect(describeInput(write("odd.txt", text))).rejects.toThrow(message);
  });

  test.each(["(1,2,(3:1,4:1):1);", "(a:1,b:2,c:3);", "((1:0.5,2:1):1,3:2);", "(1:1,2:1,3:1);"])(
    "%s: read",
    (text) => {
      expect(parseNewick(text, "t").names.length).toBeGreaterThan(3);
    },
  );
});

describe("distances", () => {
  const parse = (text: string) => parseDistanceText(text, "d.tsv", { allowUnknown: true });
  test("a little below 0 are 0, more is refused", () => {
    expect([...parse("\ta\tb\ra\t0\t1\rb\t1\t0\r").values]).toEqual([1]);
    expect([...parse("\ta\tb\na\t0\t-2.2e-16\nb\t-2.2e-16\t0\n").values]).toEqual([0]);
    expect(userErrorOf(() => parse("\ta\tb\na\t0\t-0.01\nb\t-0.01\t0\n"))).toMatch(/at least 0/);
  });
  test("of which one half is filled in count, whichever it is", () => {
    expect([...parse("\ta\tb\tc\na\t0\t1\t2\nb\t\t0\t3\nc\t\t\t0\n").values]).toEqual([1, 2, 3]);
    expect([...parse("\ta\tb\tc\na\t0\t\t\nb\t1\t0\t\nc\t2\t3\t0\n").values]).toEqual([1, 2, 3]);
  });
  test.each([
    ["3\na 0 1 2\nb 1 0 3\nc 2 3 0\n", /PHYLIP/],
    [";a;b\na;0;1\nb;1;0\n", /semicolons/],
    ["\ta\tb\na\t0\t0,5\nb\t0,5\t0\n", /"0,5", not a number; write 0\.5 \(a decimal point\)/],
  ])("%s: refused", (text, message) => expect(userErrorOf(() => parse(text))).toMatch(message));
});

describe("values and lists of samples", () => {
  test.each([
    [
      "shannon\tfaith_pd\nS1\t1\t2\nS2\t3\t4\n",
      /line 2: the row of "S1" has 3 cells, but the header \(line 1\) names 2/,
    ],
    ["id,faith_pd\nS1,1,5\nS2,2,5\n", /decimal points, not commas/],
    ["id\tfaith_pd\nS1\t1,5\n", /"1,5", not a number; write 1\.5/],
  ])("%s: refused", (text, message) =>
    expect(userErrorOf(() => parseSampleVector(text, "v"))).toMatch(message),
  );

  test("a header and quotes in a list of ids do not count, a second cell is refused", () => {
    expect(readIdFile(write("ids.txt", '\ufeffsample-id\r"S1"\rS2\r'))).toEqual(["S1", "S2"]);
    for (const line of ["S2\tx", "S2,S3", "S2;S3"])
      expect(userErrorOf(() => readIdFile(write("wide.txt", `S1\n${line}\n`)))).toMatch(
        /line 2: .* more than one cell/,
      );
  });
});

test("NaN in metadata of a JSON table that are not used does no harm; as a count or id it is refused", () => {
  const json = (confidence: string, count: string, id: string) =>
    `{"matrix_type":"sparse","shape":[1,1],"rows":[{"id":${id},"metadata":{"c":${confidence},"t":"NaN \\"Infinity"}}],"columns":[{"id":"S"}],"data":[[0,0,${count}]]}`;
  const read = (text: string) => readTableBytes(new TextEncoder().encode(text), "t.biom").table;
  for (const word of ["NaN", "Infinity", "-Infinity"])
    expect([...read(json(word, "5", '"a"')).data]).toEqual([5]);
  expect(userErrorOf(() => read(json("1", "NaN", '"a"')))).toMatch(/is null, expected a finite number/);
  expect(userErrorOf(() => read(json("1", "5", "NaN")))).toMatch(/no text "id"/);
});

describe("what is no text", () => {
  const zipped = (name: string, ...names: string[]) =>
    write(name, zipSync(Object.fromEntries(names.map((one) => [one, new TextEncoder().encode("<xml/>")]))));
  const readers = {
    table: readTable,
    metadata: readMetadata,
    tree: readTree,
    sequences: readFasta,
    info: describeInput,
  };
  for (const [reader, read] of Object.entries(readers)) {
    const refusal = async (path: string) => {
      try {
        await read(path);
      } catch (cause) {
        return (cause as Error).message;
      }
      return "read";
    };
    test(`is named by the reader of ${reader}`, async () => {
      expect(await refusal(zipped("b.xlsx", "[Content_Types].xml", "xl/workbook.xml"))).toMatch(
        /Excel workbook.*tab-separated text/,
      );
      expect(await refusal(write("t.rds", gzipSync("X\n\0\0\0\x03")))).toMatch(/an R data file/);
      expect(await refusal(zipped("b.ods", "mimetype", "content.xml"))).toMatch(/OpenDocument/);
      expect(await refusal(write("u.tsv", Buffer.from("\ufeffsample-id\ta\nS1\t1\n", "utf16le")))).toMatch(
        /UTF-16.*save it as UTF-8/,
      );
      expect(
        await refusal(write("o.xls", Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]))),
      ).toMatch(/Excel workbook \(\.xls\)/);
    });
  }
});

describe("info says what the reader says", () => {
  test.each([
    ["m.tsv", "SampleName\tage\tsite\nS1\t10\tgut\nS2\t20\tskin\n"],
    ["word.tsv", "Patient\tsite\nS1\tgut\nS2\tskin\n"],
    ["pandas.csv", ",age,site\nS1,10,gut\n"],
    ["semi.csv", "sample-id;age;site\nS1;10;gut\n"],
    ["comma.tsv", "sample-id,age,site\nS1,10,gut\n"],
    ["numbers.csv", "subject,age\nS1,10\n"],
  ])("of metadata: %s", async (name, text) => {
    const path = write(name, text);
    await expect(describeInput(path)).rejects.toThrow(userErrorOf(() => readMetadata(path)));
  });
  test.each([
    ["bad.tsv", "#OTU ID\tS1\tS2\na\t1\tx\n"],
    ["hash.tsv", "#NAME\tS1\tS2\n#CLASS\tx\ty\na\t1\t2\n"],
    ["commas.csv", "OTU ID,S1,S2\na,1,2\n"],
  ])("of a table: %s", async (name, text) => {
    const path = write(name, text);
    const message = await readTable(path).then(String, (cause: Error) => cause.message);
    await expect(describeInput(path)).rejects.toThrow(message);
  });
});

test("a taxonomy is described as one, as text and as an artifact", async () => {
  const text =
    "Feature ID\tTaxon\tConfidence\na\tk__Bacteria; p__Firmicutes; c__; o__\t0.9\nb\td__Bacteria;p__Firmicutes;c__Bacilli\t0.7\nc\tUnassigned\t0.5\n";
  const artifact = makeQza("FeatureData[Taxonomy]", { "taxonomy.tsv": new TextEncoder().encode(text) });
  for (const path of [write("taxonomy.tsv", text), write("taxonomy.qza", artifact)]) {
    const found = await describeInput(path);
    expect(found).toMatchObject({
      kind: "taxonomy",
      features: 3,
      unassigned: 1,
      confidence: { min: 0.5, max: 0.9 },
    });
    expect(found.kind === "taxonomy" && found.ranks.slice(0, 4)).toEqual([
      { rank: "domain", named: 2, names: 1 },
      { rank: "phylum", named: 2, names: 1 },
      { rank: "class", named: 1, names: 1 },
      { rank: "order", named: 0, names: 0 },
    ]);
  }
});
