import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePage } from "../../src/display/page/write.ts";
import { hostileNames, hostileReport } from "./hostileReport.ts";

/**
 * A browser that can print a page as it stands after its scripts have run: the one that BUN_CHROME_PATH
 * names, else one on the PATH; undefined where there is none.
 */
export function findBrowser(): string | undefined {
  if (process.env["BUN_CHROME_PATH"]) return process.env["BUN_CHROME_PATH"];
  const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
  return names.map((name) => Bun.which(name)).find((path) => path !== null) ?? undefined;
}

/** Opens a page in a browser as wide as a laptop's. The browser ends with this process. */
export async function withPage<T>(
  browser: string,
  path: string,
  use: (view: Bun.WebView) => Promise<T>,
  onError: (text: string) => void = () => {},
): Promise<T> {
  const view = new Bun.WebView({
    width: 1000,
    height: 900,
    backend: { type: "chrome", path: browser, argv: ["--no-sandbox", "--disable-dev-shm-usage"] },
    console: (type, ...args) => {
      if (type === "error") onError(args.join(" "));
    },
  });
  try {
    await view.navigate(`file://${path}`);
    return await use(view);
  } finally {
    view.close();
  }
}

/** The page's elements after its scripts have run. */
const domOf = (browser: string, path: string): Promise<string> =>
  withPage(browser, path, async (view) => {
    // The attacks that load something first have their time as well.
    await Bun.sleep(500);
    return view.evaluate<string>("document.documentElement.outerHTML");
  });

const isAttacked = (dom: string) => /<html[^>]*data-attacked/.test(dom);

export interface BrowserFindings {
  /** Whether an attack on a page that escapes nothing was noticed: otherwise the rest means nothing. */
  controlWorks: boolean;
  isAttacked: boolean;
  /** Hostile names that the report does not show as text, as the browser sees it. */
  hidden: string[];
  /** Elements in the page that only a hostile string could have made. */
  foreign: number;
  /** Rows of the samples' table, and of the ASVs', that the page's script has filled. */
  rows: number;
  asvRows: number;
}

/** Opens a report in which every string is hostile, and a page that such a string does take over. */
export async function tryReportIn(browser: string): Promise<BrowserFindings> {
  const folder = mkdtempSync(join(tmpdir(), "aam-report-"));
  try {
    const control = join(folder, "control.html");
    writeFileSync(control, `<!doctype html><html><body>${hostileNames[0]}</body></html>`);
    const report = join(folder, "report.html");
    await writePage(report, await hostileReport());
    const dom = await domOf(browser, report);
    const body = dom.replace(/<script[\s\S]*?<\/script>/g, "");
    const shown = new Set<string>();
    let foreign = 0;
    let rows = 0;
    let asvRows = 0;
    // The rows of the samples' table, which the page's own script makes.
    new HTMLRewriter()
      .on("*", {
        element: ({ tagName, attributes }) => {
          if (tagName === "img" || [...attributes].some(([name]) => name.startsWith("on"))) foreign++;
        },
      })
      .on("section#samples tbody tr", {
        element: () => {
          rows++;
        },
      })
      .on("section#asvs tbody tr", {
        element: () => {
          asvRows++;
        },
      })
      .on("section#samples td", {
        text: ({ text }) => {
          shown.add(unescaped(text));
        },
      })
      .transform(body);
    const whole = [...shown].join("\n");
    return {
      controlWorks: isAttacked(await domOf(browser, control)),
      isAttacked: isAttacked(dom),
      // NUL and lone surrogates cannot stand in a page.
      hidden: hostileNames.filter((name) => !/[\0\ud800]/.test(name) && !whole.includes(name)),
      foreign,
      rows,
      asvRows,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&nbsp;", "\u00a0")
    .replaceAll("&amp;", "&");
}
