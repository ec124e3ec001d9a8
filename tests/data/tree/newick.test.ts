import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseNewick } from "../../../src/data/tree/newick.ts";
import { indexTips, summarizeTree } from "../../../src/data/tree/shape.ts";
import { writeNewick } from "../../../src/data/tree/writeNewick.ts";
import { outsideData } from "../../helpers/outsideData.ts";

const parse = (text: string) => parseNewick(text, "t.nwk");
const names = (text: string) => [...parse(text).names];
const lengths = (text: string) => [...parse(text).length];

function messageOf(text: string): string {
  try {
    parse(text);
  } catch (cause) {
    return (cause as Error).message;
  }
  return `accepted: ${text}`;
}

describe("parseNewick reads", () => {
  test("nodes in preorder with parents, names and lengths", () => {
    const tree = parse("((a:1,b:2.5)c:6,(d,e)f)r;");
    expect([...tree.names]).toEqual(["r", "c", "a", "b", "f", "d", "e"]);
    expect([...tree.parent]).toEqual([-1, 0, 1, 1, 0, 4, 4]);
    expect([...tree.length]).toEqual([0, 6, 1, 2.5, 0, 0, 0]);
    expect([...tree.lengthMissing]).toEqual([1, 0, 0, 0, 1, 1, 1]);
  });

  test("unnamed nodes, single children, single nodes and multifurcations", () => {
    expect([...parse("(((())));").parent]).toEqual([-1, 0, 1, 2, 3]);
    expect([...parse("(,(,),);").parent]).toEqual([-1, 0, 0, 2, 2, 0]);
    expect(names("athing;\n")).toEqual(["athing"]);
    expect(names(";")).toEqual([""]);
    expect(names("(a:1,,b:2,c,d);")).toEqual(["", "a", "", "b", "c", "d"]);
  });

  test("quoted labels", () => {
    expect(names("('b_a''':1,'de  d','f:f''(x)',\"y\")'';")).toEqual(["", "b_a'", "de  d", "f:f'(x)", '"y"']);
    expect(names("('[a]','line\nbreak',de''_d,'''')'quoted root':3;")).toEqual([
      "quoted root",
      "[a]",
      "line\nbreak",
      "de'_d",
      "'",
    ]);
  });

  test("underscores, support values and clade names as they are written", () => {
    expect(names("(_a,(OTU_1,k)0.985.6:0.1,(x,y)'o__pMC2A384':1)1;")).toEqual([
      "1",
      "_a",
      "0.985.6",
      "OTU_1",
      "k",
      "o__pMC2A384",
      "x",
      "y",
    ]);
  });

  test("comments anywhere between tokens, nested and with an escaped bracket", () => {
    const plain = names("(a:1,b:2)r;");
    for (const text of [
      "[&R](a:1,b:2)r;",
      "[x[(y);]z] (a[c]:1,b:[&rate=2]2[d])r[e];[end]\n",
      "([ an '[ bracket ]a:1,b:2)r;",
      "(a:1,[it's]b:2)[r]r;",
    ]) {
      expect(names(text)).toEqual(plain);
      expect(lengths(text)).toEqual([0, 1, 2]);
    }
    expect(parse("[&R](a,b);").rooted).toBe(true);
    expect(parse("[&U](a,b);").rooted).toBe(false);
    expect(parse("(a,[&U]b);").rooted).toBeUndefined();
  });

  test("blanks, line ends of both kinds and a byte order mark", () => {
    expect(names("\ufeff(b\r\n,'a_'\r\n  ,(d \t,c) )  ;\r\n\r\n")).toEqual(["", "b", "a_", "", "d", "c"]);
    expect(lengths("(a : 1 ,b:\n2);")).toEqual([0, 1, 2]);
  });

  test("lengths exactly as JavaScript's own number reader", () => {
    const written = ["1e-3", "1E+2", "+3", ".5", "5.", "5e-09", "0.1", "-0.25", "0.05351", "123456789012345"];
    written.push("1234567890.12345", "0.12345678901234567", "179769313486231570000", "4.9e-324", "00012.50");
    written.push("0.30000000000000004", "9007199254740993", "0.00000000000001", "1.");
    const tree = parse(`(${written.map((length, i) => `t${i}:${length}`).join()});`);
    expect([...tree.length.slice(1)]).toEqual(written.map(Number));
    // Every number of up to 15 digits must come out right, not only those above.
    for (let i = 1; i <= 15; i++) {
      const number = "987654321098765".slice(0, i);
      for (let point = 0; point <= i; point++) {
        const text = `${number.slice(0, point)}.${number.slice(point)}`;
        expect(lengths(`(a:${text});`)[1]).toBe(Number(text));
      }
    }
  });

  test("a caterpillar of 100,000 levels and a star of 100,000 tips", () => {
    const n = 100_000;
    const joints = Array.from({ length: n }, (_, i) => `,b${i}:1)`).join("");
    const deep = parse(`${"(".repeat(n)}a:1${joints};`);
    expect(deep.parent.length).toBe(2 * n + 1);
    expect(summarizeTree(deep)).toMatchObject({ tips: n + 1, depth: n, totalLength: n + 1 });
    expect(parse(writeNewick(deep)).parent).toEqual(deep.parent);
    expect(summarizeTree(parse(`(${",".repeat(n - 1)});`))).toMatchObject({ tips: n, unnamedTips: n });
    expect(messageOf("(".repeat(n))).toContain(`${n} parentheses are still open`);
  });
});

