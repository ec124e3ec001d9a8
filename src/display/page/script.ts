/**
 * The page's script. It gets its data from the JSON block and writes text only, never HTML, so that a
 * sample may be called anything.
 */
export const reportScript = `"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = localStorage.getItem("theme") ?? "auto"; } catch {}
  const themeButton = document.getElementById("theme");
  const showTheme = () => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    themeButton.querySelector(".name").textContent = "Theme: " + theme;
  };
  themeButton.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("theme", theme); } catch {}
    showTheme();
  });
  if (!themes.includes(theme)) theme = "auto";
  showTheme();

  const tip = document.getElementById("tip");
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.("[aria-label][role='graphics-symbol']");
    tip.hidden = !mark || !mark.closest(".plot");
    if (tip.hidden) return;
    tip.textContent = mark.getAttribute("aria-label");
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 10 : event.clientX + 14;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - box.height - 6) + "px";
  });

  const dialog = document.querySelector("dialog");
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const copy = [...button.closest(".plot").querySelectorAll("svg")]
        .find((picture) => picture.getClientRects().length > 0).cloneNode(true);
      copy.style.maxWidth = "";
      dialog.querySelector(".plot").replaceChildren(copy);
      dialog.append(tip);
      dialog.showModal();
    });
  }
  dialog.addEventListener("close", () => document.body.append(tip));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const section = document.querySelector(".samples");
  if (!section) return;
  const { columns, rows } = JSON.parse(document.getElementById("sample-data").textContent);
  const pageSize = 50;
  const search = section.querySelector("input");
  const count = section.querySelector("output");
  const body = section.querySelector("tbody");
  const place = section.querySelector(".place");
  const [previous, next] = section.querySelectorAll(".pages button");
  const headers = [...section.querySelectorAll("thead th")];
  const isText = (column) => columns[column].kind === "text";
  const largest = columns.map((_, column) =>
    isText(column) ? 0 : rows.reduce((most, row) => Math.max(most, Math.abs(row[column] ?? 0)), 0));
  const decimals = columns.map((_, column) =>
    isText(column) || rows.every((row) => row[column] === null || Number.isInteger(row[column]))
      ? 0 : Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(largest[column] || 1)))));
  const texts = rows.map((row) => row.map((value, column) =>
    value === null ? "" : isText(column) ? String(value) : value.toFixed(decimals[column]).replace("-", "\\u2212")));
  const haystacks = texts.map((row) => row.join("\\n").toLowerCase());
  const collator = new Intl.Collator(undefined, { numeric: true });
  let sorted = -1, direction = 1, page = 0, shown = [];

  const select = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    shown = rows.map((_, i) => i).filter((i) => words.every((word) => haystacks[i].includes(word)));
    if (sorted >= 0) {
      const column = sorted;
      shown.sort((a, b) => {
        const [left, right] = [rows[a][column], rows[b][column]];
        if (left === null || right === null) return (left === null) - (right === null);
        return direction * (isText(column) ? collator.compare(left, right)
          : columns[column].kind === "error" ? Math.abs(left) - Math.abs(right) : left - right);
      });
    }
    page = 0;
    draw();
  };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / pageSize));
    body.replaceChildren(...shown.slice(page * pageSize, (page + 1) * pageSize).map((i) => {
      const line = document.createElement("tr");
      texts[i].forEach((text, column) => {
        const cell = document.createElement("td");
        cell.textContent = text;
        if (isText(column)) cell.title = text; else cell.className = "number";
        if (columns[column].kind === "error" && rows[i][column] !== null) {
          cell.classList.add("error");
          cell.style.setProperty("--size", (100 * Math.abs(rows[i][column]) / (largest[column] || 1)).toFixed(1) + "%");
        }
        line.append(cell);
      });
      return line;
    }));
    count.textContent = shown.length === rows.length
      ? rows.length + " samples" : shown.length + " of " + rows.length + " samples";
    place.textContent = "Page " + (page + 1) + " of " + pages;
    previous.disabled = page === 0;
    next.disabled = page >= pages - 1;
    headers.forEach((header, column) => {
      if (column === sorted) header.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else header.removeAttribute("aria-sort");
    });
  };
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    // The first click on numbers shows the largest, which is what one looks for in errors.
    if (sorted === column) direction = -direction;
    else { sorted = column; direction = columns[column].kind === "error" ? -1 : 1; }
    select();
  }));
  search.addEventListener("input", select);
  previous.addEventListener("click", () => { page--; draw(); });
  next.addEventListener("click", () => { page++; draw(); });
  select();
})();
`;
