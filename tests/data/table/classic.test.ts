import { describe, expect, test } from "bun:test";
import { readTableBytes } from "../../../src/data/table/read.ts";
import { userErrorOf } from "../../helpers/scratch.ts";

const rows = [
  ["t1", 5, 0, 1],
  ["t2", 0, 3, 2],
  ["t3", 4, 4, 0],
] as const;
const text = (...lines: readonly (readonly (string | number)[])[]) =>
  `${lines.map((cells) => cells.join("\t")).join("\n")}\n`;
const read = (content: string | Uint8Array) =>
  readTableBytes(typeof content === "string" ? new TextEncoder().encode(content) : content, "t.tsv");
const refusal = (content: string | Uint8Array) => userErrorOf(() => read(content));

/** Counts by sample and ASV. */
function counts(content: string | Uint8Array): Record<string, Record<string, number>> {
  const { sampleIds, asvIds, indptr, indices, data } = read(content).table;
  return Object.fromEntries(
    sampleIds.map((id, s) => {
      const cells = Array.from(indices.slice(indptr[s], indptr[s + 1]), (asv, k) => [
        asvIds[asv],
        data[indptr[s] + k],
      ]);
      return [id, Object.fromEntries(cells)];
    }),
  );
}
const expected = { S1: { t1: 5, t3: 4 }, S2: { t2: 3, t3: 4 }, S3: { t1: 1, t2: 2 } };
const plain = text(["#OTU ID", "S1", "S2", "S3"], ...rows);

test("a table of two samples is no long one, whatever they are called", () => {
  for (const names of [
    ["sample", "s1", "s2"],
    ["#OTU ID", "sample", "control"],
    ["feature", "count", "blank"],
  ])
    expect(Object.keys(counts(text(names, ["t1", 5, 0], ["t2", 1, 2])))).toHaveLength(2);
});

