import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostileNames, hostileReport } from "../../../lab/material/hostileReport.ts";
import { UserError } from "../../../src/common/userError.ts";
import { type RunReport, writePage } from "../../../src/display/page/write.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plain: RunReport = {
  title: "Month of life",
  created: "2026-01-02 03:04",
  split: { name: "whole subjects held out", parts: [{ name: "training", samples: 1234 }] },
  figures: [{ label: "MAE", value: 2.8712345, unit: "months", note: "± 0.1 over three seeds" }],
  plots: [],
  data: [{ label: "ASVs", value: 12844 }],
  configuration: {
    seed: 42,
    learningRate: 0.00012345678,
    model: { layers: 4, fusion: { kind: "gmu" } },
    empty: {},
  },
  environment: [{ label: "Device", value: "CPU" }],
};

async function write(report: RunReport): Promise<string> {
  const path = join(folder, `deep/er/report-${Bun.nanoseconds()}.html`);
  await writePage(path, report);
  return readFileSync(path, "utf8");
}

/** The tags of a page outside its style, scripts and comments. */
function tagsOf(html: string): string[] {
  const bare = html
    .replace(/<style>[\s\S]*?<\/style>/g, "")
    .replace(/(<script[^>]*>)[\s\S]*?<\/script>/g, "$1");
  return bare.match(/<[a-z!][^>]*>/gi) ?? [];
}

describe("the page", () => {
  test("says what it is given: figures, split, data, configuration in full", async () => {
    const html = await write(plain);
    expect(html).toContain("<title>Month of life</title>");
    expect(html).toContain("Split: whole subjects held out");
    expect(html).toContain("training: 1\u202f234 samples");
    expect(html).toContain('2.871 <span class="unit">months</span>');
    expect(html).toContain("<dt>ASVs</dt><dd>12\u202f844</dd>");
    expect(html).toContain("<dt>learningRate</dt><dd>0.00012345678</dd>");
    expect(html).toContain("<summary>model</summary>");
    expect(html).toContain("<dt>fusion.kind</dt><dd>gmu</dd>");
    expect(html).not.toContain('id="plots"');
    expect(html).not.toContain('href="#samples"');
  });

  test("is complete in itself: nothing to load, and one script that its policy names", async () => {
    const html = await write(await hostileReport());
    for (const tag of tagsOf(html)) {
      expect(tag).not.toMatch(/^<(?:link|img|iframe|object|embed|base|meta http-equiv="refresh")/i);
      expect(tag.replace(/"[^"]*"/g, "")).not.toMatch(/\s(?:src|on\w+)=/i);
      expect(tag).not.toMatch(/\shref="(?!#)/);
    }
    const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
    expect(scripts.length).toBe(1);
    const hash = createHash("sha256").update(scripts[0]).digest("base64");
    expect(html).toContain(`script-src 'sha256-${hash}'`);
    expect(html).toContain("default-src 'none'");
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\//);
  });

  test("shows charts below each other where the page is too narrow for them side by side", async () => {
    const points = [1, 2, 3].map((step) => ({ step, value: 1 / step }));
    const curves = ["Total loss", "R²"].map((name) => ({ name, train: points, validation: points }));
    const html = await write({ ...plain, learningCurves: { curves } });
    const [broad, narrow] = ["broad", "narrow"].map((name) => {
      const svg = html.split(`<div class="${name}">`)[1].split("</svg>")[0];
      return {
        width: Number(/<svg [^>]*\bwidth="([\d.]+)"/.exec(svg)![1]),
        hasBoth: /Total loss.*R²/s.test(svg),
      };
    });
    expect([broad.hasBoth, narrow.hasBoth]).toEqual([true, true]);
    expect(narrow.width).toBeLessThan(450);
    expect(broad.width).toBeGreaterThan(700);
  });

  test("does not break the names of options in its warnings", async () => {
    const html = await write({ ...plain, warnings: ["choose another with --rarefy-depth <b>"] });
    expect(html).toContain('choose another with <span class="option">--rarefy-depth</span> &lt;b&gt;');
  });

  test("holds the sample table as data that cannot end its script element; missing values are null", async () => {
    const report = await hostileReport();
    const html = await write(report);
    const json = /<script type="application\/json" id="sample-data">([\s\S]*?)<\/script>/.exec(html)![1];
    expect(json).not.toContain("<");
    const data = JSON.parse(json);
    expect(data.rows.length).toBe(120);
    expect(data.rows[2][0]).toBe(hostileNames[2]);
    expect(data.rows[5][1]).toBeNull();
    expect(data.rows[6][2]).toBeNull();
  });

  test("has a section for ASVs with a table of its own above that of the samples", async () => {
    const html = await write(await hostileReport());
    const [asvs, samples] = ["asv", "sample"].map((id) => {
      const json = new RegExp(`id="${id}-data">([\\s\\S]*?)</script>`).exec(html)![1];
      expect(html.split(`id="${id}-table"`).length).toBe(2);
      return JSON.parse(json).rows.length;
    });
    expect([asvs, samples]).toEqual([60, 120]);
    expect(html.indexOf('id="asv-table"')).toBeLessThan(html.indexOf('id="sample-table"'));
    expect(await write(plain)).not.toContain("asv-table");
  });

  test("gives the names inside each plot a prefix of its own", async () => {
    const html = await write(await hostileReport());
    const ids = tagsOf(html).flatMap((tag) => [...tag.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]));
    expect(new Set(ids).size).toBe(ids.length);
    const used = [...html.matchAll(/url\(#([^)]*)\)/g)].map((match) => match[1]);
    expect(used.length).toBeGreaterThan(0);
    for (const name of used) expect(ids).toContain(name);
  });

  test("a folder that cannot be made is a UserError", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    await expect(writePage(join(file, "report.html"), plain)).rejects.toBeInstanceOf(UserError);
    expect(readdirSync(folder).some((name) => name.endsWith(".tmp"))).toBe(false);
  });
});

describe("the comparison", () => {
  const compared = (model: number, forest: number, better: "lower" | "higher" = "lower"): RunReport => ({
    ...plain,
    comparison: {
      metrics: [
        { key: "m", label: "MAE", unit: "months", better },
        { key: "r2", label: "R²", better: "higher" },
      ],
      rows: [
        { name: "Model", isModel: true, values: { m: model, r2: 0.5 }, spread: { m: 0.125 } },
        { name: "Random forest", note: "500 trees", values: { m: forest } },
        { name: "Median", values: { m: better === "lower" ? 50 : -50, r2: 0.1 } },
      ],
    },
  });

  test("says whether the model is better than the best baseline, and by how much", async () => {
    expect(await write(compared(3, 4))).toContain(
      'MAE: the model is 1 months (25 %) <b class="good">better</b> than the best baseline, Random forest.',
    );
    expect(await write(compared(5, 4))).toContain(
      '<b class="bad">worse</b> than the best baseline, Random forest.',
    );
    expect(await write(compared(0.75, 0.5, "higher"))).toContain('0.25 months <b class="good">better</b>');
    expect(await write(compared(4, 4))).toContain("as good as the best baseline, Random forest");
  });

  test("marks the best value of each metric, wherever it stands", async () => {
    const html = await write(compared(5, 4));
    expect(html).toContain('<td class="number best">4</td>');
    expect(html).toContain('<td class="number">5 <span class="spread">± 0.13</span></td>');
    expect(html).toContain('<td class="number best">0.5</td>');
    expect(html).toContain('<td class="number muted">–</td>');
    expect(html).toContain("MAE (months) ↓");
  });
});
