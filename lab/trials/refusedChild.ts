/**
 * Lets every writer write where it cannot: `bun refusedChild.ts full|read-only|vanished FOLDER` prints
 * a `RefusalReport` as its last line. The folder is a full disk or a read-only one already;
 * `refusals.ts` makes it so.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/common/userError.ts";
import { writers } from "./faults/writers.ts";

export type Refusal = "full" | "read-only" | "vanished";

export interface RefusalReport {
  tried: number;
  lost: string[];
  /** The sentences that users get, without the paths. */
  sentences: string[];
}

const [refusal, folder] = process.argv.slice(2) as [Refusal, string];
const wanted: Record<Refusal, RegExp> = {
  full: /^Cannot write \S+: the disk is full; free some space or choose another folder\.$/,
  "read-only": /^Cannot write \S+: the file system is read-only; choose another folder\.$/,
  vanished: /^Cannot write \S+: its folder does not exist \(any more\); create it or choose another\.$/,
};
const pageBytes = 4096;
/** Room that a full disk still has: writers fail at their first byte and later. */
const pagesLeft = [0, 1, 2, 4];

/** Takes all room but so many pages, in a file beside the writer's folder. */
function fillUp(pages: number): void {
  const descriptor = openSync(join(folder, "filler"), "w");
  const page = new Uint8Array(pageBytes);
  let size = 0;
  try {
    for (;;) size += writeSync(descriptor, page, 0, pageBytes, size);
  } catch {
    ftruncateSync(descriptor, Math.max(0, size - pages * pageBytes));
  }
  closeSync(descriptor);
}

const report: RefusalReport = { tried: 0, lost: [], sentences: [] };

for (const writer of writers) {
  if (writer.isSilent) continue;
  for (const pages of refusal === "full" ? pagesLeft : [0]) {
    const work = refusal === "read-only" ? folder : join(folder, "work");
    if (refusal === "full") {
      rmSync(join(folder, "filler"), { force: true });
      rmSync(work, { recursive: true, force: true });
      mkdirSync(work);
      fillUp(pages);
    }
    report.tried++;
    const place = `${writer.name}, ${refusal}${refusal === "full" ? `, ${pages} pages left` : ""}`;
    try {
      await writer.write(work, 2);
      // It fitted in, or its folder was made anew: then it must be whole.
      if (refusal === "read-only") report.lost.push(`${place}: nobody was told`);
      else await writer.read(work);
    } catch (cause) {
      const { message, stack } = cause as Error;
      if (!(cause instanceof UserError)) report.lost.push(`${place}: ${stack}`);
      else if (!wanted[refusal].test(message)) report.lost.push(`${place}: ${message}`);
      const sentence = message.replaceAll(/(?<=Cannot write )\S+(?=:)/g, "...");
      if (!report.sentences.includes(sentence)) report.sentences.push(sentence);
    }
    if (refusal === "vanished") rmSync(work, { recursive: true, force: true });
    const left = (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
      name.endsWith(".tmp"),
    );
    if (left.length > 0) report.lost.push(`${place}: left ${left} behind`);
  }
}
console.log(JSON.stringify(report));
process.exit(0);