describe("the header of a classic table", () => {
  const readRightly: [name: string, content: string | Uint8Array][] = [
    ["as biom writes it", `# Constructed from biom file\n${plain}`],
    ["another label", plain.replace("#OTU ID", "Feature_ID")],
    ["no label, as pandas writes it", plain.replace("#OTU ID", "")],
    ["no cell for the label, as R writes it", plain.replace("#OTU ID\t", "")],
    ["tabs at the ends of all rows", plain.replaceAll("\n", "\t\t\n")],
    [
      "tabs at the ends of all rows but the header",
      plain.replaceAll(/(\d)\n/g, "$1\t\n").replace("S3\t", "S3"),
    ],
    [
      "a nameless last column of lineages",
      text(["#ASV ID", "S1", "S2", "S3"], ...rows.map((row) => [...row, "k__A; p__B"])),
    ],
    [
      "a nameless last column of plain words",
      text(["FeatureID", "S1", "S2", "S3"], ...rows.map((row) => [...row, "Bacteria"])),
    ],
    [
      "a confidence behind the counts",
      text(["#OTU ID", "S1", "S2", "S3", "Confidence"], ...rows.map((row) => [...row, 0.98])),
    ],
    ["line ends of old Macs", plain.replaceAll("\n", "\r")],
    ["line ends of Windows", plain.replaceAll("\n", "\r\n")],
    ["line ends of both", plain.replace("\n", "\r\n").replace("2\n", "2\r")],
    ["a byte order mark", `\ufeff${plain}`],
    ["quotes around everything", plain.replaceAll(/[#\w ]+/g, '"$&"').replaceAll(/"(\d+)"/g, "$1")],
    [
      "samples in rows",
      text(["sample-id", "t1", "t2", "t3"], ["S1", 5, 0, 4], ["S2", 0, 3, 4], ["S3", 1, 2, 0]),
    ],
  ];
  for (const [name, content] of readRightly)
    test(`${name}: read`, () => expect(counts(content)).toEqual(expected));

  test("digests as columns are ASVs, whatever the first cell says; digests as rows too", () => {
    const [a, b] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
    const wide = { S1: { [a]: 1, [b]: 2 }, S2: { [b]: 4 } };
    expect(counts(text(["", a, b], ["S1", 1, 2], ["S2", 0, 4]))).toEqual(wide);
    expect(counts(text(["sample", "S1", "S2"], [a, 1, 0], [b, 2, 4]))).toEqual(wide);
  });

  const refused: [name: string, content: string | Uint8Array, message: RegExp][] = [
    [
      "long format, by the names of its columns",
      text(["sample", "feature", "count"], ["s1", 12, 5], ["s2", 13, 6]),
      /line 1 names a table in long format, .*\(sample, feature, count\); give one with a row for each ASV/,
    ],
    [
      "long format in another order and spelling",
      text(["#OTU ID", "SampleID", "Abundance"], ["t1", 1, 5], ["t2", 2, 6]),
      /in long format/,
    ],
    [
      "long format, by ids that recur",
      text(["who", "what", "many"], ["s1", 12, 5], ["s2", 12, 1], ["s1", 13, 6]),
      /three columns and several rows of "s1", as a table in long format/,
    ],
    [
      "a row of classes below the header",
      text(["#NAME", "S1", "S2", "S3"], ["#CLASS:Age", "young", "old", "mid"], ...rows),
      /line 2 \("#CLASS:Age.*begins with "#" below the header, which is line 1/,
    ],
    [
      "a row of numbers with # below the header",
      text(["#NAME", "S1", "S2", "S3"], ["#CLASS:Age", 31, 44, 52], ...rows),
      /line 2 /,
    ],
    ["the same in quotes", text(["#NAME", "S1", "S2"], ['"#CLASS"', 31, 44], ["t", 1, 2]), /line 2 /],
    ["a note with tabs above the header", `#run\tA\tB\tC\n${plain}`, /line 2 /],
    ["an ASV named #1", plain.replace("t1", "#1"), /line 2 .*"#" if it is an ASV/],
    ["an ASV named #3 further down", plain.replace("t3", "#3"), /line 4 /],
    ["no header", text(...rows), /line 1 holds numbers behind "t1".*header .* missing/],
    [
      "a nameless last column of numbers",
      text(["#OTU ID", "S1", "S2", "S3"], ...rows.map((row) => [...row, 9])),
      /header \(line 1\) has 4 cells and line 2 has 5.*give every column a name/,
    ],
    [
      "a nameless last column of numbers below a plain label",
      text(["Feature", "S1", "S2", "S3"], ...rows.map((row) => [...row, 9])),
      /header \(line 1\) has 4 cells/,
    ],
    [
      "a nameless last column below a label of any kind",
      text(["Keim", "S1", "S2", "S3"], ...rows.map((row) => [...row, 9])),
      /header \(line 1\) has 4 cells/,
    ],
    [
      "a nameless last column that is text in its first row only",
      text(["#OTU ID", "S1", "S2", "S3"], [...rows[0], "k__A; p__B"], [...rows[1], 7]),
      /line 3, column 5 is "7", a number/,
    ],
    [
      "no label and an empty last cell",
      text(["S1", "S2", "S3"], ["t1", 5, 0, ""]),
      /3 cells and line 2 has 4/,
    ],
    ["two cells too few", text(["#OTU ID", "S1"], ["t1", 5, 0, 2]), /2 cells and line 2 has 4/],
    ["a column of means", text(["#OTU ID", "S1", "S2", "Mean"], ["t1", 5, 0, 2.5]), /column named "Mean"/],
    [
      "a column of confidences beside the taxonomy",
      text(["#OTU ID", "S1", "Confidence", "taxonomy"], ["t1", 5, 0.98, "k__Bacteria"]),
      /column named "Confidence"/,
    ],
    [
      "a column of sums by another name",
      text(["#OTU ID", "S1", "S2", "S3", "All"], ["t1", 5, 0, 1, 6], ["t2", 1, 2, 0, 3], ["t3", 0, 4, 0, 4]),
      /each number of the column "All" is the sum of all others beside it/,
    ],
    [
      "a row of sums by another name",
      text(["#OTU ID", "S1", "S2", "S3"], ["t1", 5, 0, 3], ["t2", 1, 2, 9], ["t3", 0, 1, 0], ["x", 6, 3, 12]),
      /each number of the row "x" is the sum of all others beside it/,
    ],
    ["a column of sums", text(["#OTU ID", "S1", "S2", "Total"], ["t1", 5, 0, 5]), /column named "Total"/],
    ["a row of sums", `${plain}Sum\t9\t7\t3\n`, /row named "Sum"/],
    ["a later row that is longer", `${plain}t4\t1\t2\t3\t4\n`, /line 5 has more than the 4 cells/],
    ["a later row that is shorter", `${plain}t4\t1\t2\n`, /line 5 has fewer than the 4 cells/],
    ["decimal commas", plain.replace("\t5", "\t5,5"), /line 2, column 2 \("S1"\) is "5,5".*write 5\.5/],
    ["digit groups", plain.replace("\t5", "\t1,005"), /1\.005 or 1005, whichever/],
    ["commas for tabs", plain.replaceAll("\t", ","), /separated by commas: save it with tabs/],
    ["semicolons for tabs", plain.replaceAll("\t", ";"), /separated by semicolons/],
    ["a mothur shared file", text(["label", "Group", "numOtus", "Otu1"], ["0.03", "S1", 1, 5]), /mothur/],
    ["UTF-16 with a mark", Buffer.from(`\ufeff${plain}`, "utf16le"), /UTF-16 text.*save it as UTF-8/],
    ["UTF-16 without a mark", Buffer.from(plain, "utf16le"), /UTF-16 text/],
    ["big-endian UTF-16", Buffer.from(`\ufeff${plain}`, "utf16le").swap16(), /UTF-16 text/],
    [
      "an old workbook",
      Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
      /Excel workbook \(\.xls\)/,
    ],
  ];
  for (const [name, content, message] of refused)
    test(`${name}: refused`, () => expect(refusal(content)).toMatch(message));
});
