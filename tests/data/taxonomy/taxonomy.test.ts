/** Taxonomies in the forms of QIIME 2, SILVA, Greengenes and Greengenes2, and the names that come of them. */
import { describe, expect, test } from "bun:test";
import { makeQza } from "../../../lab/material/makeQza.ts";
import { lineageName, lineageNames } from "../../../src/data/taxonomy/lineage.ts";
import { parseTaxonomy, readTaxonomy, readTaxonomyOf, taxonName } from "../../../src/data/taxonomy/read.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const bytes = (text: string) => new TextEncoder().encode(text);

describe("names", () => {
  test.each([
    // Greengenes 13_8: empty ranks at the end, species as epithets.
    [
      "k__Bacteria; p__Firmicutes; c__Clostridia; o__Clostridiales; f__Lachnospiraceae; g__; s__",
      "Lachnospiraceae (family)",
    ],
    [
      "k__Bacteria; p__Firmicutes; c__C; o__O; f__Ruminococcaceae; g__Faecalibacterium; s__prausnitzii",
      "Faecalibacterium prausnitzii",
    ],
    // Greengenes2: whole names of species, letters behind names.
    [
      "d__Bacteria; p__Firmicutes_D; c__Bacilli; o__Lactobacillales; f__Lactobacillaceae; g__Lactobacillus; s__Lactobacillus iners",
      "Lactobacillus iners",
    ],
    ["d__Bacteria; p__Firmicutes_D; c__; o__; f__; g__; s__", "Firmicutes D (phylum)"],
    // SILVA 138 and 132.
    [
      "d__Bacteria; p__Bacteroidota; c__Bacteroidia; o__Bacteroidales; f__Muribaculaceae; g__Muribaculaceae; s__uncultured_bacterium",
      "Muribaculaceae",
    ],
    [
      "D_0__Bacteria;D_1__Firmicutes;D_2__Clostridia;D_3__Clostridiales;D_4__Ruminococcaceae;D_5__Faecalibacterium;D_6__uncultured bacterium",
      "Faecalibacterium",
    ],
    [
      "D_0__Bacteria;D_1__Proteobacteria;D_2__;D_3__;D_4__;D_5__uncultured;D_6__gut metagenome",
      "Proteobacteria (phylum)",
    ],
    // SILVA as it is published: no prefixes, a semicolon at the end.
    ["Bacteria;Firmicutes;Bacilli;Bacillales;Bacillaceae;Bacillus;", "Bacillus"],
    // Where collapsing has filled up ranks.
    ["k__Archaea;__;__", "Archaea (domain)"],
    ["Unassigned", "unassigned"],
    ["", "unassigned"],
  ])("%s", (lineage, name) => {
    expect(lineageName(lineage)).toBe(name);
  });

  test("ranks are told by their prefixes, also where some are left out", () => {
    expect(lineageNames("d__Bacteria; f__Lachnospiraceae")).toEqual([
      "Bacteria",
      "",
      "",
      "",
      "Lachnospiraceae",
      "",
      "",
    ]);
    expect(lineageNames("D_0__Archaea;D_2__Thermoplasmata")).toEqual([
      "Archaea",
      "",
      "Thermoplasmata",
      "",
      "",
      "",
      "",
    ]);
  });
});

