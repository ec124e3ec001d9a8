import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  durationText,
  learningRateText,
  lossText,
  percentText,
  readableNumber,
} from "../../../src/display/numberText.ts";
import {
  chooseDisplayMode,
  type DisplayMode,
  epochLine,
  epochTitle,
  ProgressDisplay,
} from "../../../src/display/terminal/progressBar.ts";

function newDisplay(mode: DisplayMode, columns = 140) {
  const output = { text: "", errors: "" };
  const clock = { milliseconds: 1e12 };
  const terminal = {
    columns,
    write: (text: string) => void (output.text += text),
    writeError: (text: string) => void (output.errors += text),
  };
  return { display: new ProgressDisplay(mode, terminal, () => clock.milliseconds), output, clock };
}

/**
 * What a terminal shows after `text`: a carriage return goes to the line's start,
 * ESC[K clears the line's rest.
 */
function screen(text: string): string[] {
  return text.split("\n").map((line) => {
    let shown = "";
    let column = 0;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the very escape sequence the bar writes
    for (const piece of line.split(/(\r|\x1b\[K)/)) {
      if (piece === "\r") column = 0;
      else if (piece === "\x1b[K") shown = shown.slice(0, column);
      else {
        shown = shown.slice(0, column) + piece + shown.slice(column + piece.length);
        column += piece.length;
      }
    }
    return shown;
  });
}

const parts = { NA: 0.51234, NL: 1.2, TL: 0.123456, UL: 0.00001234, LR: 1e-4, RL: 0.5 };

test("losses have four decimals, six below 0.0001; rates a two-digit exponent; accuracy is percent", () => {
  expect([0.123456, 12, 0.0001, 0.00001234, 0, -0.00005].map(lossText)).toEqual([
    "0.1235",
    "12.0000",
    "0.0001",
    "0.000012",
    "0.0000",
    "-0.000050",
  ]);
  expect([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(lossText)).toEqual([
    "nan",
    "inf",
    "-inf",
  ]);
  expect([1e-4, 0.00123456, 3, 1e-100, 0].map(learningRateText)).toEqual([
    "1.00e-04",
    "1.23e-03",
    "3.00e+00",
    "1.00e-100",
    "0.00e+00",
  ]);
  expect(percentText(0.51234)).toBe("51.23%");
  expect([0, 7.4, 59.6, 754, 3723, 4e5, Number.POSITIVE_INFINITY].map(durationText)).toEqual([
    "0:00",
    "0:07",
    "1:00",
    "12:34",
    "1:02:03",
    "4.6 days",
    "?",
  ]);
  expect([0, 1234567, 2.34567, -0.25, 1e-7, 0.000123456, 123456.7].map((x) => readableNumber(x))).toEqual([
    "0",
    "1\u202f234\u202f567",
    "2.346",
    "−0.25",
    "1.00 × 10^-07",
    "0.0001235",
    "123\u202f457",
  ]);
});

test("the bar shows title, share, figures in their order, pace and time left", () => {
  const { display, output, clock } = newDisplay("bar");
  display.begin(epochTitle(2, 5), 1000);
  clock.milliseconds += 4000;
  display.update(400, parts);
  expect(screen(output.text)).toEqual([
    "Epoch 2/5 ███████████░░░░░░░░░░░░░░░░  40%  " +
      "TL=0.1235  LR=1.00e-04  RL=0.5000  UL=0.000012  NL=1.2000  NA=51.23%  100 samples/s  0:06 left",
  ]);
  clock.milliseconds += 6000;
  display.update(1000, { TL: 0.1 });
  display.end();
  const shown = screen(output.text);
  expect(shown.length).toBe(2);
  expect(shown[0]).toMatch(/^Epoch 2\/5 █{30} 100% {2}TL=0\.1000 {2}100 samples\/s {2}0:10$/);
});

test("the bar never grows beyond the terminal, and keeps the time left on a narrow one", () => {
  for (const columns of [30, 45, 60, 80, 100, 200]) {
    const { display, output, clock } = newDisplay("bar", columns);
    display.begin(epochTitle(2, 5, true), 1000);
    clock.milliseconds += 4000;
    display.update(400, parts);
    const [line] = screen(output.text);
    expect(line.length).toBeLessThan(columns);
    expect(line).toStartWith("Epoch 2/5 [Val]");
    if (columns >= 45) expect(line).toEndWith("0:06 left");
    expect(line.includes("NA=")).toBe(columns >= 200);
  }
});

test("the bar is redrawn ten times a second at most", () => {
  const { display, output, clock } = newDisplay("bar");
  display.begin("work", 1000);
  for (let done = 0; done < 1000; done++) {
    clock.milliseconds += 1;
    display.update(done);
  }
  expect(output.text.split("\r").length - 1).toBe(1 + 10);
});

test("a message above the bar leaves no remains of it", () => {
  const { display, output, clock } = newDisplay("bar");
  display.begin("work", 10);
  clock.milliseconds += 1000;
  display.update(5);
  display.message("Saved.");
  display.end();
  display.message("Done.");
  const shown = screen(output.text);
  expect(shown[0]).toBe("Saved.");
  expect(shown[1]).toStartWith("work █");
  expect(shown.slice(2)).toEqual(["Done.", ""]);
});

test("the time left follows the pace of the last half minute", () => {
  const { display, output, clock } = newDisplay("json");
  display.begin("work", 100_000);
  let done = 0;
  for (let second = 0; second < 200; second++) {
    clock.milliseconds += 1000;
    done += second < 100 ? 1 : 100;
    display.update(done);
  }
  const last = JSON.parse(output.text.trim().split("\n").at(-1)!);
  expect(last.perSecond).toBeCloseTo(100, 5);
  expect(last.secondsLeft).toBeCloseTo((100_000 - done) / 100, 5);
});

test("plain lines carry no control characters and come seldom", () => {
  const { display, output, clock } = newDisplay("lines");
  display.begin(epochTitle(1, 2), 100);
  for (let done = 1; done <= 40; done++) {
    clock.milliseconds += 1000;
    display.update(done, parts);
  }
  display.end();
  display.epoch({ epoch: 1, epochs: 2, train: { total_loss: 0.5 } });
  display.warn("look here");
  expect(output.text.split("\n")).toEqual([
    "Epoch 1/2: 15% (15/100 samples), TL=0.1235, LR=1.00e-04, RL=0.5000, UL=0.000012, NL=1.2000, NA=51.23%, " +
      "1.00 samples/s, 1:25 left",
    "Epoch 1/2: 30% (30/100 samples), TL=0.1235, LR=1.00e-04, RL=0.5000, UL=0.000012, NL=1.2000, NA=51.23%, " +
      "1.00 samples/s, 1:10 left",
    "Epoch 1/2: train_loss=0.5000",
    "",
  ]);
  expect(output.errors).toBe("Warning: look here\n");
});

test("quiet shows nothing but warnings", () => {
  const { display, output, clock } = newDisplay("quiet");
  display.begin("work", 10);
  clock.milliseconds += 1e6;
  display.update(5, parts);
  display.end();
  display.message("no");
  display.epoch({ epoch: 1, epochs: 2, train: {} });
  display.record("result", {});
  display.warn("yes");
  expect(output).toEqual({ text: "", errors: "Warning: yes\n" });
});

test("JSON mode writes one object per line, everything on standard output", () => {
  const { display, output, clock } = newDisplay("json");
  display.begin("work", 10, "pairs");
  clock.milliseconds += 2000;
  display.update(4, { TL: Number.NaN, LR: 0.5 });
  display.message('two\nlines "quoted"');
  display.end();
  display.epoch({ epoch: 1, epochs: 2, train: { total_loss: 1 }, val: { r2: 0.5 }, seconds: 3 });
  display.warn("careful");
  display.record("result", { mae: 3 });
  expect(
    output.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      event: "progress",
      title: "work",
      done: 4,
      total: 10,
      unit: "pairs",
      TL: null,
      LR: 0.5,
      seconds: 2,
      perSecond: 2,
      secondsLeft: 3,
    },
    { event: "message", text: 'two\nlines "quoted"' },
    {
      event: "done",
      title: "work",
      done: 4,
      total: 10,
      unit: "pairs",
      TL: null,
      LR: 0.5,
      seconds: 2,
      perSecond: 2,
    },
    { event: "epoch", epoch: 1, epochs: 2, train: { total_loss: 1 }, val: { r2: 0.5 }, seconds: 3 },
    { event: "warning", text: "careful" },
    { event: "result", mae: 3 },
  ]);
  expect(output.errors).toBe("");
});

