import { type Cursor, type Hdf5Bytes, nowhere } from "./byteReader.ts";
import { type Message, messageTypes } from "./objectHeader.ts";

/**
 * What a name in a group leads to: the address of an object header, a path in the file, or another
 * file, which is not followed.
 */
export type Link = number | { readonly path: string } | "external link";

/** The links of a group whose object header holds `messages`; `undefined` if the object is no group. */
export function readLinks(file: Hdf5Bytes, messages: readonly Message[]): Map<string, Link> | undefined {
  const table = messages.find((message) => message.type === messageTypes.symbolTable);
  if (table) return readSymbolTable(file, table.body());
  const info = messages.find((message) => message.type === messageTypes.linkInfo);
  if (!info) return undefined;
  const body = info.body();
  body.skip(1);
  const flags = body.u8();
  if (body.skip(flags & 1 ? 8 : 0).offset() !== nowhere) {
    throw file.unsupported("it has a group in dense storage (more than 8 links, newest file format)");
  }
  const links = new Map<string, Link>();
  for (const message of messages) {
    if (message.type === messageTypes.link) addLink(file, links, message.body());
  }
  return links;
}

function addLink(file: Hdf5Bytes, links: Map<string, Link>, body: Cursor): void {
  const version = body.u8();
  if (version !== 1) throw file.damaged(`link message version ${version}`);
  const flags = body.u8();
  const type = flags & 8 ? body.u8() : 0;
  body.skip((flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0));
  const name = new TextDecoder().decode(body.take(body.uint(1 << (flags & 3))));
  if (type === 0) links.set(name, body.offset());
  else
    links.set(name, type === 1 ? { path: new TextDecoder().decode(body.take(body.u16())) } : "external link");
}

/** An old-style group: a version 1 B-tree of symbol nodes, whose names lie in a local heap. */
function readSymbolTable(file: Hdf5Bytes, body: Cursor): Map<string, Link> {
  const tree = body.offset();
  const heap = file.structure(body.offset(), "HEAP").skip(4);
  const namesSize = heap.length();
  const namesStart = heap.skip(file.lengthSize).offset();
  file.check(namesStart, namesSize);
  const textAt = (offset: number): string => {
    if (offset === nowhere || offset >= namesSize) throw file.damaged("a link's name lies outside its heap");
    return file.cursor(namesStart + offset, namesStart + namesSize).text();
  };
  const links = new Map<string, Link>();
  const seen = new Set<number>();
  const visit = (address: number, expectedLevel: number | undefined) => {
    if (seen.has(address)) throw file.damaged(`the group's tree at byte ${tree} runs in a circle`);
    seen.add(address);
    const node = file.structure(address, "TREE");
    const type = node.u8();
    const level = node.u8();
    if (type !== 0 || (expectedLevel !== undefined && level !== expectedLevel)) {
      throw file.damaged(`the group's tree has a wrong node at byte ${address}`);
    }
    const count = node.u16();
    node.skip(2 * file.offsetSize);
    for (let i = 0; i < count; i++) {
      const child = node.skip(file.lengthSize).offset();
      if (level > 0) visit(child, level - 1);
      else readSymbolNode(child);
    }
  };
  const readSymbolNode = (address: number) => {
    if (seen.has(address)) throw file.damaged(`the group's tree at byte ${tree} runs in a circle`);
    seen.add(address);
    const node = file.structure(address, "SNOD").skip(2);
    const count = node.u16();
    for (let i = 0; i < count; i++) {
      const nameOffset = node.offset();
      const target = node.offset();
      const cacheType = node.u32();
      // Of a soft link the scratch space holds where in the heap its path stands.
      const pathOffset = node.skip(4).u32();
      node.skip(12);
      links.set(textAt(nameOffset), cacheType === 2 ? { path: textAt(pathOffset) } : target);
    }
  };
  visit(tree, undefined);
  return links;
}