describe("parseNewick refuses, naming line, column and cure,", () => {
  const cases: [name: string, text: string, place: string, words: string][] = [
    ["an empty text", "", "line 1, column 1", "empty"],
    ["blanks alone", " \n ", "line 2, column 2", "empty"],
    ["a comment alone", "[x]", "line 1, column 4", "no tree"],
    ["words", "This is not a newick file.", "line 1, column 6", '"is" follows a label'],
    ["a table", "#SampleID\tHeaderA\n0\t1;", "line 1, column 11", '"HeaderA" follows a label'],
    ["NEXUS", "#NEXUS\nbegin trees;", "t.nwk", "NEXUS"],
    ["siblings without a comma", "(()());", "line 1, column 4", "comma"],
    ["a group after a group", "(,,,)(,);", "line 1, column 6", "comma"],
    ["a label before a group", "(a(b,c));", "line 1, column 3", "cannot follow a label"],
    ["a comma at the top", "a,b;", "line 1, column 2", "outside all parentheses"],
    ["a missing )", "((a,b),((c,d));", "line 1, column 15", "1 parenthesis is still open"],
    ["a surplus )", "(a:1,b:2));", "line 1, column 10", "no matching"],
    ["a tree cut off", "(a:1,\nb:2", "line 2, column 4", "cut off"],
    ["a missing ;", "(a:1,b:2)r:1", "line 1, column 13", '";" at the end'],
    ["text after ;", "(a:1,b:2);extra", "line 1, column 11", "one tree"],
    ["a second tree", "(a,b);\n(c,d);", "line 2, column 1", "one tree"],
    ["an open quote", "('a:1,b:2);", "line 1, column 2", "quote"],
    ["a quote in a label", "(it's,b);", "line 1, column 4", "double it"],
    ["an open comment", "(a,[b[c](d);", "line 1, column 4", '"]"'],
    ["a stray ]", "(a],b);", "line 1, column 3", '"]"'],
    ["a blank in a label", "(a b:1,c:2);", "line 1, column 4", "quote a label with blanks"],
    ["a label after a length", "(a:1 b,c);", "line 1, column 6", "follows a length"],
    ["no length after :", "(a:,b:1);", "line 1, column 4", "no length"],
    ["a second length", "(a:1:2,b);", "line 1, column 5", "second length"],
    ["a word as length", "(a:1,\n b:x);", "line 2, column 4", '"x"'],
    ["nan", "(a:nan,b:1);", "line 1, column 4", '"nan"'],
    ["inf", "(a:1,b:-inf);", "line 1, column 8", '"-inf"'],
    ["too large a length", "(a:1e999,b:1);", "line 1, column 4", '"1e999"'],
    ["a hexadecimal length", "(a:0x10,b:1);", "line 1, column 4", '"0x10"'],
    ["two points", "(a:1.2.3,b:1);", "line 1, column 4", '"1.2.3"'],
    ["a lone point", "(a:.,b:1);", "line 1, column 4", '"."'],
    ["placement numbers", "((A:.01{0},B:.01{1}):.01{3}){5};", "line 1, column 5", "edge number"],
  ];
  test.each(cases)("%s", (_, text, place, words) => {
    const message = messageOf(text);
    expect(message).toStartWith("t.nwk");
    expect(message).toContain(place);
    expect(message).toContain(words);
  });

  test("with an excerpt that stays short in a tree of one long line", () => {
    const message = messageOf(`(${"a:1,".repeat(50_000)}b:?,${"c:1,".repeat(50_000)}d:1);`);
    expect(message).toContain("column 200004");
    expect(message).toContain('(near "…1,a:1,');
    expect(message.length).toBeLessThan(250);
  });
});

