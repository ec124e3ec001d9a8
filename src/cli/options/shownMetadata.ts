import { type Metadata, readMetadata } from "../../data/metadata/read.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";

/** `readMetadata`, whose warnings are shown. */
export function shownMetadata(path: string, display: ProgressDisplay): Metadata {
  const metadata = readMetadata(path);
  for (const warning of metadata.warnings) display.warn(warning);
  return metadata;
}
