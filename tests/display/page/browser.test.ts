import { expect, test } from "bun:test";
import { findBrowser, tryReportIn } from "../../../lab/material/browser.ts";
import { tryMapIn } from "../../../lab/material/mapInBrowser.ts";

const browser = findBrowser();

test.skipIf(browser === undefined)(
  "in a real browser hostile names are text, and nothing of theirs runs",
  async () => {
    expect(await tryReportIn(browser!)).toEqual({
      controlWorks: true,
      isAttacked: false,
      hidden: [],
      foreign: 0,
      rows: 50,
      asvRows: 50,
    });
  },
);

test.skipIf(browser === undefined)(
  "in a real browser the map tells of the sample below the pointer, and selects by rectangle, legend and keys",
  async () => {
    expect(await tryMapIn(browser!)).toEqual({
      tip: "b1\nrow: row 1\nnumber: 11",
      selected: "b0 b1 b2",
      ofCategory: "a0 b0 c0",
      byKeys: "c2",
      scale: "0 22",
      errors: [],
    });
  },
);