describe("writeNewick", () => {
  test("writes what parseNewick reads back", () => {
    const text = "((a:1,'b c':2.5e-10)'d''e':6,(,f),'OTU_1','[x]','y:z')'{r}';";
    const tree = parse(text);
    const again = parse(writeNewick(tree));
    expect(again).toEqual(tree);
    expect(writeNewick(parse("((a:1,b)x:2,c);"))).toBe("((a:1,b)x:2,c);\n");
  });
});

describe("the shape of a tree", () => {
  test("is summarized", () => {
    expect(summarizeTree(parse("((a:1,b:-2)c:6,(a,,d:1)f)r:0.5;"))).toEqual({
      tips: 5,
      nodes: 8,
      totalLength: 6.5,
      rootChildren: 2,
      depth: 2,
      unnamedTips: 1,
      repeatedTipNames: ["a"],
      negativeLengths: 1,
    });
  });

  test("names the tips, each once", () => {
    expect([...indexTips(parse("((a,b)x,,c);"), "t.nwk")]).toEqual([
      ["a", 2],
      ["b", 3],
      ["c", 5],
    ]);
    expect(() => indexTips(parse("(a,(b,a)a);"), "t.nwk")).toThrow('t.nwk has two tips named "a"');
  });
});

interface PeerCase {
  newick: string;
  expected?: { preorder: { name: string | null; length: number | null; parent: number | null }[] };
}
const peers = join(outsideData, "newick-cases.json");

test.skipIf(!existsSync(peers))("reads the peers' test strings as they do, or better", () => {
  // What scikit-bio reads and this reader does not: text after the tree, a second tree, a
  // length that is no number.
  const refusedOnPurpose = ["(a:1,b:2);extra", "(a:1,b:2);(c:1,d:2);", "(a:1,b:nan);"];
  const cases = JSON.parse(readFileSync(peers, "utf8")).cases as PeerCase[];
  expect(cases.length).toBeGreaterThan(70);
  for (const { newick, expected } of cases) {
    if (!expected || refusedOnPurpose.includes(newick)) {
      expect(messageOf(newick)).toStartWith("t.nwk, line ");
      continue;
    }
    const tree = parse(newick);
    const nodes = [...tree.names].map((name, node) => ({
      name: name === "" ? null : name,
      length: tree.lengthMissing[node] === 1 ? null : tree.length[node],
      parent: tree.parent[node] < 0 ? null : tree.parent[node],
    }));
    // scikit-bio takes the empty quoted label for a quote.
    const wanted = expected.preorder.map((node) =>
      newick === "('':1,b:2);" && node.name === "'" ? { ...node, name: null } : node,
    );
    expect(nodes).toEqual(wanted);
  }
});
