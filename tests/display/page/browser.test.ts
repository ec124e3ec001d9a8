import { expect, test } from "bun:test";
import { findBrowser, tryReportIn } from "../../../lab/material/browser.ts";

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
    });
  },
);
