"use strict";
// What the pages share: how data is opened, numbers are written, and figures with their downloads are built.
// Text of the data goes through textContent, or through `plain` where Plotly would read it as markup.
const kit = (() => {
  const NOTHING = 255, MOST_SHOWN = 400, LONG = 25;
  const isNarrow = () => innerWidth < 700;
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
        "This browser could not open the page's data (" + error.message + "). Browsers released since 2023 can."));
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
  // Paper is light.
  let before = null;
  addEventListener("beforeprint", () => { before = root.dataset.theme; if (before === "dark") theme("light"); });
  addEventListener("afterprint", () => { if (before === "dark") theme("dark"); });
  byId("theme").textContent = wanted === "dark" ? "Light theme" : "Dark theme";
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Okabe & Ito 2008, distinguishable with colour blindness; black is left to what is drawn beside them.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A"];

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
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }
  function csvCell(value) {
    let text = known(value) ? String(value) : "";
    // Text of the data must not become a formula of a spreadsheet; numbers, also those that are kept as text, stay numbers.
    if (typeof value === "string" && /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) && !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  const csv = (columns, cells) => [columns, ...cells].map((row) => row.map(csvCell).join(",")).join("\n") + "\n";

  // A link to the definition of a table's numbers in docs/methods.md, which is on the page; null where it has none.
  const DEFINED_WITH = { placebo_balance: "term_shift", term_shift_grid: "term_shift", similar: "leakage", probe_facts: "probes", base_prompts: "transfer_matrix" };
  function definitionOf(table) {
    const name = DEFINED_WITH[table] || table;
    if (!byId("method-" + name)) return null;
    const open = () => { byId("definitions").querySelector("details").open = true; };
    return make("a", { href: "#method-" + name, onclick: open }, "How it is computed");
  }

  // A figure: what `draw` returns (traces, layout, columns, cells), with its downloads and its definitions.
  function figure(name, described, definition, draw, onclick, { about = {}, nameOf = null } = {}) {
    const plot = make("div", { class: "plot", role: "img", "aria-label": described, id: "plot-" + name });
    const table = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers of the figure: " + described });
    const meant = make("div");
    const numbers = make("details", {}, make("summary", {}, "The same as a table"), table, meant);
    let last;
    const redraw = () => {
      last = draw();
      if (!last) {
        Plotly.purge(plot);
        plot.replaceChildren(make("p", { class: "soft" }, "There is nothing to show for this choice."));
        table.replaceChildren();
        meant.replaceChildren();
        return;
      }
      if (plot.firstElementChild && !plot.classList.contains("js-plotly-plot")) plot.replaceChildren();
      const ink = colour("--ink"), line = colour("--line");
      const axis = { gridcolor: line, zerolinecolor: colour("--soft"), linecolor: line, automargin: true };
      const layout = {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 60, r: 20, t: 30, b: 60 },
        font: { color: ink, family: "system-ui, sans-serif", size: isNarrow() ? 11 : 13 }, height: 420, colorway: COLOURS, ...last.layout,
        xaxis: { ...axis, ...(last.layout.xaxis || {}) }, yaxis: { ...axis, ...(last.layout.yaxis || {}) },
      };
      // Labels make the room that they need; on a phone a wide margin would leave none for the figure.
      if (isNarrow()) layout.margin = { ...layout.margin, l: Math.min(layout.margin.l, 40) };
      Plotly.react(plot, last.traces, layout, { displaylogo: false, responsive: true, displayModeBar: false });
      if (onclick && !plot.dataset.bound) {
        plot.dataset.bound = "yes";
        plot.on("plotly_click", (event) => onclick(event.points[0]));
      }
      table.replaceChildren(last.table ? last.table() : grid(last.columns, last.cells, described, about, nameOf));
      meant.replaceChildren(meanings(last.columns, about) || "");
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

  // How a cell is written, by the kind of its column (columns.py); unknown columns by what they hold.
  const WRITTEN = {
    count: (v) => String(v), percent: (v) => fixed(100 * v, 1) + "%", points: (v) => signed(100 * v), size: (v) => fixed(100 * v, 1),
    nats: (v) => fixed(v, 3), p: pvalue, number: (v) => (Number.isInteger(v) ? String(v) : fixed(v, Math.abs(v) < 1 ? 3 : 1)),
  };
  function written(cell, kind, nameOf) {
    if (!known(cell) || cell === "" || (kind === "seed" && Number(cell) < 0)) return "–";
    if (typeof cell === "number" && WRITTEN[kind]) return WRITTEN[kind](cell);
    if (typeof cell === "number") return Number.isInteger(cell) ? String(cell).replace("-", MINUS) : fixed(cell, Math.abs(cell) < 0.01 ? 4 : 3);
    if (typeof cell === "boolean") return cell ? "yes" : "no";
    return kind === "train" && nameOf ? nameOf(String(cell)) : String(cell);
  }
  // Two bounds that stand beside each other are written as one interval: [heading, definition, place of the other].
  function intervalAt(columns, i, about) {
    const name = columns[i];
    if (!/(^|_)low$/.test(name) || columns[i + 1] !== name.replace(/low$/, "high")) return null;
    const [from, to] = [about[name], about[columns[i + 1]]];
    return [from ? from[0].replace("from", "interval") : "interval", from ? from[2] + " " + to[2] : null];
  }
  // A table. `about` has, for columns that are defined, heading, kind and definition; `nameOf` names train sets; `places`
  // are the rows' numbers, by which they are found.
  function grid(columns, cells, caption, about = {}, nameOf = null, places = []) {
    const isText = columns.map((name, i) => (about[name] ? ["text", "train", "seed"].includes(about[name][1]) : cells.some((row) => typeof row[i] === "string")));
    const intervals = columns.map((_, i) => intervalAt(columns, i, about)), shown = columns.map((_, i) => i).filter((i) => !(i && intervals[i - 1]));
    const heading = (i) => intervals[i] || [about[columns[i]] ? about[columns[i]][0] : columns[i].replace(/_/g, " "), about[columns[i]]?.[2]];
    const one = (row, i) => written(row[i], about[columns[i]]?.[1], nameOf);
    const textOf = (row, i) => (intervals[i] && known(row[i]) ? `[${one(row, i)}, ${one(row, i + 1)}]` : one(row, i));
    const head = make("tr", {}, shown.map((i) => make("th", { scope: "col", class: isText[i] ? "text" : null, title: heading(i)[1] }, heading(i)[0])));
    const body = cells.map((row, at) => make("tr", { "data-row": places[at] }, shown.map((i, place) => {
      const text = textOf(row, i), long = text.length > 40 ? " long" : "";
      return place ? make("td", isText[i] ? { class: "text" + long } : intervals[i] ? { class: "interval" } : {}, text) : make("th", { scope: "row", class: "text" + long }, text);
    })));
    return make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, body));
  }
  function meanings(columns, about) {
    const there = columns.map((name, i) => [name, i]).filter(([name, i]) => about[name] && !(i && intervalAt(columns, i - 1, about)));
    if (!there.length) return null;
    return make("details", {}, make("summary", {}, "What the columns mean"),
      make("dl", { class: "keys" }, there.flatMap(([name, i]) => {
        const [heading, says] = intervalAt(columns, i, about) || [about[name][0], about[name][2]];
        return [make("dt", {}, heading), make("dd", {}, says)];
      })));
  }
  // A table of the data with its CSV and its definitions. Of columns that `chosen` has a value for, only the rows with
  // that value (or with one in `always`) are shown, without the column. Long tables can be searched.
  function tableOf(name, caption, of, { about = {}, nameOf = null, chosen = {}, always = ["base", "all"] } = {}) {
    const table = of[name], at = (key) => table.columns.indexOf(key);
    const fixedKeys = Object.keys(chosen).filter((key) => at(key) >= 0);
    const mine = table.rows.map((row, i) => [row, i]).filter(([row]) => fixedKeys.every((key) => row[at(key)] === chosen[key] || always.includes(row[at(key)])));
    const first = mine.slice(0, MOST_SHOWN).map(([row]) => row);
    const isSame = (key) => key !== "model" || first.every((row) => row[at(key)] === first[0][at(key)]);
    const keep = table.columns.map((_, i) => i).filter((i) => !(fixedKeys.includes(table.columns[i]) && isSame(table.columns[i])) && mine.some(([row]) => known(row[i]) && row[i] !== ""));
    // Long texts stand last, so that the numbers are seen without scrolling.
    const isLong = (i) => first.some((row) => typeof row[i] === "string" && row[i].length > 40);
    const order = [...keep.filter((i) => !isLong(i)), ...keep.filter(isLong)], columns = order.map((i) => table.columns[i]);
    const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
    const note = make("p", { class: "soft" }), ofWhat = fixedKeys.length ? ", of " + fixedKeys.map((key) => chosen[key]).join(", ") : "";
    const fill = (wanted) => {
      const found = wanted ? mine.filter(([row]) => order.some((i) => String(row[i] ?? "").toLowerCase().includes(wanted))) : mine;
      const shown = found.slice(0, MOST_SHOWN);
      if (!mine.length) return void scroll.replaceChildren(make("p", { class: "soft" }, caption + ": there are no rows" + ofWhat + "."));
      scroll.replaceChildren(grid(columns, shown.map(([row]) => order.map((i) => row[i])), caption, about, nameOf, shown.map(([, i]) => i)));
      note.textContent = `${shown.length} of ${table.rows.length} rows${ofWhat}; the CSV has them all.`;
      note.hidden = shown.length === table.rows.length;
    };
    fill("");
    const search = mine.length > LONG ? make("label", { class: "soft" }, "Search the table ", make("input", { type: "search", oninput: (event) => fill(event.target.value.toLowerCase()) })) : null;
    const button = make("button", { type: "button", onclick: () => save(name.replace(/\//g, "-") + ".csv", "text/csv", csv(table.columns, table.rows)) }, "CSV");
    return make("div", { class: "figure" }, search, scroll, note, meanings(columns, about), make("div", { class: "tools" }, button, definitionOf(name)));
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
    NOTHING, COLOURS, byId, plain, make, open, MINUS, fixed, signed, known, points, percent, pvalue, capital, redraws, colour, section,
    isNarrow, select, save, csv, figure, grid, tableOf, rowsOf, slug, trainName, testName, clip, finish,
  };
})();
