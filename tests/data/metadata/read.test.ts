import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { columnType, numericColumn, rowsOf } from "../../../src/data/metadata/columns.ts";
import { parseMetadata, readMetadata } from "../../../src/data/metadata/read.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const parse = (text: string) => parseMetadata(text, "m.tsv");
const values = (text: string, column = "a") => parse(text).columns.get(column)?.values;

describe("parseMetadata reads", () => {
  test("ids and values as text, trimmed, numbers included", () => {
    const metadata = parse("sample-id\tage \t site\n007\t1.50\t left palm \n10317.000003639\t2e3\tgut\n");
    expect(metadata.ids).toEqual(["007", "10317.000003639"]);
    expect([...metadata.columns.keys()]).toEqual(["age", "site"]);
    expect(metadata.columns.get("age")?.values).toEqual(["1.50", "2e3"]);
    expect(metadata.columns.get("site")?.values).toEqual(["left palm", "gut"]);
  });

  test.each([
    ..."id ID sampleid SampleID sample-id Sample-Id sample_id feature-id featureid FeatureID".split(" "),
    ...["Sample ID", "feature id", "#SampleID", "#Sample ID", "#OTUID", "#OTU ID", "sample_name"],
  ])("the id header %s", (header) => {
    expect(parse(`${header}\ta\nx\t1\n`)).toMatchObject({ idHeader: header, ids: ["x"] });
  });

  test("byte order marks, all line ends, comments, blank rows and trailing tabs", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const rows = [
        "\ufeff# made by hand",
        "",
        "#SampleID\ta\tb\t\t",
        "#comment\t1",
        "x\t1\t2\t\t",
        "\t\t",
        "y\t3",
      ];
      const metadata = parse(rows.join(end) + end);
      expect(metadata.ids).toEqual(["x", "y"]);
      expect([...metadata.columns.values()].map((column) => column.values)).toEqual([
        ["1", "3"],
        ["2", null],
      ]);
      expect(metadata.lines).toEqual([5, 7]);
    }
  });

  test("quoted cells with delimiters, line breaks and quotes; a quote inside a cell is itself", () => {
    const metadata = parse('id\ta\n"x\ty"\t"say ""hi"""\nz\t5" pipe\n"q"\t"two\nlines"\nr\t1\n');
    expect(metadata.ids).toEqual(["x\ty", "z", "q", "r"]);
    expect(metadata.columns.get("a")?.values).toEqual(['say "hi"', '5" pipe', "two\nlines", "1"]);
    expect(metadata.lines).toEqual([2, 3, 4, 6]);
  });

  test("missing-value words in any case, and nothing else", () => {
    const words = [
      "",
      "NA",
      "n/a",
      "NaN",
      "null",
      "None",
      "<NA>",
      "Not Applicable",
      "missing: not collected",
    ];
    const kept = ["0", "no", "unknown", "-", "Nana", "missingness"];
    const rows = [...words, ...kept].map((word, i) => `s${i}\t${word}\tx`).join("\n");
    expect(values(`id\ta\tb\n${rows}\n`)).toEqual([...words.map(() => null), ...kept]);
  });

  test("directives: types, and what counts as missing", () => {
    const metadata = parse(
      "id\ta\tb\tc\td\n#q2:types\tcategorical\tNumeric\t\t\n#q2:missing\tblank\t\tINSDC:missing\t\n#q2:units\tm\nx\tNA\t1\tNA\tNA\ny\t\tNA\tmissing\tmissing\n",
    );
    expect([...metadata.columns.values()].map((column) => column.values)).toEqual([
      ["NA", null],
      ["1", null],
      ["NA", null],
      [null, null],
    ]);
    expect([...metadata.columns.values()].map((column) => column.declaredType)).toEqual([
      "categorical",
      "numeric",
      undefined,
      undefined,
    ]);
    expect(metadata.warnings).toEqual([
      "m.tsv, line 4: the directive #q2:units is not known and was skipped.",
    ]);
  });

  test("a file of ids alone", () => {
    expect(parse("id\nx\ny\n")).toMatchObject({ ids: ["x", "y"], columns: new Map() });
  });
});

