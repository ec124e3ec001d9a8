/** Bytes that are no pickle; the message says where. */
export class PickleDamage extends Error {}

/** A Python object that has no counterpart here, in the place where it was met. */
export class Unreadable {
  /** `description` ends the sentence "it holds ...". */
  constructor(readonly description: string) {}
}

/** A Python class or function by name, not called. */
export class PickleGlobal extends Unreadable {
  constructor(readonly name: string) {
    super(`the class or function ${name}`);
  }
}

/** What makes objects of Python's callables, and of references to storages. */
export interface PickleBuilder {
  /**
   * The value of calling `name` (`module.function`) with these arguments; undefined where it is not known.
   */
  call(name: string, args: readonly unknown[]): unknown;
  /** The value of a name that is not called, such as `torch.float32`; undefined leaves it to be called. */
  constant(name: string): unknown;
  /** The object that a persistent id stands for. */
  persistent(id: unknown): unknown;
}

const mark = Symbol("mark");

/** Operations that nothing needs which is read here, by Python's names for them (pickletools). */
const refusedOperations: Readonly<Record<number, string>> = {
  50: "DUP",
  70: "FLOAT",
  73: "INT",
  76: "LONG",
  80: "PERSID",
  83: "STRING",
  86: "UNICODE",
  103: "GET",
  105: "INST",
  111: "OBJ",
  112: "PUT",
  130: "EXT1",
  131: "EXT2",
  132: "EXT4",
  146: "NEWOBJ_EX",
  151: "NEXT_BUFFER",
  152: "READONLY_BUFFER",
};

/** Bytes of an integer: longer ones take long to build, and no number of a model has them. */
const longestInteger = 1024;

/**
 * What a pickle holds, and the first call in it that its builder did not know, whether
 * or not its result is used.
 */
export interface Unpickled {
  readonly value: unknown;
  readonly unknownCall: string | null;
}

/**
 * Runs a pickle of protocol 2 to 5 without running any code: lists and tuples become arrays, dictionaries
 * Maps, integers numbers (bigints beyond 2^53). Whatever is called goes through `builder`; what it does not
 * know becomes `Unreadable`.
 * @throws PickleDamage, also for operations that only other contents need
 */
