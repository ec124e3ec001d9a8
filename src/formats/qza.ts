import type { ByteSource } from "../common/files/byteSource.ts";
import { decodeText } from "../common/files/inputFile.ts";
import { quote, quoteSome } from "../common/quote.ts";
import { UserError } from "../common/userError.ts";
import { parseYamlText } from "./yaml.ts";
import { isZip, openZip, type Zip } from "./zip/read.ts";

/** An opened QIIME 2 artifact; its files are unpacked only when asked for. */
export interface Qza {
  readonly uuid: string;
  /** Semantic type, such as `FeatureTable[Frequency]` or `Phylogeny[Rooted]`. */
  readonly type: string;
  /** Directory format, such as `BIOMV210DirFmt`. */
  readonly format: string;
  /**
   * Names of the files below `<uuid>/data/`, such as `feature-table.biom`; provenance is never among them.
   */
  readonly names: readonly string[];
  /** The content of one of `names`; a name that is not there and damaged content are `UserError`s. */
  file(name: string): Uint8Array;
  /** As `file`, part by part, and to how many bytes in all it claims to unpack. */
  parts(name: string): { readonly parts: AsyncIterable<Uint8Array>; readonly size: number };
  /** Names of the files below `<uuid>/provenance/`, such as `action/action.yaml`. */
  readonly provenance: readonly string[];
  /** The content of one of `provenance`. */
  provenanceFile(name: string): Uint8Array;
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Real ones have about 100 bytes. */
const maxMetadataBytes = 2 ** 16;

/**
 * Opens a QIIME 2 artifact (`.qza`), in memory or (as `FileBytes`) on the disk; `source` names it in errors.
 * @throws UserError if it is none, or is damaged.
 */
export function openQzaBytes(bytes: ByteSource, source: string): Qza {
  if (!isZip(bytes)) {
    throw new UserError(`${source} is not a QIIME 2 artifact (it is no zip archive); give a .qza file.`);
  }
  const zip = openZip(bytes, source);
  const uuid = rootFolder(zip, source);
  const { type, format } = readMetadata(zip, uuid, source);
  const below = (prefix: string) =>
    zip.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const prefix = `${uuid}/data/`;
  const names = below(prefix);
  const pathOf = (name: string) => {
    if (names.includes(name)) return prefix + name;
    const held = names.length > 0 ? quoteSome(names) : "nothing";
    throw new UserError(
      `${source} is a QIIME 2 artifact of type ${type} and holds no ${quote(name)} (it holds ${held}); give another artifact.`,
    );
  };
  return {
    uuid,
    type,
    format,
    names,
    provenance: below(`${uuid}/provenance/`),
    provenanceFile: (name) => zip.read(`${uuid}/provenance/${name}`),
    file: (name) => zip.read(pathOf(name)),
    parts: (name) => ({ parts: zip.parts(pathOf(name)), size: zip.sizeOf(pathOf(name)) }),
  };
}

function rootFolder(zip: Zip, source: string): string {
  const roots = new Set(zip.names.map((name) => name.split("/", 1)[0]));
  const [uuid] = roots;
  if (
    uuid === undefined ||
    roots.size !== 1 ||
    !uuidPattern.test(uuid) ||
    !zip.names.includes(`${uuid}/metadata.yaml`)
  ) {
    refuseOfficeFile(zip, source);
    throw new UserError(
      `${source} is a zip archive but no QIIME 2 artifact (it has no single folder named by a UUID with a metadata.yaml); give a .qza file.`,
    );
  }
  if (zip.names.some((name) => name.split("/").includes(".."))) {
    throw new UserError(
      `${source} holds file names with ".." and is refused as unsafe; export the artifact anew.`,
    );
  }
  return uuid;
}

/** Workbooks are zip archives too. */
function refuseOfficeFile(zip: Zip, source: string): void {
  const has = (pattern: RegExp) => zip.names.some((name) => pattern.test(name));
  const what = has(/^xl\//)
    ? "an Excel workbook"
    : has(/^mimetype$/) && has(/^content\.xml$/)
      ? "an OpenDocument file (of LibreOffice, say)"
      : has(/^Index\/.*\.iwa$/)
        ? "a Numbers document"
        : has(/^word\//)
          ? "a Word document"
          : undefined;
  if (what === undefined) return;
  throw new UserError(
    `${source} is ${what}, which is not read here; save its sheet as tab-separated text (.tsv or .txt, UTF-8) and give that.`,
  );
}

function readMetadata(zip: Zip, uuid: string, source: string): { type: string; format: string } {
  const where = `metadata.yaml in ${source}`;
  const bytes = zip.read(`${uuid}/metadata.yaml`);
  if (bytes.length > maxMetadataBytes) {
    throw new UserError(`${where} has ${bytes.length} bytes, far too many for it; export the artifact anew.`);
  }
  const text = decodeText(bytes, where);
  let metadata: unknown;
  try {
    metadata = parseYamlText(text);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`${where} is no valid YAML (${what}); export the artifact anew.`);
  }
  const fields = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Record<
    string,
    unknown
  >;
  if (fields["uuid"] !== uuid || typeof fields["type"] !== "string") {
    throw new UserError(`${where} does not state the uuid ${uuid} and a type; export the artifact anew.`);
  }
  // A visualization has a type but the format null.
  const type = fields["type"];
  // Readers put the type into their messages.
  if (!/^[\x20-\x7e]{1,200}$/.test(type)) {
    throw new UserError(`${where} states the type ${quote(type)}, which is none; export the artifact anew.`);
  }
  return { type, format: typeof fields["format"] === "string" ? fields["format"] : "" };
}