test("an epoch's line names losses and metrics as the reference does", () => {
  expect(
    epochLine({
      epoch: 1,
      epochs: 5,
      train: { total_loss: 0.5, unifrac_loss: 0.25, nuc_loss: 1, nuc_accuracy: 0.4, target_loss: 0.00005 },
      val: { total_loss: 0.75, r2: 0.5, mae: 3.111 },
      learningRate: 0.0003,
      seconds: 65,
    }),
  ).toBe(
    "Epoch 1/5: train_loss=0.5000, unifrac=0.2500, nuc_loss=1.0000, nuc_acc=40.00%, target=0.000050" +
      " | val_loss=0.7500, r2=0.5000, mae=3.1110 | lr=3.00e-04, 1:05",
  );
  expect(epochTitle(1, 5)).toBe("Epoch 1/5");
  expect(epochTitle(1, 5, true)).toBe("Epoch 1/5 [Val]");
  expect(epochTitle(1, 5, { pass: 2, passes: 3 })).toBe("Epoch 1/5 [Val Pass 2/3]");
});

test("options win over the terminal, and a pipe gets plain lines", () => {
  expect(chooseDisplayMode({}, true)).toBe("bar");
  expect(chooseDisplayMode({}, false)).toBe("lines");
  expect(chooseDisplayMode({ quiet: true }, true)).toBe("quiet");
  expect(chooseDisplayMode({ json: true }, true)).toBe("json");
});

test("a reader that goes away ends the output, not the program", async () => {
  const source = join(import.meta.dir, "../../../src/display/terminal/progressBar.ts");
  const script = `
    import { ProgressDisplay } from ${JSON.stringify(source)};
    const display = new ProgressDisplay("lines");
    for (let i = 0; i < 20000; i++) display.message("line " + i);
    display.warn("still here");`;
  const child = Bun.spawn(["sh", "-c", `"${process.execPath}" -e "$SCRIPT" | head -1`], {
    env: { ...process.env, SCRIPT: script },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe("line 0\n");
  expect(await new Response(child.stderr).text()).toBe("Warning: still here\n");
});
