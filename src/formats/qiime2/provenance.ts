import { randomUUID } from "node:crypto";
import { readSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Scalar, stringify } from "yaml";
import { hashFile, readFileBytes, withOpenFile } from "../../common/files/inputFile.ts";
import { openQzaBytes, type Qza } from "../qza.ts";
import { isZip } from "../zip/read.ts";
import { type Action, program } from "./action.ts";

/** A file of an archive, by its name below the root folder. */
export interface Member {
  readonly name: string;
  parts(): Iterable<Uint8Array>;
}

/** Inputs of an action, told apart by what provenance can say of them. */
interface Inputs {
  readonly artifacts: readonly (readonly [name: string, artifact: Qza])[];
  /** Plain files, with their MD5 sums. */
  readonly files: readonly { readonly option: string; readonly name: string; readonly md5sum: string }[];
  readonly folders: readonly (readonly [name: string, path: string])[];
  /** Tables of metadata, which provenance keeps whole. */
  readonly metadata: readonly (readonly [name: string, path: string])[];
}

/** Larger metadata are named by their checksum only. */
const keptMetadataBytes = 1 << 24;

export const textMember = (name: string, text: string): Member => ({
  name,
  parts: () => [new TextEncoder().encode(text)],
});

/**
 * The files below `provenance/` beside those that are copies of the archive's own: our action, and what the
 * input artifacts state of theirs.
 */
export function provenanceMembers(action: Action, path: string): Member[] {
  const inputs = sortInputs(action);
  return [
    textMember("provenance/citations.bib", citations),
    textMember("provenance/action/action.yaml", actionText(action, inputs, path)),
    ...inputs.metadata.map(([name, file]) => ({
      name: `provenance/action/${name}.tsv`,
      parts: () => [readFileBytes(file)],
    })),
    ...ancestors(inputs.artifacts.map(([, artifact]) => artifact)),
  ];
}

function sortInputs(action: Action): Inputs {
  const artifacts: [string, Qza][] = [];
  const files: { option: string; name: string; md5sum: string }[] = [];
  const folders: [string, string][] = [];
  const metadata: [string, string][] = [];
  for (const [option, path] of action.inputs()) {
    const artifact = artifactAt(path);
    if (artifact === "folder") folders.push([option, path]);
    else if (artifact !== undefined) artifacts.push([option, artifact]);
    else if (option === "metadata" && /\.(tsv|txt)$/i.test(path) && statSync(path).size <= keptMetadataBytes)
      metadata.push([option, path]);
    else files.push({ option, name: basename(path), md5sum: hashFile(path, "md5").hash });
  }
  return { artifacts, files, folders, metadata };
}

function artifactAt(path: string): Qza | "folder" | undefined {
  try {
    if (statSync(path).isDirectory()) return "folder";
    const head = new Uint8Array(4);
    withOpenFile(path, (descriptor) => readSync(descriptor, head));
    return isZip(head) ? openQzaBytes(readFileBytes(path), path) : undefined;
  } catch {
    // The command has used it, so it is a file of another kind, such as a zip archive of arrays.
    return undefined;
  }
}

/** Each artifact's own provenance in a folder of its UUID, and beside it that of its ancestors, each once. */
function* ancestorNames(artifacts: readonly Qza[]): Generator<[name: string, artifact: Qza, source: string]> {
  for (const artifact of artifacts)
    for (const source of artifact.provenance) {
      const isOwn = !source.startsWith("artifacts/");
      yield [`provenance/${isOwn ? `artifacts/${artifact.uuid}/` : ""}${source}`, artifact, source];
    }
}

function ancestors(artifacts: readonly Qza[]): Member[] {
  const members = new Map<string, Member>();
  for (const [name, artifact, source] of ancestorNames(artifacts))
    if (!members.has(name)) members.set(name, { name, parts: () => [artifact.provenanceFile(source)] });
  return [...members.values()];
}

const citationKey = `plugin|${program.name}:${program.version}|0`;

const citations = `@misc{${citationKey},
 author = {{The authors of Attention All Microbes on Bun}},
 note = {${program.package} ${program.version}},
 title = {Attention All Microbes on Bun}
}
`;

function tagged(tag: string, text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.tag = tag;
  return scalar;
}

/** A time as YAML's readers know it: without quotes. */
function timestamp(time: Date): Scalar {
  const scalar = new Scalar(time.toISOString().replace("Z", "000+00:00"));
  scalar.type = Scalar.PLAIN;
  return scalar;
}

/** `action.yaml`, with the keys that QIIME 2's framework writes and reads. */
function actionText(action: Action, { artifacts, files, folders, metadata }: Inputs, path: string): string {
  const end = new Date();
  const output = action.outputs.find(([, file]) => resolve(file) === resolve(path));
  const byOption = new Map<string, (string | Scalar)[]>();
  for (const [option, { uuid, provenance }] of artifacts) {
    // Artifacts of the first archive format have no provenance, and so no folder here.
    const named = provenance.length === 0 ? tagged("!no-provenance", uuid) : uuid;
    byOption.set(option, [...(byOption.get(option) ?? []), named]);
  }
  const plugin = `environment:plugins:${program.name}`;
  const parameters = {
    ...action.parameters,
    ...Object.fromEntries(folders),
    ...Object.fromEntries(metadata.map(([name]) => [name, tagged("!metadata", `${name}.tsv`)])),
  };
  const sections = [
    {
      execution: {
        uuid: randomUUID(),
        runtime: {
          start: timestamp(action.start),
          end: timestamp(end),
          duration: `${(end.getTime() - action.start.getTime()) / 1000} seconds`,
        },
      },
    },
    {
      action: {
        type: path.endsWith(".qzv") ? "visualizer" : "method",
        plugin: tagged("!ref", plugin),
        action: action.name.replaceAll("-", "_"),
        "command-line": action.commandLine,
        inputs: [...byOption].map(([option, uuids]) => ({ [option]: uuids.length === 1 ? uuids[0] : uuids })),
        parameters: Object.entries(parameters).map(([name, value]) => ({ [name]: value ?? null })),
        ...(files.length > 0 ? { manifest: files } : {}),
        "output-name": output?.[0] ?? basename(path).replace(/\.qz[av]$/, ""),
        citations: [tagged("!cite", citationKey)],
      },
    },
    {
      environment: {
        platform: `${process.platform}-${process.arch}`,
        bun: Bun.version,
        plugins: { [program.name]: { version: program.version, package: program.package } },
      },
    },
  ];
  const style = { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 } as const;
  return sections.map((section) => stringify(section, style)).join("\n");
}
