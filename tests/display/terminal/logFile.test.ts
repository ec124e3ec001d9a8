import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../src/common/userError.ts";
import { LogFile } from "../../../src/display/terminal/logFile.ts";
import { type DisplayMode, ProgressDisplay } from "../../../src/display/terminal/progressBar.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("lines are dated, appended by a resumed run, and in the file at once", () => {
  const path = join(folder, "run/training.log");
  const noon = new Date(2026, 0, 31, 12, 5, 7).getTime();
  new LogFile(path, () => noon).write("INFO", "first\nsecond");
  expect(readFileSync(path, "utf8")).toBe("2026-01-31 12:05:07 - aam - INFO - first\n    second\n");
  new LogFile(path, () => noon + 1000).write("ERROR", "again");
  expect(readFileSync(path, "utf8")).toEndWith("second\n2026-01-31 12:05:08 - aam - ERROR - again\n");
});

test("a log that cannot be opened is a UserError, a line that cannot be written ends nothing", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(() => new LogFile(join(file, "training.log"))).toThrow(UserError);
  expect(() => new LogFile(folder)).toThrow(UserError);
  const log = new LogFile(join(folder, "gone/training.log"));
  rmSync(join(folder, "gone"), { recursive: true });
  log.write("INFO", "lost");
});

test("the display logs messages, warnings and epochs in every mode, but no progress", () => {
  for (const mode of ["bar", "lines", "quiet", "json"] satisfies DisplayMode[]) {
    const lines: string[] = [];
    const log = { write: (level: string, text: string) => void lines.push(`${level} ${text}`) };
    const terminal = { columns: 80, write: () => {}, writeError: () => {} };
    const display = new ProgressDisplay(mode, terminal, Date.now, log);
    display.begin("work", 10);
    display.update(5);
    display.message("hello");
    display.warn("careful");
    display.end();
    display.epoch({ epoch: 1, epochs: 2, train: { total_loss: 1 } });
    expect(lines).toEqual(["INFO hello", "WARNING careful", "INFO Epoch 1/2: train_loss=1.0000"]);
  }
});
