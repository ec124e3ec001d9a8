import { zipSync } from "fflate";

export const qzaUuid = "0c0ffee0-1234-4abc-8def-0123456789ab";

/**
 * A QIIME 2 artifact of this type with these files in its data folder, and like-named ones in its provenance.
 */
export function makeQza(
  type: string,
  files: Readonly<Record<string, Uint8Array>>,
  options: { readonly uuid?: string; readonly format?: string } = {},
): Uint8Array {
  const uuid = options.uuid ?? qzaUuid;
  const metadata = `uuid: ${uuid}\ntype: ${type}\nformat: ${options.format ?? "BIOMV210DirFmt"}\n`;
  const entries: Record<string, Uint8Array> = {
    [`${uuid}/metadata.yaml`]: new TextEncoder().encode(metadata),
    [`${uuid}/VERSION`]: new TextEncoder().encode("QIIME 2\narchive: 5\nframework: 2020.8.0\n"),
  };
  for (const [name, content] of Object.entries(files)) {
    entries[`${uuid}/data/${name}`] = content;
    entries[`${uuid}/provenance/artifacts/other/data/${name}`] = new TextEncoder().encode("another artifact");
  }
  return zipSync(entries, { mtime: "2024-01-01T00:00:00" });
}
