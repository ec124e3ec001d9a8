import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { mapHtml } from "./map.ts";
import { type SampleMapInput, sampleMap } from "./sampleMap.ts";
import { pageHtml } from "./shell.ts";

/**
 * Writes maps of samples as a page of their own, which opens from the disk and loads nothing.
 * @throws UserError if the file cannot be written.
 */
export async function writeMapPage(path: string, input: SampleMapInput, subtitle: string): Promise<void> {
  const section = { id: "map", title: "Map of samples", body: mapHtml(await sampleMap(input)) };
  const created = new Date().toISOString();
  writeFileAtomic(path, pageHtml({ title: input.title, subtitle, sections: [section], created }));
}
