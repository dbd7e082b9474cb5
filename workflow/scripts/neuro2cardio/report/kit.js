"use strict";
// What the pages share: how data is opened, numbers are written, and figures with their downloads are built.
// Text of the data goes through textContent, or through `plain` where Plotly would read it as markup.
const kit = (() => {
  const NOTHING = 255;
  const byId = (id) => document.getElementById(id);
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick" || name === "onchange" || name === "oninput") element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
    return element;
  }

  async function unpacked() {
    const text = byId("payload").textContent.trim();
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const whole = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(whole.buffer).getUint32(0, true);
    byId("payload").remove();
    return [JSON.parse(new TextDecoder().decode(whole.subarray(4, 4 + length))), whole.subarray(4 + length)];
  }

  // The data and the packed bytes; null, and a sentence on the page, where the browser is too old to open them.
  async function open() {
    try {
      const found = await unpacked();
      byId("sections").replaceChildren();
      return found;
    } catch (error) {
      byId("sections").replaceChildren(make("p", { class: "warning" },
        "This browser could not open the page's data (" + error.message + "). Any browser since 2023 can."));
      byId("sections").removeAttribute("aria-busy");
      return null;
    }
  }

  // ---------------------------------------------------------------- words and numbers
  const MINUS = "\u2212";
  const fixed = (value, digits) => (value < 0 ? MINUS : "") + Math.abs(value).toFixed(digits);
  const rounded = (value, digits) => Number(value.toFixed(digits)) + 0;
  const signed = (value, digits = 1) => (rounded(value, digits) > 0 ? "+" : "") + fixed(rounded(value, digits) || 0, digits);
  const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
  const points = (share) => (known(share) ? signed(100 * share) : "–");
  const percent = (share) => (known(share) ? fixed(100 * share, 1) + "%" : "–");
  const pvalue = (p) => (known(p) ? (p < 0.001 ? "< .001" : p.toFixed(3)) : "–");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  // ---------------------------------------------------------------- theme
  const root = document.documentElement;
  const wanted = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const redraws = [];
  function theme(name) {
    root.setAttribute("data-theme", name);
    byId("theme").textContent = name === "dark" ? "Light theme" : "Dark theme";
    for (const redraw of redraws) redraw();
  }
  byId("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
  root.setAttribute("data-theme", wanted);
  byId("theme").textContent = wanted === "dark" ? "Light theme" : "Dark theme";
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // ---------------------------------------------------------------- building blocks
  const sections = byId("sections");
  function section(id, title, ...children) {
    const heading = make("h2", { id: id + "-title" }, title);
    const made = make("section", { id, "aria-labelledby": id + "-title" }, heading, ...children);
    sections.append(made);
    byId("contents").append(make("li", {}, make("a", { href: "#" + id }, title)));
    return made;
  }

  function select(label, options, onchange, value) {
    const made = make("select", { onchange: (event) => onchange(event.target.value) });
    for (const [key, text] of options) made.append(make("option", { value: key, selected: key === value ? "" : null }, text));
    return [make("label", {}, label, made), made];
  }

  function save(name, type, text) {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 5000);
  }
  function csvCell(value) {
    let text = known(value) ? String(value) : "";
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  const csv = (columns, cells) => [columns, ...cells].map((row) => row.map(csvCell).join(",")).join("\n") + "\n";

  // A link to the definition of a table's numbers in docs/methods.md, which is on the page; null where it has none.
  function definitionOf(name) {
    if (!byId("method-" + name)) return null;
    const open = () => { byId("definitions").querySelector("details").open = true; };
    return make("a", { href: "#method-" + name, onclick: open }, "How it is computed");
  }

  // A figure: what `draw` returns (traces, layout, columns, cells), with its downloads and its definition.
  function figure(name, described, definition, draw, onclick) {
    const plot = make("div", { class: "plot", role: "img", "aria-label": described, id: "plot-" + name });
    const table = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers of the figure: " + described });
    const numbers = make("details", {}, make("summary", {}, "The same as a table"), table);
    let last;
    const redraw = () => {
      last = draw();
      if (!last) {
        Plotly.purge(plot);
        plot.replaceChildren(make("p", { class: "soft" }, "There is nothing to show for this choice."));
        table.replaceChildren();
        return;
      }
      if (plot.firstElementChild && !plot.classList.contains("js-plotly-plot")) plot.replaceChildren();
      const ink = colour("--ink"), line = colour("--line");
      const axis = { gridcolor: line, zerolinecolor: colour("--soft"), linecolor: line, automargin: true };
      const layout = {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 60, r: 20, t: 30, b: 60 },
        font: { color: ink, family: "system-ui, sans-serif", size: 13 }, height: 420, ...last.layout,
        xaxis: { ...axis, ...(last.layout.xaxis || {}) }, yaxis: { ...axis, ...(last.layout.yaxis || {}) },
      };
      Plotly.react(plot, last.traces, layout, { displaylogo: false, responsive: true, displayModeBar: false });
      if (onclick && !plot.dataset.bound) {
        plot.dataset.bound = "yes";
        plot.on("plotly_click", (event) => onclick(event.points[0]));
      }
      table.replaceChildren(last.table ? last.table() : grid(last.columns, last.cells, described));
    };
    const image = (format) => () => Plotly.downloadImage(plot, { format, filename: name, scale: format === "png" ? 3 : 1 });
    const tools = make("div", { class: "tools" },
      make("button", { type: "button", onclick: image("png") }, "PNG"),
      make("button", { type: "button", onclick: image("svg") }, "SVG"),
      make("button", { type: "button", onclick: () => last && save(name + ".csv", "text/csv", csv(last.columns, last.cells)) }, "CSV"),
      definitionOf(definition));
    redraws.push(redraw);
    return [make("div", { class: "figure" }, plot, tools, numbers), redraw];
  }

  function grid(columns, cells, caption) {
    const head = make("tr", {}, columns.map((column) => make("th", { scope: "col" }, column)));
    const body = cells.map((row) => make("tr", {}, row.map((cell, i) => {
      const text = typeof cell === "number" ? (Number.isInteger(cell) ? String(cell).replace("-", MINUS) : fixed(cell, Math.abs(cell) < 0.01 ? 4 : 3)) : known(cell) ? String(cell) : "–";
      return i ? make("td", typeof cell === "string" ? { class: "text" } : {}, text) : make("th", { scope: "row", class: "text" }, text);
    })));
    return make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, body));
  }
  function tableOf(name, caption, of) {
    const table = of[name];
    const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, grid(table.columns, table.rows.slice(0, 400), caption));
    const more = table.rows.length > 400 ? make("p", { class: "soft" }, `The first 400 of ${table.rows.length} rows; the CSV holds them all.`) : null;
    const button = make("button", { type: "button", onclick: () => save(name + ".csv", "text/csv", csv(table.columns, table.rows)) }, "CSV");
    return make("div", { class: "figure" }, scroll, more, make("div", { class: "tools" }, button, definitionOf(name)));
  }

  // A table's rows as objects, and the names of specialties.
  function rowsOf(table) {
    return table ? table.rows.map((cells) => Object.fromEntries(table.columns.map((column, i) => [column, cells[i]]))) : [];
  }
  function slug(name) { return (name.toLowerCase().replace(/&/g, " and ").match(/[a-z]+/g) || []).join("-"); }
  const BASES = { base: "Base model", "few-shot": "Base model, few-shot", "best-prompt": "Base model, best prompt" };
  const trainName = (name, slugs) => slugs[name] || BASES[name] || capital(name);
  const testName = (name) => (name === "all" ? "All questions" : name);
  function clip(text, n) { return text.length > n ? text.slice(0, n - 1) + "…" : text; }

  function finish() {
    byId("contents").append(make("li", {}, make("a", { href: "#definitions" }, "Definitions")));
    for (const link of document.querySelectorAll("a[data-target]")) if (!byId(link.dataset.target)) link.remove();
    sections.removeAttribute("aria-busy");
    document.body.dataset.ready = "yes";
  }

  return {
    NOTHING, byId, plain, make, open, MINUS, fixed, signed, known, points, percent, pvalue, capital, redraws, colour, section,
    select, save, csv, figure, grid, tableOf, rowsOf, slug, trainName, testName, clip, finish,
  };
})();
