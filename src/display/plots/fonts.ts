import { readFileSync } from "node:fs";
import regularFile from "@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf" with { type: "file" };
import semiBoldFile from "@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf" with { type: "file" };
import webFile from "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" with { type: "file" };

/**
 * The font of all plots. It comes with the package, so that a machine without fonts draws the same pictures.
 */
export const fontName = "Inter";

const files = new Map<string, Uint8Array>();

function bytesOf(file: string): Uint8Array {
  let bytes = files.get(file);
  if (!bytes) files.set(file, (bytes = new Uint8Array(readFileSync(file))));
  return bytes;
}

/** The TrueType files of the regular and the semi-bold face. */
export function fontBytes(): Uint8Array[] {
  return [bytesOf(regularFile), bytesOf(semiBoldFile)];
}

/**
 * The Latin part of the font in all weights, for web pages (WOFF2): a seventh of one TrueType file, which
 * resvg needs. No package has both.
 */
export function webFontBytes(): Uint8Array {
  return bytesOf(webFile);
}

const widths = new Map<string, (text: string) => number>();

/** Width of a line of text in pixels, without kerning. */
export function textWidth(text: string, fontSize: number, semiBold: boolean): number {
  const file = semiBold ? semiBoldFile : regularFile;
  let measure = widths.get(file);
  if (!measure) widths.set(file, (measure = readAdvances(bytesOf(file))));
  return measure(text) * fontSize;
}

/** Reads the advance widths of a TrueType font; returns a function from a text to its width in em. */
function readAdvances(file: Uint8Array): (text: string) => number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tables = new Map<string, number>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const entry = 12 + 16 * i;
    tables.set(String.fromCharCode(...file.subarray(entry, entry + 4)), view.getUint32(entry + 8));
  }
  const unitsPerEm = view.getUint16(tables.get("head")! + 18);
  const advanceCount = view.getUint16(tables.get("hhea")! + 34);
  const advances = tables.get("hmtx")!;
  const glyphOf = readCharacterMap(view, tables.get("cmap")!);
  return (text) => {
    let units = 0;
    for (const character of text) {
      const glyph = glyphOf(character.codePointAt(0)!);
      // A character of another script comes from another font; most such are as wide as they are high.
      if (glyph === 0) units += unitsPerEm;
      else units += view.getUint16(advances + 4 * Math.min(glyph, advanceCount - 1));
    }
    return units / unitsPerEm;
  };
}

/** The character map of format 4 (segments of the basic plane), which every font for several systems has. */
function readCharacterMap(view: DataView, cmap: number): (codePoint: number) => number {
  let table = -1;
  for (let i = 0; i < view.getUint16(cmap + 2); i++) {
    const candidate = cmap + view.getUint32(cmap + 4 + 8 * i + 4);
    if (view.getUint16(candidate) === 4) table = candidate;
  }
  if (table < 0) throw new Error(`The font ${fontName} has no character map of format 4.`);
  const doubleCount = view.getUint16(table + 6);
  const ends = table + 14;
  const starts = ends + doubleCount + 2;
  const deltas = starts + doubleCount;
  const offsets = deltas + doubleCount;
  return (codePoint) => {
    for (let at = 0; at < doubleCount; at += 2) {
      if (codePoint > view.getUint16(ends + at)) continue;
      const start = view.getUint16(starts + at);
      if (codePoint < start) return 0;
      const delta = view.getUint16(deltas + at);
      const offset = view.getUint16(offsets + at);
      if (offset === 0) return (codePoint + delta) & 0xffff;
      const glyph = view.getUint16(offsets + at + offset + 2 * (codePoint - start));
      return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
    }
    return 0;
  };
}