describe("parseMetadata refuses, naming the place,", () => {
  const cases: [name: string, text: string, ...words: string[]][] = [
    ["an empty file", "", "m.tsv has no header"],
    ["comments alone", "#hello\n", "m.tsv has no header"],
    ["a header without samples", "id\ta\n\n", "no samples"],
    ["a table without an id column", "age\tsite\n1\tgut\n", "line 1", '"age"', "sample-id"],
    ["a directive before the header", "#q2:types\tnumeric\nid\ta\nx\t1\n", "line 1", "must start"],
    ["commas for tabs", "sample-id,a\nx,1\n", "line 1", "not separated by tabs"],
    ["semicolons", "sample-id;a\nx;1\n", "line 1", "semicolons", "with tabs"],
    ["B37: an id that stands twice", "id\ta\nx\t1\ny\t2\nx\t3\n", "line 4", '"x"', "line 2"],
    ["an id that is missing", "id\ta\nx\t1\n\t2\n", "line 3", "no id"],
    ["a column that stands twice", "id\ta\tb\ta\nx\t1\t2\t3\n", "line 1", 'two columns are named "a"'],
    ["a column without a name", "id\ta\t\tb\nx\t1\t2\t3\n", "line 1", "column 3"],
    ["a second id column", "id\ta\tSampleID\nx\t1\t2\n", "line 1", '"SampleID"'],
    ["a row that is too long", "id\ta\nx\t1\ny\t1\t2\n", "line 3", '"y"', "has 3 cells", "names 2"],
    ["a quote that stays open", 'id\ta\nx\t1\ny\t"2\nz\t3\n', "line 3", "never closed"],
    ["a late directive", "id\ta\nx\t1\n#q2:types\tnumeric\n", "line 3", "directly below"],
    ["an unknown type", "id\ta\n#q2:types\tdate\nx\t1\n", "line 2", '"date"', "numeric or categorical"],
    ["a type too many", "id\ta\n#q2:types\tnumeric\tnumeric\nx\t1\n", "line 2", "cell 3"],
    [
      "text in a numeric column",
      "id\ta\n#q2:types\tnumeric\nx\t1\ny\told\n",
      "line 4",
      '"a" is "old"',
      "#q2:types",
    ],
    ["a gap declared away", "id\ta\n#q2:missing\tno-missing\nx\t1\ny\t\n", "line 4", '"a" is empty'],
  ];
  test.each(cases)("%s", (_, text, ...words) => {
    const message = userErrorOf(() => parse(text));
    expect(message).toStartWith("m.tsv");
    for (const word of words) expect(message).toContain(word);
  });
});

describe("columns", () => {
  const metadata = parse(
    "id\tage\tsite\tnone\tcode\nx\t1\tgut\t\t0x1F\ny\tNA\tpalm\t\t1_000\nz\t-2.5e1\tgut\t\tinf\n",
  );

  test("are numeric if all values are decimal numbers", () => {
    expect([...metadata.columns.values()].map(columnType)).toEqual([
      "numeric",
      "categorical",
      "categorical",
      "categorical",
    ]);
    const declared = parse("id\tage\n#q2:types\tcategorical\nx\t1\n");
    expect(columnType(declared.columns.get("age")!)).toBe("categorical");
  });

  test("are read as numbers or text", () => {
    expect([...numericColumn(metadata, "age")]).toEqual([1, Number.NaN, -25]);
  });

  test("that are absent or not numeric are named", () => {
    expect(userErrorOf(() => numericColumn(metadata, "height"))).toBe(
      'm.tsv has no column "height"; it has "age", "site", "none", "code".',
    );
    expect(userErrorOf(() => numericColumn(metadata, "Age"))).toContain('did you mean "age"?');
    const message = userErrorOf(() => numericColumn(metadata, "site"));
    expect(message).toContain('m.tsv, line 2: "site" of sample "x" is "gut", not a number');
  });

  test("are aligned with samples by id", () => {
    expect([...rowsOf(metadata, ["z", "w", "x"])]).toEqual([2, -1, 0]);
  });
});

describe("readMetadata", () => {
  const text = "sample-id\ta\nx\t1\n";

  test.each([
    ["SampleData[AlphaDiversity]", "alpha-diversity.tsv", "\tshannon\nS1\t2.5\nS2\t3\n", "shannon"],
    [
      "SampleData[ClassifierPredictions]",
      "predictions.tsv",
      "SampleID\tprediction\nS1\tgut\nS2\tpalm\n",
      "prediction",
    ],
    ["SampleData[Probabilities]", "class_probabilities.tsv", "id\tgut\nS1\t0.5\nS2\t1\n", "gut"],
    ["FeatureData[Importance]", "importance.tsv", "\timportance\nS1\t0.5\nS2\t0\n", "importance"],
  ])("an artifact of type %s is metadata, as in QIIME 2", (type, name, table, column) => {
    const path = scratch.write("viewed.qza", makeQza(type, { [name]: Buffer.from(table) }));
    const { ids, columns } = readMetadata(path);
    expect(ids).toEqual(["S1", "S2"]);
    expect([...columns.keys()]).toEqual([column]);
  });

  test("reads plain, gzipped and comma-separated files and artifacts", () => {
    const artifact = (type: string, name: string) => makeQza(type, { [name]: Buffer.from(text) });
    for (const path of [
      scratch.write("m.tsv", text),
      scratch.write("m.txt.gz", gzipSync(text)),
      scratch.write("m.csv", text.replaceAll("\t", ",")),
      scratch.write("m.qza", artifact("ImmutableMetadata", "metadata.tsv")),
    ]) {
      expect(readMetadata(path).columns.get("a")?.values).toEqual(["1"]);
    }
    const other = scratch.write("o.qza", artifact("Phylogeny[Rooted]", "tree.nwk"));
    expect(userErrorOf(() => readMetadata(other))).toContain("type Phylogeny[Rooted], not metadata");
    expect(userErrorOf(() => readMetadata(scratch.path("none.tsv")))).toContain("no such file");
  });

  test.skipIf(!existsSync(outsideData))("reads the real files", () => {
    const pictures = readMetadata(`${outsideData}/moving-pictures/sample-metadata.tsv`);
    expect(pictures.ids).toHaveLength(34);
    expect(pictures.columns.get("year")?.declaredType).toBe("numeric");
    expect(numericColumn(readMetadata(`${outsideData}/oral/metadata.tsv`), "age")).toHaveLength(2537);
    const ecam = readMetadata(`${outsideData}/ecam-10249/metadata.tsv`);
    expect(ecam.columns.get("diet")?.values.filter((value) => value === null)).toHaveLength(42);
  });
});
