/** Lines that are read from a file in parts are those of its text, wherever the parts end. */
import { expect, test } from "bun:test";
import { partBytes } from "../../src/common/files/byteSource.ts";
import { FileBytes } from "../../src/common/files/fileBytes.ts";
import { decodeText, refuseNoUtf8 } from "../../src/common/files/inputFile.ts";
import { ByteLines } from "../../src/formats/byteLines.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

/** A text in which `what` starts so many bytes before the end of the first part. */
const across = (what: string, before: number) =>
  `a\tb\n${"x".repeat(partBytes - 4 - before)}${what}1\t2\nlast\tline`;

test.each(["\n", "\r\n", "\r", "\r\r\n", "\n\r", "\r\r", "é", "\t", "𝄞\n"])(
  "%j at the end of a part",
  (what) => {
    for (let before = 0; before <= 4; before++) {
      const text = across(what, before);
      const path = scratch.write("text.tsv", text);
      const file = new FileBytes(path);
      refuseNoUtf8(file, path);
      const lines = new ByteLines(file);
      const found: string[][] = [];
      while (lines.next()) {
        const cells = lines.allCells();
        for (const cell of cells) expect(lines.text(lines.cell())).toBe(cell);
        expect(lines.cell()).toBeUndefined();
        found.push(cells);
      }
      expect(found).toEqual(text.split(/\r\n|\r|\n/).map((line) => line.split("\t")));
      expect(lines.lineNumber).toBe(found.length);
    }
  },
);

test("a line that is longer than several parts", () => {
  const long = Array.from({ length: 900_000 }, (_, i) => i).join("\t");
  const lines = new ByteLines(new FileBytes(scratch.write("long.tsv", `\ufeff${long}\n${long}\nend\n`)));
  for (const expected of [long, long, "end"]) {
    expect(lines.next()).toBe(true);
    expect(lines.lineText() === expected).toBe(true);
  }
  expect(lines.next()).toBe(false);
});

test("bytes that are no text are found in any part", () => {
  const text = Buffer.from("ä".repeat(partBytes));
  for (const at of [5, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes - 1]) {
    for (const [byte, message] of [
      [0xff, `at offset ${at - (at % 2)})`],
      [0, `(a zero byte at offset ${at})`],
    ] as const) {
      const bytes = Buffer.from(text);
      bytes[at] = byte;
      expect(() => decodeText(bytes, "bad.tsv")).toThrow(message);
      expect(() => refuseNoUtf8(new FileBytes(scratch.write("bad.tsv", bytes)), "bad.tsv")).toThrow(message);
    }
  }
});
