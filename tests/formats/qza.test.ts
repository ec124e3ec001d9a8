import { describe, expect, test } from "bun:test";
import { makeQza, qzaUuid } from "../../lab/material/makeQza.ts";
import { makeZip, type ZipPart } from "../../lab/material/makeZip.ts";
import { FileBytes } from "../../src/common/files/fileBytes.ts";
import { openQzaBytes } from "../../src/formats/qza.ts";
import { openZip } from "../../src/formats/zip/read.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const part = (name: string, content: string, more: Partial<ZipPart> = {}): ZipPart => ({
  name,
  content: bytes(content),
  ...more,
});
/** What comes of a file part by part. */
async function joined(parts: AsyncIterable<Uint8Array>): Promise<string> {
  return text(Buffer.concat(await Array.fromAsync(parts)));
}
const long = "all work and no play\n".repeat(1000);

describe("openZip", () => {
  test("reads deflated and stored files, with folders, a comment and 64-bit fields", async () => {
    const parts = [
      part("a/", ""),
      part("a/long.txt", long),
      part("b.txt", "stored", { stored: true }),
      part("empty", ""),
    ];
    for (const options of [{}, { comment: "PK\x05\x06 is in here" }, { zip64: true }]) {
      const zip = openZip(makeZip(parts, options), "t.zip");
      expect(zip.names).toEqual(["a/long.txt", "b.txt", "empty"]);
      expect(text(zip.read("a/long.txt"))).toBe(long);
      expect(text(zip.read("b.txt"))).toBe("stored");
      expect(zip.read("empty").length).toBe(0);
      for (const name of zip.names) expect(await joined(zip.parts(name))).toBe(text(zip.read(name)));
    }
  });

  const refusals: [string, Partial<ZipPart>, RegExp][] = [
    ["a wrong checksum", { stated: { crc: 1 } }, /^"x" in t\.zip is damaged \(its checksum does not match\)/],
    ["more content than stated", { stated: { size: 100 } }, /unpacks to more than the 100 bytes it claims/],
    ["less content than stated", { stated: { size: 30_000 } }, /21000 bytes instead of 30000/],
    [
      "a bomb",
      { stated: { size: 2 ** 31 } },
      /claims to unpack from \d+ to 2147483648 bytes, which is refused/,
    ],
    ["too much for one buffer", { stated: { size: 0xfffffffe } }, /refused as unsafe/],
    ["a password", { stated: { flags: 1 } }, /is encrypted/],
    ["another compression", { stated: { method: 14 } }, /compression method 14, only deflate is read/],
    ["an offset that leads elsewhere", { stated: { offset: 3 } }, /its header is missing/],
    ["an offset behind the end", { stated: { offset: 10 ** 9 } }, /its header is missing/],
  ];
  for (const [name, change, message] of refusals) {
    test(`refuses ${name}, as a whole and in parts`, async () => {
      const zip = openZip(makeZip([part("x", long, change)]), "t.zip");
      expect(() => zip.read("x")).toThrow(message);
      await expect(joined(zip.parts("x"))).rejects.toThrow(message);
    });
  }

  test("reads a file on the disk of several parts, and refuses one that is damaged", async () => {
    const content = Buffer.from(long.repeat(200)).map((byte, i) => (i % 997 === 0 ? i % 251 : byte));
    for (const stored of [true, false]) {
      const zip = makeZip([{ name: "x", content, stored }]);
      const path = scratch.write("parts.zip", zip);
      const parts = await Array.fromAsync(openZip(new FileBytes(path), path).parts("x"));
      expect(parts.length).toBeGreaterThan(3);
      expect(Buffer.concat(parts).equals(content)).toBe(true);
      zip[2000] ^= 0xff;
      scratch.write("parts.zip", zip);
      const damaged = openZip(new FileBytes(path), path).parts("x");
      await expect(Array.fromAsync(damaged)).rejects.toThrow(/^"x" in .*parts\.zip is damaged \(/);
    }
  });

  test("refuses a name twice, a file that is not there, and an archive that is cut anywhere", () => {
    expect(() => openZip(makeZip([part("x", "1"), part("x", "2")]), "t.zip")).toThrow('it lists "x" twice');
    const zip = makeZip([part("x", long), part("y", "2")]);
    expect(() => openZip(zip, "t.zip").read("z")).toThrow('t.zip holds no file "z"');
    for (let end = 0; end < zip.length; end++) {
      expect(() => openZip(zip.subarray(0, end), "t.zip")).toThrow(
        /^t\.zip is a zip archive that is damaged/,
      );
    }
  });
});

describe("openQza", () => {
  const files = { "tree.nwk": bytes("(a,b);"), "deep/er.txt": bytes("x") };

  test("tells uuid, type and format and reads files of the data folder only", () => {
    const artifact = openQzaBytes(
      makeQza("Phylogeny[Rooted]", files, { format: "NewickDirectoryFormat" }),
      "t.qza",
    );
    expect(artifact.uuid).toBe(qzaUuid);
    expect(artifact.type).toBe("Phylogeny[Rooted]");
    expect(artifact.format).toBe("NewickDirectoryFormat");
    expect(artifact.names).toEqual(["tree.nwk", "deep/er.txt"]);
    expect(text(artifact.file("tree.nwk"))).toBe("(a,b);");
  });

  test("refuses names outside the data folder", () => {
    const artifact = openQzaBytes(makeQza("Phylogeny[Rooted]", files), "t.qza");
    for (const name of ["../metadata.yaml", "metadata.yaml", "", "none", `${qzaUuid}/data/tree.nwk`]) {
      expect(() => artifact.file(name)).toThrow(
        `holds no ${JSON.stringify(name)} (it holds "tree.nwk", "deep/er.txt")`,
      );
    }
  });

  const metadata = (content: string, more: Partial<ZipPart> = {}) =>
    part(`${qzaUuid}/metadata.yaml`, content, more);
  const good = `uuid: ${qzaUuid}\ntype: Phylogeny[Rooted]\nformat: null\n`;
  const refusals: [string, ZipPart[], RegExp][] = [
    ["no artifact at all", [part("a.txt", "x")], /is a zip archive but no QIIME 2 artifact/],
    ["an empty archive", [], /is not a QIIME 2 artifact/],
    ["two folders", [metadata(good), part("other/file", "x")], /no QIIME 2 artifact/],
    ["a folder that is no UUID", [part("a/metadata.yaml", good)], /no QIIME 2 artifact/],
    ["no metadata", [part(`${qzaUuid}/data/a`, "x")], /no QIIME 2 artifact/],
    ["a way out of the folder", [metadata(good), part(`${qzaUuid}/data/../../x`, "x")], /refused as unsafe/],
    ["another uuid in the metadata", [metadata(good.replace("0c0f", "1c0f"))], /does not state the uuid/],
    ["no type", [metadata(`uuid: ${qzaUuid}\n`)], /does not state the uuid .* and a type/],
    [
      "a type of two lines",
      [metadata(good.replace("Phylogeny[Rooted]", '"a\\nb"'))],
      /states the type "a\\nb", which/,
    ],
    ["metadata that is a list", [metadata("- 1\n- 2\n")], /does not state the uuid/],
    ["metadata that is no YAML", [metadata("a: [1\nb: {")], /metadata\.yaml in t\.qza is no valid YAML/],
    ["metadata that is no text", [metadata("", { content: Uint8Array.of(0xff, 0xfe, 0) })], /is UTF-16 text/],
    ["metadata without end", [metadata(`${good}#${" ".repeat(100_000)}`)], /far too many for it/],
    ["metadata that multiplies", [metadata(`a: &a [x,x,x,x,x,x,x,x,x]\n${bomb()}`)], /is no valid YAML/],
  ];
  for (const [name, parts, message] of refusals) {
    test(`refuses ${name}`, () => {
      expect(() => openQzaBytes(makeZip(parts), "t.qza")).toThrow(message);
    });
  }

  test("refuses what is no zip archive", () => {
    expect(() => openQzaBytes(bytes("text"), "t.qza")).toThrow(
      "t.qza is not a QIIME 2 artifact (it is no zip archive)",
    );
  });
});

/** YAML whose aliases would grow to 9^9 entries. */
function bomb(): string {
  const names = "abcdefghi";
  return [...names.slice(1)].map((name, i) => `${name}: &${name} [${`*${names[i]},`.repeat(9)}]`).join("\n");
}
