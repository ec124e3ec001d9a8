import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMetadata } from "../../src/data/metadata/read.ts";
import { readTable } from "../../src/data/table/read.ts";
import * as torch from "../../src/torch/index.ts";
import { findBrowser, tryReportIn } from "../material/browser.ts";
import { makeQza, qzaUuid } from "../material/makeQza.ts";
import { makeZip } from "../material/makeZip.ts";
import { type Outcome, skipped, type Trial } from "./trial.ts";

const text = (content: string) => new TextEncoder().encode(content);
const latin1 = (content: string) => new Uint8Array(Buffer.from(content, "latin1"));

/** Pickles that would make the file `trace`, were anything of them run; each the way another tool would. */
function attacks(trace: string): Record<string, string> {
  const command = `touch ${trace}`;
  const unicode = `X${String.fromCharCode(command.length, 0, 0, 0)}${command}`;
  return {
    "REDUCE of os.system": `\x80\x02cposix\nsystem\n(${unicode}tR.`,
    "REDUCE whose result is dropped": `\x80\x02cposix\nsystem\n(${unicode}tR0}.`,
    "INST of os.system": `\x80\x02(${unicode}iposix\nsystem\n.`,
    "INST in the oldest protocol": `(S'${command}'\niposix\nsystem\n.`,
    "OBJ of os.system": `\x80\x02(cposix\nsystem\n${unicode}o.`,
    "NEWOBJ of subprocess.Popen": `\x80\x02csubprocess\nPopen\n(${unicode}t\x81.`,
    "STACK_GLOBAL of builtins.eval": `\x80\x04\x8c\x08builtins\x8c\x04eval\x93(${unicode}tR.`,
    "BUILD of an object's state": `\x80\x02cos\n_wrap_close\n)\x81}X\x01\x00\x00\x00a${unicode}sb.`,
    "a torch function that loads files": `\x80\x02ctorch\nload\n(${unicode}tR.`,
  };
}

function runPickles(): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "aam-untrusted-"));
  const lost: string[] = [];
  const before = torch.memory().liveTensors;
  try {
    const trace = join(folder, "trace");
    const entries = Object.entries(attacks(trace));
    for (const [what, pickle] of entries) {
      const path = join(folder, "model.pt");
      writeFileSync(path, makeZip([{ name: "a/data.pkl", content: latin1(pickle), stored: true }]));
      const message = refusalOf(() => torch.loadPickle(path));
      if (
        !/posix\.system|subprocess\.Popen|builtins\.eval|_wrap_close|torch\.load|INST|OBJ|STRING/.test(
          message,
        )
      )
        lost.push(`${what} is not refused by its name: ${message}`);
      if (existsSync(trace)) lost.push(`${what} was run`);
    }
    const leaked = torch.memory().liveTensors - before;
    return {
      tried: entries.length,
      lost,
      leaked: leaked === 0 ? [] : [`${leaked} tensors`],
      note: "each refused by name",
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refusalOf(run: () => unknown): string {
  try {
    run();
    return "it was read";
  } catch (cause) {
    const { name, message } = cause as Error;
    return name === "UserError" ? message : `${name}: ${message}`;
  }
}

/** Archives whose names lead elsewhere: reading them must write nothing and read nothing else. */
async function leaveArchives(): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "aam-untrusted-"));
  const lost: string[] = [];
  const names = [
    "../../outside",
    "/etc/outside",
    "..\\..\\outside",
    "data/../../outside",
    "./././../outside",
  ];
  try {
    writeFileSync(join(folder, "secret"), "#OTU ID\tS1\nA\t1\n");
    const metadata = `uuid: ${qzaUuid}\ntype: FeatureTable[Frequency]\nformat: BIOMV210DirFmt\n`;
    for (const name of names) {
      const path = join(folder, "table.qza");
      const parts = [
        { name: `${qzaUuid}/metadata.yaml`, content: text(metadata) },
        { name: `${qzaUuid}/data/${name}`, content: text("x") },
      ];
      writeFileSync(path, makeZip(parts));
      const message = await readTable(path).then(
        () => "it was read",
        (cause: Error) => (cause.name === "UserError" ? "" : String(cause)),
      );
      if (message !== "") lost.push(`${name}: ${message}`);
    }
    // A link in an archive is a file whose content is a path: it must be taken as content.
    const link = makeQza("SampleData[AlphaDiversity]", { "metadata.tsv": text("../../secret") });
    writeFileSync(join(folder, "link.qza"), link);
    if (!refusalOf(() => readMetadata(join(folder, "link.qza"))).includes("link.qza"))
      lost.push("a link was followed");
    const found = readdirSync(folder, { recursive: true }).sort().join(" ");
    if (found !== "link.qza secret table.qza") lost.push(`files appeared: ${found}`);
    return { tried: names.length + 1, lost, leaked: [] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openReport(): Promise<Outcome> {
  const browser = findBrowser();
  if (browser === undefined) return skipped("no chromium or chrome on the PATH");
  const { controlWorks, isAttacked, hidden, foreign, rows } = await tryReportIn(browser);
  const lost = [
    ...(controlWorks ? [] : ["the control page was not attacked: this trial sees nothing"]),
    ...(isAttacked ? ["a name ran as a script"] : []),
    ...(rows > 0 ? [] : ["the table of samples is empty"]),
    ...(foreign > 0 ? [`${foreign} elements came out of names`] : []),
    ...hidden.map((name) => `a name is not shown as it is: ${name}`),
  ];
  return { tried: 1, lost, leaked: [], note: "a page without escaping was attacked in the same browser" };
}

export const untrustedTrials = (): Trial[] => [
  { area: "untrusted files", what: "pickles that call functions", run: runPickles },
  { area: "untrusted files", what: "archives that lead out of their folder", run: leaveArchives },
  { area: "untrusted files", what: "a report of hostile names in a browser", run: openReport },
];
