import { type Cursor, type Hdf5Bytes, nowhere } from "./byteReader.ts";

/** One message of an object header: what a group or dataset is made of. */
export interface Message {
  readonly type: number;
  /** The content is elsewhere: `body` only says where. */
  readonly shared: boolean;
  /** A fresh cursor over the content. */
  body(): Cursor;
}

export const messageTypes = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const;

/** More continuation blocks than any writer makes. */
const maxBlocks = 4096;

interface Block {
  readonly start: number;
  readonly end: number;
}

/** Reads all messages of the object header (version 1 or 2) at `address`, continuation blocks included. */
export function readObjectHeader(file: Hdf5Bytes, address: number): Message[] {
  const start = file.cursor(address);
  const isVersion2 = start.left >= 4 && String.fromCharCode(...start.take(4)) === "OHDR";
  const messages: Message[] = [];
  const blocks: Block[] = [];
  let orderSize = 0;
  if (isVersion2) {
    const version = start.u8();
    if (version !== 2) throw file.damaged(`object header version ${version} at byte ${address}`);
    const flags = start.u8();
    start.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
    const size = start.uint(1 << (flags & 3));
    orderSize = flags & 4 ? 2 : 0;
    const first = start.sub(size);
    file.verifyChecksum(address, first.end, "object header");
    blocks.push({ start: first.at, end: first.end });
  } else {
    const header = file.cursor(address);
    const version = header.u8();
    if (version !== 1) throw file.damaged(`no object header at byte ${address}`);
    header.skip(7);
    const size = header.u32();
    const first = header.skip(4).sub(size);
    blocks.push({ start: first.at, end: first.end });
  }
  const seen = new Set<number>([blocks[0].start]);
  for (let i = 0; i < blocks.length; i++) {
    for (const message of isVersion2 ? messages2(file, blocks[i], orderSize) : messages1(file, blocks[i])) {
      if (message.type !== messageTypes.continuation) {
        messages.push(message);
        continue;
      }
      const next = continuationBlock(file, message.body(), isVersion2);
      if (seen.has(next.start) || blocks.length >= maxBlocks) {
        throw file.damaged(`the object header at byte ${address} continues in a circle`);
      }
      seen.add(next.start);
      blocks.push(next);
    }
  }
  return messages;
}

function continuationBlock(file: Hdf5Bytes, body: Cursor, isVersion2: boolean): Block {
  const address = body.offset();
  const size = body.length();
  file.check(address, size);
  if (!isVersion2) return { start: address, end: address + size };
  const inside = file.structure(address, "OCHK");
  if (size < 8) throw file.damaged(`a continuation block of ${size} bytes at byte ${address}`);
  file.verifyChecksum(address, address + size - 4, "object header's continuation");
  return { start: inside.at, end: address + size - 4 };
}

function* messages1(file: Hdf5Bytes, block: Block): Generator<Message> {
  const cursor = file.cursor(block.start, block.end);
  while (cursor.left >= 8) {
    const type = cursor.u16();
    const size = cursor.u16();
    const flags = cursor.u8();
    const { at, end } = cursor.skip(3).sub(size);
    yield { type, shared: (flags & 2) !== 0, body: () => file.cursor(at, end) };
  }
}

function* messages2(file: Hdf5Bytes, block: Block, orderSize: number): Generator<Message> {
  const cursor = file.cursor(block.start, block.end);
  while (cursor.left >= 4 + orderSize) {
    const type = cursor.u8();
    const size = cursor.u16();
    const flags = cursor.u8();
    const { at, end } = cursor.skip(orderSize).sub(size);
    yield { type, shared: (flags & 2) !== 0, body: () => file.cursor(at, end) };
  }
}

/** The content of the first message of `type`, followed to a committed datatype if need be. */
export function findMessage(file: Hdf5Bytes, messages: readonly Message[], type: number): Cursor | undefined {
  const message = messages.find((candidate) => candidate.type === type);
  if (!message?.shared) return message?.body();
  const reference = message.body();
  const version = reference.u8();
  const kind = reference.u8();
  if (version < 2 || (version === 3 && kind !== 2)) {
    throw file.unsupported("it keeps messages in a shared heap");
  }
  const target = reference.offset();
  const found = target === nowhere ? undefined : readObjectHeader(file, target).find((m) => m.type === type);
  if (!found || found.shared) throw file.damaged("a shared message leads nowhere");
  return found.body();
}
