import { find, make, readData } from "./elements.ts";
import { cellTexts, compareCells, largestOf, type SampleData } from "./sampleRows.ts";

const pageSize = 50;

/** A table of samples or ASVs: searched, sorted by a click on a column's name, turned page by page. */
export function startSampleTable(id: "sample" | "asv"): void {
  const data = readData<SampleData>(`${id}-data`);
  if (!data) return;
  const { columns, rows, rowsAre } = data;
  const section = find(document, `#${id}-table`, HTMLElement);
  const search = find(section, "input", HTMLInputElement);
  const count = find(section, "output", HTMLOutputElement);
  const body = find(section, "tbody", HTMLElement);
  const place = find(section, ".place", HTMLElement);
  const previous = find(section, ".pages button:first-of-type", HTMLButtonElement);
  const next = find(section, ".pages button:last-of-type", HTMLButtonElement);
  const headers = [...section.querySelectorAll("thead th")];
  const largest = largestOf(data);
  const texts = cellTexts(data, largest);
  const haystacks = texts.map((row) => row.join("\n").toLowerCase());
  let sorted = -1;
  let direction: 1 | -1 = 1;
  let page = 0;
  let shown: number[] = [];

  const rowOf = (i: number) => {
    const line = make("tr");
    texts[i].forEach((text, column) => {
      const { kind } = columns[column];
      const cell = make("td", { text });
      const value = rows[i][column];
      if (kind === "text") cell.title = text;
      else cell.className = "number";
      if (kind === "error" && typeof value === "number") {
        cell.classList.add("error");
        const share = (100 * Math.abs(value)) / (largest[column] || 1);
        cell.style.setProperty("--size", `${share.toFixed(1)}%`);
      }
      line.append(cell);
    });
    return line;
  };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / pageSize));
    body.replaceChildren(...shown.slice(page * pageSize, (page + 1) * pageSize).map(rowOf));
    const all = `${rows.length} ${rowsAre}`;
    count.textContent = shown.length === rows.length ? all : `${shown.length} of ${all}`;
    place.textContent = `Page ${page + 1} of ${pages}`;
    previous.disabled = page === 0;
    next.disabled = page >= pages - 1;
    headers.forEach((header, column) => {
      if (column === sorted) header.ariaSort = direction > 0 ? "ascending" : "descending";
      else header.ariaSort = null;
    });
  };
  const select = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.flatMap((_, i) => (words.every((word) => haystacks[i].includes(word)) ? [i] : []));
    if (sorted >= 0) {
      const { kind } = columns[sorted];
      shown.sort((a, b) => compareCells(rows[a][sorted], rows[b][sorted], kind, direction));
    }
    page = 0;
    draw();
  };
  headers.forEach((header, column) => {
    header.querySelector("button")?.addEventListener("click", () => {
      if (sorted === column) direction = direction > 0 ? -1 : 1;
      else {
        sorted = column;
        // The first click on errors shows the largest, which is what one looks for.
        direction = columns[column].kind === "error" ? -1 : 1;
      }
      select();
    });
  });
  search.addEventListener("input", select);
  previous.addEventListener("click", () => {
    page--;
    draw();
  });
  next.addEventListener("click", () => {
    page++;
    draw();
  });
  select();
}