export function unpickle(bytes: Uint8Array, builder: PickleBuilder): Unpickled {
  const machine = new Machine(bytes, builder);
  const value = machine.run();
  return { value, unknownCall: machine.unknownCall };
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #builder: PickleBuilder;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #decoder = new TextDecoder("utf-8", { fatal: false });
  #at = 0;
  unknownCall: string | null = null;

  constructor(bytes: Uint8Array, builder: PickleBuilder) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#builder = builder;
  }

  run(): unknown {
    try {
      for (;;) {
        const code = this.#byte();
        if (code === 0x2e) return this.#pop(); // STOP
        this.#step(code);
      }
    } catch (cause) {
      if (cause instanceof PickleDamage) throw cause;
      // A read beyond the end of the buffer.
      if (cause instanceof RangeError) throw this.#damaged("it ends too early");
      throw cause;
    }
  }

  #damaged(what: string): PickleDamage {
    return new PickleDamage(`its pickle is damaged at byte ${this.#at}: ${what}`);
  }

  #refused(code: number): PickleDamage {
    const name = refusedOperations[code];
    if (name === undefined) return this.#damaged(`there is no operation ${code}`);
    return new PickleDamage(
      `its pickle uses the operation ${name} at byte ${this.#at - 1}, which neither tensors nor plain values need; ` +
        "load it where it was made and save its state_dict() with torch.save",
    );
  }

  #byte(): number {
    return this.#view.getUint8(this.#at++);
  }

  #uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #length64(): number {
    this.#at += 8;
    const length = this.#view.getBigUint64(this.#at - 8, true);
    if (length > BigInt(this.#bytes.length)) throw this.#damaged("it ends too early");
    return Number(length);
  }

  #skip(length: number): void {
    if (this.#at + length > this.#bytes.length) throw this.#damaged("it ends too early");
    this.#at += length;
  }

  #text(length: number): string {
    this.#skip(length);
    return this.#decoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#damaged("it ends too early");
    const text = this.#decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** Two's complement, little-endian. */
  #long(length: number): number | bigint {
    if (length > longestInteger) throw this.#damaged(`an integer of ${length} bytes`);
    if (this.#at + length > this.#bytes.length) throw this.#damaged("it ends too early");
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[this.#at + i]);
    if (length > 0 && this.#bytes[this.#at + length - 1] >= 128) value -= 1n << BigInt(8 * length);
    this.#at += length;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw this.#damaged("its stack is empty");
    return this.#stack.pop();
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw this.#damaged("its stack is empty");
    return this.#stack[this.#stack.length - 1];
  }

  #popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) throw this.#damaged("a mark is missing");
    const items = this.#stack.splice(at + 1);
    this.#stack.pop();
    return items;
  }

  #global(name: string): void {
    const constant = this.#builder.constant(name);
    this.#stack.push(constant === undefined ? new PickleGlobal(name) : constant);
  }

  #call(callable: unknown, args: unknown): void {
    if (!(callable instanceof Unreadable) || !Array.isArray(args))
      throw this.#damaged("what it calls is not a function");
    const made = callable instanceof PickleGlobal ? this.#builder.call(callable.name, args) : undefined;
    const name = callable instanceof PickleGlobal ? `a ${callable.name}` : callable.description;
    if (made === undefined && callable instanceof PickleGlobal) this.unknownCall ??= callable.name;
    this.#stack.push(made === undefined ? new Unreadable(name) : made);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (list instanceof Unreadable) return;
    if (!Array.isArray(list)) throw this.#damaged("it appends to what is not a list");
    for (const item of items) list.push(this.#value(item));
  }

  #setItems(items: readonly unknown[]): void {
    const dictionary = this.#top();
    if (dictionary instanceof Unreadable) return;
    if (!(dictionary instanceof Map) || items.length % 2 !== 0)
      throw this.#damaged("it sets items of what is not a dictionary");
    for (let i = 0; i < items.length; i += 2)
      dictionary.set(this.#value(items[i]), this.#value(items[i + 1]));
  }

  #value(item: unknown): unknown {
    if (item === mark) throw this.#damaged("a mark is left over");
    return item;
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw this.#damaged(`it refers to object ${index}, which is not there`);
    this.#stack.push(this.#memo.get(index));
  }

  #step(code: number): void {
    const stack = this.#stack;
    switch (code) {
      case 0x80: // PROTO
        this.#at += 1;
        break;
      case 0x95: // FRAME
        this.#at += 8;
        break;
      case 0x28: // MARK
        stack.push(mark);
        break;
      case 0x30: // POP
        this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4b: // BININT1
        stack.push(this.#byte());
        break;
      case 0x4d: // BININT2
        this.#at += 2;
        stack.push(this.#view.getUint16(this.#at - 2, true));
        break;
      case 0x4a: // BININT
        this.#at += 4;
        stack.push(this.#view.getInt32(this.#at - 4, true));
        break;
      case 0x8a: // LONG1
        stack.push(this.#long(this.#byte()));
        break;
      case 0x8b: // LONG4
        stack.push(this.#long(this.#uint32()));
        break;
      case 0x47: // BINFLOAT
        this.#at += 8;
        stack.push(this.#view.getFloat64(this.#at - 8, false));
        break;
      case 0x58: // BINUNICODE
        stack.push(this.#text(this.#uint32()));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(this.#text(this.#byte()));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(this.#text(this.#length64()));
        break;
      case 0x55: // SHORT_BINSTRING
      case 0x43: // SHORT_BINBYTES
        this.#unreadableBytes(this.#byte());
        break;
      case 0x54: // BINSTRING
      case 0x42: // BINBYTES
        this.#unreadableBytes(this.#uint32());
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.#unreadableBytes(this.#length64());
        break;
      case 0x8f: // EMPTY_SET
        stack.push(new Unreadable("a set"));
        break;
      case 0x90: // ADDITEMS
        this.#popToMark();
        break;
      case 0x91: // FROZENSET
        this.#popToMark();
        stack.push(new Unreadable("a set"));
        break;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        stack.push([]);
        break;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        stack.push(this.#popToMark());
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const items: unknown[] = [];
        for (let i = code - 0x84; i > 0; i--) items.unshift(this.#value(this.#pop()));
        stack.push(items);
        break;
      }
      case 0x61: {
        // APPEND
        const item = this.#pop();
        this.#append([item]);
        break;
      }
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x64: {
        // DICT
        const items = this.#popToMark();
        stack.push(new Map());
        this.#setItems(items);
        break;
      }
      case 0x73: {
        // SETITEM
        const value = this.#pop();
        const key = this.#pop();
        this.#setItems([key, value]);
        break;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x71: // BINPUT
        this.#memo.set(this.#byte(), this.#top());
        break;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#uint32(), this.#top());
        break;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case 0x68: // BINGET
        this.#recall(this.#byte());
        break;
      case 0x6a: // LONG_BINGET
        this.#recall(this.#uint32());
        break;
      case 0x63: {
        // GLOBAL
        const module = this.#line();
        this.#global(`${module}.${this.#line()}`);
        break;
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") throw this.#damaged("a name is missing");
        this.#global(`${module}.${name}`);
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.#pop();
        this.#call(this.#pop(), args);
        break;
      }
      case 0x62: {
        // BUILD: an OrderedDict may have a state (a model's `_metadata`), which says nothing of use here
        this.#pop();
        const object = this.#top();
        if (!(object instanceof Map) && !(object instanceof Unreadable))
          throw this.#damaged("it gives a state to what has none");
        break;
      }
      case 0x51: // BINPERSID
        stack.push(this.#builder.persistent(this.#pop()));
        break;
      default:
        throw this.#refused(code);
    }
  }

  #unreadableBytes(length: number): void {
    this.#skip(length);
    this.#stack.push(new Unreadable("bytes"));
  }
}