describe("files", () => {
  const rows = "a1\td__Bacteria; g__Bacillus\t0.98\na2\tUnassigned\t0.7\n";

  test("QIIME 2's artifact and table, and ids and lineages alone", () => {
    const expected = new Map([
      ["a1", "d__Bacteria; g__Bacillus"],
      ["a2", "Unassigned"],
    ]);
    const text = `Feature ID\tTaxon\tConfidence\n${rows}`;
    const artifact = makeQza("FeatureData[Taxonomy]", { "taxonomy.tsv": bytes(text) });
    const written = [
      scratch.write("t.qza", artifact),
      scratch.write("t.tsv", text),
      scratch.write("t.tsv.gz", Bun.gzipSync(bytes(text))),
      scratch.write("plain.txt", rows.replaceAll(/\t0\.\d+/g, "")),
      scratch.write(
        "order.tsv",
        "#OTU ID\tConfidence\tTaxonomy\na1\t1\td__Bacteria; g__Bacillus\na2\t1\tUnassigned\n",
      ),
    ];
    for (const path of written) expect(readTaxonomy(path).lineages).toEqual(expected);
    expect(["a1", "a2", "a3"].map((id) => taxonName(readTaxonomy(written[0]), id))).toEqual([
      "Bacillus",
      "unassigned",
      undefined,
    ]);
  });

  test.each([
    ["a\tBacteria(100);Firm(99);\nb\tBacteria(100);Firm(80);\n", "mothur"],
    [
      "a\td:Bacteria(1.00),p:Firm(0.98)\t+\td:Bacteria,p:Firm\nb\td:Bacteria(1.00),p:Firm(0.91)\t-\td:Bacteria,p:Firm\n",
      "SINTAX",
    ],
    [
      "Feature ID\tTaxon\na\td:Bacteria(1.00),p:Firm(0.98)\nb\td:Bacteria,p:Firm\n",
      "SINTAX without its cutoff",
    ],
    ["a\tk__Bacteria|p__Firm\nb\tk__Bacteria|p__Firm\n", "MetaPhlAn"],
    [
      "Kingdom\tPhylum\tClass\tOrder\tFamily\na\tBacteria\tFirm\tNA\tNA\tNA\nb\tBacteria\tFirm\tNA\tNA\tNA\n",
      "R",
    ],
    [
      '"ASV"\t"Size"\t"Kingdom"\t"Phylum"\t"Class"\t"Order"\t"Family"\na\t7\tBacteria\tFirm\t\t\t\nb\t2\tBacteria\tFirm\t\t\t\n',
      "a column for each rank",
    ],
  ])("%j, of %s, has two lineages that are the same", (text) => {
    const { lineages } = parseTaxonomy(text, "t.tsv");
    expect([...lineages.keys()]).toEqual(["a", "b"]);
    expect(lineages.get("a")).toBe(lineages.get("b")!);
    expect(lineageNames(lineages.get("a")!).slice(0, 3)).toEqual(["Bacteria", "Firm", ""]);
  });

  test("what the cutoff of SINTAX left is read, and numbers that belong to a name stay", () => {
    const text =
      "a\td:Bacteria(1.00),p:Firm(0.48)\t+\td:Bacteria\nb\td:Bacteria(0.60)\t+\t\nc\tBacteria;Firm(2);Bacilli\n";
    expect([...parseTaxonomy(text, "t.tsv").lineages.values()]).toEqual([
      "d__Bacteria",
      "Unassigned",
      "Bacteria;Firm(2);Bacilli",
    ]);
    expect(() => parseTaxonomy(",Phylum,Class,Order,Family\na,B,C,D,E\na,B,C,D,F\n", "t.csv")).toThrow(
      'line 3: the id "a" stands twice',
    );
  });

  test.each([
    ["a\tb\nc\td\n", 't.tsv, line 1: "b" is no lineage'],
    ["a1\td__B; p__P\na1\td__B\n", 't.tsv, line 2: the id "a1" stands twice'],
    ["Feature ID\tGenus\na1\tBacillus\n", 't.tsv has no column Taxon (it has "Genus")'],
    ["Feature ID\tTaxon\n", "t.tsv"],
    [">a1\nACGT\n", "is no lineage"],
  ])("refuses %j", (text, message) => {
    expect(() => parseTaxonomy(text, "t.tsv")).toThrow(message);
  });

  test("another artifact, and a taxonomy of other ASVs, are refused", () => {
    const other = scratch.write("table.qza", makeQza("FeatureTable[Frequency]", {}));
    expect(() => readTaxonomy(other)).toThrow(
      "of type FeatureTable[Frequency]; give one of type FeatureData[Taxonomy]",
    );
    const path = scratch.write("two.tsv", rows);
    const warnings: string[] = [];
    const read = (...ids: string[]) => readTaxonomyOf(ids, path, "table.biom", (text) => warnings.push(text));
    expect(() => read("A1", "x")).toThrow(
      /two\.tsv has none of the 2 ASVs of table\.biom: its first id is "a1", theirs "A1".*upper and lower case/,
    );
    read("a1", "a2");
    expect(warnings).toEqual([]);
    read("x", "a2");
    expect(warnings).toEqual([`${path} lacks 1 of 2 ASVs (the first is "x").`]);
  });
});
