"use strict";
(async () => {
  const {
    NOTHING, COLOURS, byId, plain, make, fixed, signed, known, points, percent, pvalue, capital, redraws, colour, section, select, isNarrow,
    rowsOf, slug, testName, clip,
  } = kit;
  const opened = await kit.open();
  if (!opened) return;
  const [D, blob] = opened;
  const slugs = Object.fromEntries(D.specialties.map((name) => [slug(name), name]));
  const trainName = (name) => kit.trainName(name, slugs);
  const describe = (name) => ({ about: (D.columns || {})[name] || {}, nameOf: trainName });
  const figure = (name, described, definition, draw, onclick) => kit.figure(name, described, definition, draw, onclick, describe("figure_" + name));
  // A table that follows the choice of model, recipe and method.
  const shownTables = {};
  function tableOf(name, of = D.tables) {
    const holder = make("div", { "data-table": name });
    const chosen = () => (of === D.tables && !["power", "plan", "cost"].includes(name) ? { model: state.model, recipe: state.recipe, method: state.method } : {});
    const redraw = () => holder.replaceChildren(kit.tableOf(name, (D.captions || {})[name] || capital(name.replace(/_/g, " ")), of, { ...describe(name), chosen: chosen() }));
    redraws.push(redraw);
    redraw();
    if (of === D.tables) shownTables[name] = holder;
    return holder;
  }
  // Show a table's row: choose its model, recipe and method, open what it is folded into, and mark it.
  function pointTo(name, wanted) {
    choose(Object.fromEntries(["model", "recipe"].filter((key) => D.axes[key].includes(wanted[key])).map((key) => [key, wanted[key]]).concat(methods.includes(wanted.method) ? [["method", wanted.method]] : [])));
    const table = D.tables[name], holder = shownTables[name];
    const is = (row, key) => table.columns.indexOf(key) < 0 || String(row[table.columns.indexOf(key)] ?? "") === String(wanted[key] ?? "");
    const place = table.rows.findIndex((row) => Object.keys(wanted).every((key) => is(row, key)));
    const found = holder.querySelector(`tr[data-row="${place}"]`) || holder;
    for (let at = found; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    for (const old of document.querySelectorAll(".pointed")) old.classList.remove("pointed");
    found.classList.add("pointed");
    found.setAttribute("tabindex", "-1");
    found.scrollIntoView({ block: "center" });
    found.focus({ preventScroll: true });
  }
  const rows = (name, of = D.tables) => rowsOf(of[name]);
  const matrix = rows("transfer_matrix"), against = rowsOf(D.against);
  const methods = [...new Set(matrix.map((row) => row.method))];
  const BASES = ["base", "few-shot", "best-prompt"];

  // ---------------------------------------------------------------- choices shared by the figures
  const state = {
    model: D.axes.model[0], recipe: D.axes.recipe[0], method: methods[0] || "", seed: "all", against: "base", sort: "given",
  };
  const choices = [];
  function choose(values) {
    Object.assign(state, values);
    for (const [key, element] of choices) if (key in values) element.value = state[key];
    for (const redraw of redraws) redraw();
  }
  function chooser(keys) {
    const options = {
      model: ["Model", D.axes.model.map((name) => [name, name])],
      recipe: ["Recipe", D.axes.recipe.map((name) => [name, name])],
      method: ["Method", methods.map((name) => [name, name])],
      seed: ["Seeds", [["all", "pooled"], ...D.axes.seed.map((seed) => [String(seed), "seed " + seed])]],
      against: ["Shown as", references()],
      sort: ["Order", [["given", "as configured"], ["gain", "by gain"], ["alike", "clustered: alike rows beside each other"]]],
    };
    const made = make("div", { class: "controls" });
    for (const key of keys) {
      const [label, input] = select(options[key][0], options[key][1], (value) => choose({ [key]: value }), state[key]);
      choices.push([key, input]);
      if (options[key][1].length > 1) made.append(label);
    }
    return made;
  }
  const several = (n, one, many = one + "s") => n + " " + (n === 1 ? one : many);
  (function head() {
    const controls = D.axes.train_set.filter((name) => !slugs[name]).length;
    const adapters = D.axes.model.length * D.axes.recipe.length * D.axes.train_set.length * D.axes.seed.length;
    byId("glance").textContent = `${several(D.questions.length, "test question")} of ${several(D.specialties.length, "specialty", "specialties")}; ` +
      `${several(adapters, "adapter")}: ${several(D.axes.model.length, "model")} × ${several(D.axes.recipe.length, "recipe")} × ${several(D.axes.train_set.length, "train set")}` +
      (controls ? ` (${controls} of them ${controls === 1 ? "a control" : "controls"})` : "") + ` × ${several(D.axes.seed.length, "seed")}`;
    const bar = chooser(["model", "recipe", "method"]);
    if (!bar.children.length) return;
    bar.classList.add("choice");
    bar.setAttribute("role", "region");
    bar.setAttribute("aria-label", "What the page shows");
    bar.prepend(make("span", { class: "soft" }, "Shown:"));
    byId("sections").append(bar);
  })();

  function references() {
    const found = [["base", "change against the base model"]];
    const names = new Set(matrix.filter((row) => row.recipe === "base").map((row) => row.train_set));
    if (names.has("few-shot")) found.push(["few-shot", "change against the few-shot base model"]);
    if (names.has("best-prompt")) found.push(["best-prompt", "change against the base model with its best prompt"]);
    for (const name of D.axes.train_set) if (!slugs[name]) found.push([name, "change against " + name]);
    return [...found, ["absolute", "accuracy"]];
  }

  // ---------------------------------------------------------------- answers
  const answersAt = new Map();
  for (const entry of D.answers) answersAt.set([entry.model, entry.recipe, entry.train_set, entry.seed, entry.method].join("\t"), entry);
  const nOf = D.questions.length;
  function entryOf(trainSet, seed, method = state.method) {
    const base = BASES.includes(trainSet);
    return answersAt.get([state.model, base ? "base" : state.recipe, trainSet, base ? -1 : seed, method].join("\t"));
  }
  function answer(entry, question) {
    const at = entry.offset + question * entry.width;
    const most = D.most_options;
    // In a page that was cut down, an adapter has its chosen options alone.
    if (entry.width === 1) return { chosen: blob[at], probabilities: Array(most).fill(NOTHING), mass: NOTHING, orders: [] };
    return {
      chosen: blob[at],
      probabilities: Array.from(blob.subarray(at + 1, at + 1 + most)),
      mass: blob[at + 1 + most],
      orders: Array.from(blob.subarray(at + 2 + most, at + 2 + most + entry.orders)),
    };
  }
  const seedsShown = () => (state.seed === "all" ? D.axes.seed : [Number(state.seed)]);
  function share(trainSet, question) {
    // The share of the chosen seeds that answer a question rightly; null where none is there.
    const base = BASES.includes(trainSet);
    const found = (base ? [-1] : seedsShown()).map((seed) => entryOf(trainSet, seed)).filter(Boolean);
    if (!found.length) return null;
    const right = found.filter((entry) => blob[entry.offset + question * entry.width] === D.questions[question].answer);
    return right.length / found.length;
  }
  const members = new Map();
  function membersOf(test) {
    if (!members.has(test)) members.set(test, D.questions.map((q, i) => i).filter((i) => test === "all" || D.questions[i].specialties.includes(test)));
    return members.get(test);
  }

  // ---------------------------------------------------------------- verdict
  const SECTION_OF = {
    transfer_matrix: "transfer", effects: "controls", decomposition: "decomposition", specialty_knowledge: "controls", best_of_others: "claim-1", diagonal: "claim-1",
    equivalence: "claim-1", term_shift: "terms", term_shift_grid: "terms", power: "power", training_checks: "training", probes: "probes", controls: "controls", dose: "dose",
  };
  (function verdict() {
    const content = [], found = D.verdict;
    const statement = (item) => {
      const table = (item.table || "").replace(/\.csv$/, ""), target = SECTION_OF[table];
      const place = Object.entries(item.row || {}).filter(([, value]) => known(value) && value !== "").map(([key, value]) => `${key} ${value}`).join(", ");
      const there = D.tables[table] && item.row;
      const row = there ? make("a", { href: "#" + target, title: place, onclick: (event) => { if (shownTables[table]) { event.preventDefault(); pointTo(table, item.row); } } }, `row of ${table}.csv`) : null;
      return make("li", {}, item.sentence, target ? make("span", { class: "soft rests" }, " (", make("a", { href: "#" + target, "data-target": target }, "figure"), row ? [", ", row] : "", ")") : null);
    };
    const nameOfEntry = (entry) => ["model", "recipe", "method"].map((key) => entry[key]).filter(known).join(" · ");
    const isShown = (entry) => ["model", "recipe", "method"].every((key) => !known(entry[key]) || entry[key] === "all" || entry[key] === state[key]);
    const group = (entry, open) => {
      const all = entry.statements || (entry.sentence ? [entry] : []), isOne = (item) => String(item.id || "").startsWith("best_own:");
      const specialties = all.filter(isOne), where = entry.model === "all" ? ["Over all models", entry.recipe, entry.method].filter(known).join(" · ") : nameOfEntry(entry);
      const made = make("details", { class: "verdict", open: open ? "" : null }, make("summary", {}, make("h3", {}, where)),
        entry.answer ? make("p", { class: "answer" }, capital(String(entry.answer))) : null, make("ul", {}, all.filter((item) => !isOne(item)).map(statement)),
        specialties.length ? make("details", {}, make("summary", {}, "Specialty by specialty"), make("ul", {}, specialties.map(statement))) : null);
      // Of many combinations the chosen one is told; the table above has all of them.
      const tell = () => { made.open = isShown(entry); made.hidden = !isShown(entry); };
      redraws.push(tell);
      tell();
      return made;
    };
    // All combinations beside each other: a row each, with the estimates that the sentences rest on.
    const HEADS = { common_gain: "common gain", specialty_knowledge: "specialty knowledge", best_own: "own adapter the best", terms_rise: "all terms", terms_medicine: "terms − placebo words", terms_own: "own terms, own adapter", probes: "facts trained on" };
    const MEANS = { common_gain: "Mean change of the specialties' adapters against the base model.", specialty_knowledge: "What the own adapter adds beyond train set and test specialty.", best_own: "Specialties whose own adapter is better than every other one.", terms_rise: "Change of the log-probability of clinical terms.", terms_medicine: "The same, beyond that of placebo words.", terms_own: "Terms of the own specialty under its own adapter, beyond both.", probes: "What the own adapter adds on facts that it was trained on." };
    const headOf = (id) => HEADS[id] || (id.startsWith("control:") ? "gain beyond " + id.slice(8) : id.replace(/_/g, " "));
    function overview(entries, caption, digits) {
      const ids = [...new Set(entries.flatMap((entry) => (entry.statements || []).map((item) => String(item.id)).filter((id) => !id.startsWith("best_own:"))))];
      if (!ids.length) return null;
      const cell = (entry, id) => {
        const item = (entry.statements || []).find((one) => one.id === id);
        if (!item) return make("td", { role: "cell", "data-label": headOf(id) }, "–");
        const each = entry.statements.filter((one) => String(one.id).startsWith("best_own:"));
        const number = id === "best_own" ? `${each.filter((one) => one.answer === "better").length} of ${each.length}` : known(item.estimate) ? signed(item.estimate, digits) : "–";
        const interval = known(item.low) ? `[${signed(item.low, digits)}, ${signed(item.high, digits)}]` : "";
        return make("td", { class: "said", title: item.sentence, role: "cell", "data-label": headOf(id) }, number, interval ? [" ", make("span", { class: "soft nowrap" }, interval)] : null, " ", make("span", { class: "soft answer-of" }, item.answer || ""));
      };
      const row = (entry) => {
        const made = make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader", class: "text long" }, make("button", { type: "button", onclick: () => choose(Object.fromEntries(["model", "recipe", "method"].filter((key) => known(entry[key])).map((key) => [key, entry[key]]))) }, nameOfEntry(entry))),
          entry.answer ? make("td", { class: "text long", role: "cell", "data-label": "verdict" }, capital(String(entry.answer))) : null, ids.map((id) => cell(entry, id)));
        const mark = () => made.classList.toggle("chosen", isShown(entry));
        redraws.push(mark);
        mark();
        return made;
      };
      const says = (id) => (entries.flatMap((entry) => entry.statements || []).find((one) => one.id === id) || {}).sentence?.split(":")[0];
      const heads = [["model · recipe" + (entries[0].method ? " · method" : ""), "A click shows its figures, tables and sentences."], ...(entries[0].answer ? [["verdict", "What the sentences below say together."]] : []), ...ids.map((id) => [headOf(id), MEANS[id] || says(id) || headOf(id)])];
      return make("div", { class: "figure" }, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, make("table", { class: "cards", role: "table" }, make("caption", {}, caption),
        make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, heads.map(([text, title], i) => make("th", { scope: "col", role: "columnheader", class: i < heads.length - ids.length ? "text" : null, title }, text)))),
        make("tbody", { role: "rowgroup" }, entries.map(row)))));
    }
    if (found && found.broken) content.push(make("p", { class: "warning" }, found.broken));
    const combinations = (found && found.combinations) || [], terms = (found && found.terms) || [], doses = (found && found.doses) || [];
    const level = found && known(found.confidence) ? `${fixed(100 * found.confidence, 0)}% intervals` : "intervals";
    if (combinations.length > 1) content.push(overview(combinations, `Points of accuracy with ${level}; a name shows its figures`, 1));
    for (const entry of (found && found.over_models) || []) content.push(group(entry, true));
    for (const entry of combinations) content.push(group(entry, isShown(entry)));
    if (doses.length) content.push(make("h3", {}, "What the largest dose adds to the smallest"));
    for (const entry of doses) content.push(group(entry, isShown(entry)));
    if (terms.length) {
      content.push(make("h3", {}, "Claim 2: the probability of clinical terms"));
      if (terms.length > 1) content.push(overview(terms, `Nats per token against the base model, with ${level}`, 3));
      for (const entry of terms) content.push(group(entry, isShown(entry)));
    }
    if (!content.length) content.push(D.summary ? make("pre", { tabindex: "0" }, D.summary) : make("p", { class: "soft" }, "No verdict yet: the grid's tables are not made."));
    section("verdict", "Verdict", ...content);
  })();

  // ---------------------------------------------------------------- transfer
  function transferCells() {
    const own = matrix.filter((row) => row.model === state.model && row.method === state.method && (!row.against || row.against === "base" || row.recipe === "base"));
    const here = own.filter((row) => row.recipe === state.recipe || row.recipe === "base");
    const value = new Map(here.map((row) => [row.train_set + "\t" + row.test_specialty, row]));
    const tests = [...D.specialties, "all"].filter((test) => here.some((row) => row.test_specialty === test));
    let trains = D.axes.train_set.filter((name) => here.some((row) => row.train_set === name));
    const bases = BASES.filter((name) => here.some((row) => row.train_set === name));
    const other = against.filter((row) => row.model === state.model && row.method === state.method && row.recipe === state.recipe && row.against === state.against);
    const published = new Map(other.map((row) => [row.train_set + "\t" + row.test_specialty, row]));
    const accuracy = (train, test) => {
      if (state.seed === "all") return value.get(train + "\t" + test)?.accuracy ?? null;
      const members = membersOf(test), shares = members.map((i) => share(train, i)).filter(known);
      return shares.length ? shares.reduce((a, b) => a + b, 0) / shares.length : null;
    };
    const cell = (train, test) => {
      const row = value.get(train + "\t" + test) || {}, mine = accuracy(train, test);
      if (state.against === "absolute" || !known(mine)) return { shown: mine, row };
      const exact = state.seed === "all" && (state.against === "base" ? row : published.get(train + "\t" + test));
      if (exact && known(exact.change)) return { shown: exact.change, row: { ...row, ...exact }, exact: true };
      const reference = accuracy(state.against, test);
      return { shown: known(reference) ? mine - reference : null, row };
    };
    const specialists = trains.filter((name) => slugs[name]), controls = trains.filter((name) => !slugs[name]);
    const gain = (name) => cell(name, "all").shown ?? -9;
    let columns = tests.filter((test) => test !== "all");
    if (state.sort === "gain") {
      specialists.sort((a, b) => gain(b) - gain(a));
      columns.sort((a, b) => specialists.indexOf(slug(a)) - specialists.indexOf(slug(b)));
    } else if (state.sort === "alike") {
      const order = alike(specialists, (name) => columns.map((test) => cell(name, test).shown ?? 0));
      specialists.sort((a, b) => order.indexOf(a) - order.indexOf(b));
      columns.sort((a, b) => specialists.indexOf(slug(a)) - specialists.indexOf(slug(b)));
    }
    columns = [...columns, ...(tests.includes("all") ? ["all"] : [])];
    const shownBases = state.against === "absolute" ? bases : bases.filter((name) => name !== "base" && name !== state.against);
    return { trains: [...shownBases, ...specialists, ...controls], tests: columns, cell };
  }
  // Greedy chain: each train set stands beside the one whose row is most like it.
  function alike(names, vector) {
    const left = [...names], order = left.length ? [left.shift()] : [];
    const apart = (a, b) => vector(a).reduce((sum, x, i) => sum + (x - vector(b)[i]) ** 2, 0);
    while (left.length) {
      const last = order[order.length - 1];
      left.sort((a, b) => apart(last, a) - apart(last, b));
      order.push(left.shift());
    }
    return order;
  }

  // White under black: seen on pale and on dark cells, in both themes.
  const OUTLINE = [{ color: "#ffffff", width: 5 }, { color: "#000000", width: 2 }];
  (function transfer() {
    if (!matrix.length) return void section("transfer", "Transfer", make("p", { class: "soft" }, "The transfer matrix is not made yet."));
    const draw = () => {
      const checked = rows("training_checks").filter((row) => row.model === state.model && row.recipe === state.recipe && row.flags);
      const broken = new Map(checked.map((row) => [row.train_set, row.flags]));
      const { trains, tests, cell } = transferCells();
      if (!trains.length) return null;
      const absolute = state.against === "absolute", level = Number((100 * (D.settings.statistics?.confidence ?? 0.95)).toFixed(1)) + "%";
      const cells = trains.map((train) => tests.map((test) => cell(train, test)));
      const z = cells.map((row) => row.map((c) => (known(c.shown) ? 100 * c.shown : null)));
      const text = cells.map((row) => row.map((c) => (known(c.shown) ? (absolute ? fixed(100 * c.shown, 0) : signed(100 * c.shown, 0)) : "")));
      const hover = cells.map((row, i) => row.map((c, j) => {
        const r = c.row, parts = [plain(trainName(trains[i])) + " → " + plain(testName(tests[j]))];
        parts.push(absolute ? "accuracy " + percent(c.shown) : "change " + points(c.shown) + " points");
        if (c.exact && known(r.change_low)) parts.push(`${level} interval ${points(r.change_low)} to ${points(r.change_high)}`);
        if (absolute && known(r.accuracy_low)) parts.push(`${level} interval ${percent(r.accuracy_low)} to ${percent(r.accuracy_high)}`);
        if (c.exact && !known(r.change_low)) parts.push("too few questions for an interval");
        if (c.exact) parts.push("p " + pvalue(r.p) + ", q " + pvalue(r.q));
        if (c.exact && r.n_discordant === 0) parts.push("all answers equal");
        if (broken.has(trains[i])) parts.push("training failed a check: " + plain(broken.get(trains[i])));
        parts.push(`n=${r.n_questions ?? "?"} questions, ${state.seed === "all" ? (r.n_seeds ?? "?") + " seeds" : "seed " + state.seed}`, "click: its questions");
        return parts.join("<br>");
      }));
      const most = Math.max(5, ...z.flat().filter(known).map(Math.abs));
      const labels = (names, name) => names.map((n) => (broken.has(n) ? "⚠ " : "") + plain(clip(name(n), isNarrow() ? 18 : 34)));
      const narrow = isNarrow();
      const y = labels(trains, trainName), x = labels(tests, testName);
      const outlines = trains.flatMap((train, i) => tests.map((test, j) => (slug(test) === train ? OUTLINE.map((line) => ({ type: "rect", x0: j - 0.5, x1: j + 0.5, y0: i - 0.5, y1: i + 0.5, line })) : []))).flat();
      return {
        traces: [{
          type: "heatmap", z, x, y, text, texttemplate: tests.length > 9 && narrow ? "" : "%{text}", hovertext: hover, hoverinfo: "text", xgap: 1, ygap: 1,
          colorscale: absolute ? "Cividis" : [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]],
          zmin: absolute ? undefined : -most, zmax: absolute ? undefined : most, colorbar: { title: { text: absolute ? "%" : "points" }, thickness: 12, ...(narrow ? { orientation: "h", x: 0.5, y: 0, yanchor: "top", thickness: 8, len: 1, title: { text: "" } } : {}) },
        }],
        layout: {
          height: 60 + 8 * Math.max(...x.map((name) => name.length)) + 30 * trains.length + (narrow ? 40 : 0), shapes: outlines, margin: { l: 190, r: 10, t: 20, b: narrow ? 50 : 20 },
          xaxis: { side: "top", tickangle: -40, title: { text: "tested on", standoff: 8 }, tickfont: { size: narrow ? 11 : 13 } },
          yaxis: { autorange: "reversed", title: narrow ? undefined : { text: "fine-tuned on", standoff: 8 }, tickfont: { size: narrow ? 11 : 13 } },
        },
        columns: ["train_set", "test_specialty", absolute ? "accuracy" : "change", "low", "high", "p", "q", "n_questions"],
        cells: cells.flatMap((row, i) => row.map((c, j) => [trains[i], tests[j], c.shown, absolute ? c.row.accuracy_low : c.exact ? c.row.change_low : null, absolute ? c.row.accuracy_high : c.exact ? c.row.change_high : null, c.exact ? c.row.p : null, c.exact ? c.row.q : null, c.row.n_questions])),
        table: () => make("table", {}, make("caption", {}, "Each number opens its questions."),
          make("thead", {}, make("tr", {}, make("th", { scope: "col", title: "The train set: a specialty, a control, or none." }, "fine-tuned on"), tests.map((test) => make("th", { scope: "col", title: (absolute ? "Accuracy" : "Change of accuracy, in points,") + " on " + testName(test) }, testName(test))))),
          make("tbody", {}, trains.map((train, i) => make("tr", {}, make("th", { scope: "row", class: "text" }, trainName(train) + (broken.has(train) ? " (training failed a check)" : "")),
            tests.map((test, j) => make("td", {}, make("button", { type: "button", onclick: () => openQuestions(train, test), "aria-label": `${trainName(train)} tested on ${testName(test)}: ${text[i][j] || "no value"}. Show its questions` }, text[i][j] || "–"))))))),
        pick: (point) => [trains[point.pointIndex[0]], tests[point.pointIndex[1]]],
      };
    };
    const [shown, redraw] = figure("transfer", "Heatmap of train sets against test specialties", "transfer_matrix", draw, (point) => {
      const [train, test] = draw().pick(point);
      openQuestions(train, test);
    });
    section("transfer", "Transfer", make("p", { class: "soft" }, "Outlined: the specialty's own adapter. Click a cell, or a number of the table below it, for the questions behind it."),
      chooser(["seed", "against", "sort"]), shown, make("details", {}, make("summary", {}, "The transfer matrix with all its columns"), tableOf("transfer_matrix")));
    redraw();
  })();

  // ---------------------------------------------------------------- decomposition
  (function decomposition() {
    if (!matrix.length || D.specialties.length < 2) return;
    const draw = () => {
      const names = D.specialties.map(slug);
      const value = new Map(matrix.filter((r) => r.model === state.model && r.recipe === state.recipe && r.method === state.method && (!r.against || r.against === "base")).map((r) => [r.train_set + "\t" + r.test_specialty, r.change]));
      const change = names.map((train) => D.specialties.map((test) => value.get(train + "\t" + test)));
      if (change.flat().some((v) => !known(v))) return null;
      const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
      const common = mean(change.flat()), train = change.map((row) => mean(row) - common), test = D.specialties.map((_, j) => mean(change.map((row) => row[j])) - common);
      const rest = D.specialties.map((_, i) => change[i][i] - common - train[i] - test[i]);
      const parts = [["train set", train, "#0072B2"], ["test specialty", test, "#E69F00"], ["own adapter, beyond both", rest, "#009E73"]];
      return {
        traces: parts.map(([name, values, fill]) => ({ type: "bar", name, orientation: "h", y: D.specialties.map(plain), x: values.map((v) => 100 * v), marker: { color: fill } })),
        layout: { barmode: "group", height: 160 + 46 * names.length, margin: { l: 190, r: 20, t: 50, b: 50 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, yaxis: { autorange: "reversed" }, xaxis: { title: { text: isNarrow() ? `points; common gain ${signed(100 * common)}` : `points of accuracy, beside the common gain of ${signed(100 * common)}`, font: { size: 12 } } } },
        columns: ["specialty", "common", "train_set_effect", "test_specialty_effect", "own_beyond_both"],
        cells: D.specialties.map((name, i) => [name, common, train[i], test[i], rest[i]]),
      };
    };
    const [shown, redraw] = figure("decomposition", "What each change is made of: common gain, train set, test specialty, and what is left on the diagonal", "effects", draw);
    section("decomposition", "Decomposition", make("p", { class: "soft" }, "Change against the base model = common gain + effect of the train set + effect of the test specialty + what the own adapter adds beyond both."),
      shown);
    redraw();
  })();

  // ---------------------------------------------------------------- controls
  (function controls() {
    const all = rows("effects");
    if (!all.length) return;
    const KINDS = { common_gain: ["the specialties' adapters", "#0072B2", "circle"], gain_of: ["the control itself", "#777777", "diamond"], gain_beyond: ["the specialties' adapters beyond it", "#D55E00", "square"], specialty_knowledge: ["own adapter beyond both", "#009E73", "cross"] };
    const labelOf = (r) => ({ common_gain: "Common gain", specialty_knowledge: "Specialty knowledge" })[r.effect] || trainName(String(r.of));
    const draw = () => {
      const here = all.filter((r) => r.model === state.model && r.recipe === state.recipe && r.method === state.method && KINDS[r.effect] && known(r.estimate));
      if (!here.length) return null;
      const labels = [...new Set([...here.filter((r) => r.effect === "common_gain"), ...here.filter((r) => r.effect !== "specialty_knowledge"), ...here].map(labelOf))];
      const traces = Object.entries(KINDS).map(([effect, [name, fill, symbol]]) => [name, fill, symbol, here.filter((r) => r.effect === effect)]).filter(([, , , own]) => own.length).map(([name, fill, symbol, own]) => ({
        type: "scatter", mode: "markers", orientation: "h", name, y: own.map((r) => plain(clip(labelOf(r), 34))), x: own.map((r) => 100 * r.estimate), marker: { color: fill, size: 9, symbol: own.map((r) => symbol + (known(r.low) ? "" : "-open")) },
        error_x: { type: "data", symmetric: false, array: own.map((r) => (known(r.low) ? 100 * (r.high - r.estimate) : 0)), arrayminus: own.map((r) => (known(r.low) ? 100 * (r.estimate - r.low) : 0)), color: fill, thickness: 1.5 }, hoverinfo: "text",
        hovertext: own.map((r) => `${plain(labelOf(r))}, ${name}<br>${points(r.estimate)} points ${known(r.low) ? `[${points(r.low)}, ${points(r.high)}]` : "(no interval)"}<br>p ${pvalue(r.p)}, n=${r.n_questions}`),
      }));
      return { traces, layout: { height: 150 + 40 * labels.length, margin: { l: 190, r: 20, t: 60, b: 50 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, scattermode: "group", xaxis: { title: { text: isNarrow() ? "points against base" : "points of accuracy against the base model" } }, yaxis: { autorange: "reversed", categoryorder: "array", categoryarray: labels.map((n) => plain(clip(n, 34))) } },
        columns: ["effect", "of", "estimate", "low", "high", "p", "n_questions"], cells: here.map((r) => [r.effect, r.of, r.estimate, r.low, r.high, r.p, r.n_questions]) };
    };
    const [shown, redraw] = figure("controls", "Common gain, what each control gains, and what the specialties' adapters gain beyond it", "effects", draw);
    section("controls", "Controls", make("p", { class: "soft" }, "A control lacks something that the specialties' train sets have. Where the specialties' adapters surely gain little beyond it (the whole orange interval is near zero), what it lacks does not explain the common gain."), shown, tableOf("effects"));
    redraw();
  })();

  // ---------------------------------------------------------------- claim 1 and other tables
  function tablesSection(id, title, note, names, of = D.tables) {
    // A table whose measures are all empty says nothing (letters' probabilities of a run that reads no letters).
    const measured = (name) => name !== "answer_mass" || rows(name).some((row) => known(row.answer_mass) || known(row.unparsed_share));
    const there = names.filter((name) => of[name] && of[name].rows.length && measured(name));
    if (there.length) section(id, title, note ? make("p", { class: "soft" }, note) : null, ...there.map((name) => tableOf(name, of)));
  }
  tablesSection("power", "Power", "What a grid of this size can find, before it is run (snakemake power).", ["power"]);
  (function own() {
    if (!D.tables.diagonal || !D.tables.diagonal.rows.length) return;
    const draw = () => {
      const here = rows("diagonal").filter((row) => row.model === state.model && row.recipe === state.recipe && row.method === state.method && row.test_specialty !== "all");
      if (!here.length) return null;
      const times = (v) => (known(v) ? 100 * v : null), spread = (row, high) => (known(row.best_low) ? 100 * (high ? row.best_high - row.own_minus_best : row.own_minus_best - row.best_low) : 0);
      const trace = {
        type: "scatter", mode: "markers", y: here.map((row) => plain(row.test_specialty)), x: here.map((row) => times(row.own_minus_best)), marker: { size: 9, color: COLOURS[0] }, showlegend: false,
        error_x: { type: "data", symmetric: false, array: here.map((row) => spread(row, true)), arrayminus: here.map((row) => spread(row, false)), thickness: 1.5 }, hoverinfo: "text",
        hovertext: here.map((row) => `${plain(row.test_specialty)}: ${points(row.own_minus_best)} points [${points(row.best_low)}, ${points(row.best_high)}] against ${plain(trainName(String(row.best_other)))}<br>${plain(row.answer)}, n=${row.n_questions}`),
      };
      return { traces: [trace], layout: { height: 130 + 34 * here.length, margin: { l: 190, r: 20, t: 20, b: 60 }, yaxis: { autorange: "reversed" }, xaxis: { title: { text: isNarrow() ? "points, own minus best other" : "own adapter minus the best of the others, points of accuracy" } } },
        columns: ["test_specialty", "best_other", "own_minus_best", "best_low", "best_high", "answer"], cells: here.map((row) => [row.test_specialty, row.best_other, row.own_minus_best, row.best_low, row.best_high, row.answer]) };
    };
    const [shown, redraw] = figure("own", "Own adapter minus the best of the other adapters, by specialty, with simultaneous intervals", "diagonal", draw);
    section("claim-1", "Is the own adapter the best?", make("p", { class: "soft" }, "Right of zero, with its whole interval: the specialty's own adapter is better than every other one. The intervals allow for the best being picked among all."), shown, tableOf("diagonal"));
    redraw();
  })();

  // ---------------------------------------------------------------- questions
  let openQuestions = () => {};
  (function questions() {
    if (!nOf) return void section("questions", "Questions", make("p", { class: "soft" }, "The test questions are not made yet."));
    const filter = { text: "", specialty: "all", train: D.axes.train_set[0] || "base", kind: "every", page: 0, words: "terms" };
    const list = make("div", { "aria-live": "polite" });
    const KINDS = { every: "every question", gained: "gained against base", lost: "lost against base", differ: "seeds disagree", wrong: "answered wrongly" };
    const trainsThere = () => D.axes.train_set.filter((train) => D.axes.seed.some((seed) => entryOf(train, seed)));
    const search = make("input", { type: "search", "aria-label": "Search the questions", oninput: (event) => { filter.text = event.target.value.toLowerCase(); filter.page = 0; show(); } });
    const [specialtyLabel, specialtyInput] = select("Specialty", [["all", "all"], ...D.specialties.map((n) => [n, n])], (v) => { filter.specialty = v; filter.page = 0; show(); });
    const [trainLabel, trainInput] = select("Fine-tuned on", D.axes.train_set.map((n) => [n, trainName(n)]), (v) => { filter.train = v; filter.page = 0; show(); });
    const [kindLabel, kindInput] = select("Show", Object.entries(KINDS), (v) => { filter.kind = v; filter.page = 0; show(); });
    const [wordsLabel] = select("Words", [["terms", "terms and placebos marked"], ["shift", "coloured by log-probability shift"], ["plain", "as they are"]], (v) => { filter.words = v; show(); });
    const shiftAt = new Map(D.shifts.map((s) => [[s.model, s.recipe, s.train_set].join("\t"), s.offset]));
    const firstMention = [];
    let mentions = 0;
    for (const q of D.questions) { firstMention.push(mentions); mentions += q.mentions.length; }

    // Gained, lost and so on of every question under the chosen train set, until the choice changes.
    let kinds = { key: "" };
    function kindsHere() {
      const key = [state.model, state.recipe, state.method, state.seed, filter.train].join("\t");
      if (kinds.key !== key) kinds = { key, of: D.questions.map((_, i) => verdictOf(i)) };
      return kinds.of;
    }
    const has = (found, kind) => (kind === "differ" ? found.differ : kind === "wrong" ? found.own === 0 : found.kind === kind);
    function count() {
      const all = kindsHere(), here = membersOf(filter.specialty);
      for (const option of kindInput.options) {
        const n = option.value === "every" ? here.length : here.filter((i) => has(all[i], option.value)).length;
        option.textContent = `${KINDS[option.value]} (${n})`;
      }
    }
    function verdictOf(question) {
      const base = share("base", question), own = share(filter.train, question);
      if (!known(base) || !known(own)) return { base, own, kind: "unknown" };
      return { base, own, kind: own > base ? "gained" : own < base ? "lost" : "same", differ: own > 0 && own < 1 };
    }
    function matches(question) {
      const q = D.questions[question];
      if (filter.specialty !== "all" && !q.specialties.includes(filter.specialty)) return false;
      if (filter.text && !(q.stem + "\n" + q.options.join("\n") + "\n" + q.id).toLowerCase().includes(filter.text)) return false;
      if (filter.kind === "every") return true;
      return has(kindsHere()[question], filter.kind);
    }
    function stem(question) {
      const q = D.questions[question], made = make("p", { class: "stem" });
      const offset = shiftAt.get([state.model, state.recipe, filter.train].join("\t"));
      const characters = Array.from(q.stem);
      let at = 0;
      const sorted = q.mentions.map((m, i) => [...m, i]).sort((a, b) => a[0] - b[0]);
      for (const [start, end, placebo, specialties, index] of filter.words === "plain" ? [] : sorted) {
        if (start < at) continue;
        made.append(characters.slice(at, start).join(""));
        const word = make("mark", { class: placebo ? "placebo" : "term", title: placebo ? "placebo word" : "term of " + specialties.join(", ") }, characters.slice(start, end).join(""));
        if (filter.words === "shift" && offset !== undefined) {
          const coded = blob[offset + firstMention[question] + index], shift = (coded - 128) / 50;
          if (coded) {
            const strength = Math.min(1, Math.abs(shift) / 1.5);
            word.style.background = shift > 0 ? `rgba(213,94,0,${0.15 + 0.55 * strength})` : `rgba(0,114,178,${0.15 + 0.55 * strength})`;
            word.title += `: ${signed(shift, 2)} nats per token against base`;
          }
        }
        made.append(word);
        at = end;
      }
      made.append(characters.slice(at).join(""));
      return made;
    }
    function optionRows(question) {
      const q = D.questions[question];
      const shown = [["base", -1], ...BASES.slice(1).filter((n) => entryOf(n, -1)).map((n) => [n, -1]), ...seedsShown().map((seed) => [filter.train, seed])]
        .map(([train, seed]) => [train, seed, entryOf(train, seed)]).filter((row) => row[2]);
      const head = make("tr", {}, make("th", { scope: "col", class: "text" }, "option"), shown.map(([train, seed]) => make("th", { scope: "col" }, trainName(train) + (seed >= 0 ? ", seed " + seed : ""))));
      const read = shown.map(([, , entry]) => answer(entry, question));
      const body = q.options.map((option, i) => make("tr", {}, make("td", { class: "text" }, (i === q.answer ? "✓ " : "") + option),
        read.map((a) => make("td", { class: a.chosen === i ? (i === q.answer ? "gained" : "lost") : "" },
          a.probabilities[i] === NOTHING ? (a.chosen === i ? "chosen" : "–") : [make("span", { class: "bar", style: `width:${(a.probabilities[i] / 254) * 5}em`, "aria-hidden": "true" }), " " + fixed(a.probabilities[i] / 2.54, 0) + "%" + (a.chosen === i ? " ●" : "")]))));
      const mass = read.some((a) => a.mass !== NOTHING) ? make("tr", {}, make("td", { class: "text soft" }, "probability on the offered answers"), read.map((a) => make("td", {}, a.mass === NOTHING ? "–" : fixed(a.mass / 2.54, 0) + "%"))) : null;
      const orders = read.some((a) => a.orders.length > 1) ? make("tr", {}, make("td", { class: "text soft" }, "right in how many orders of the options"), read.map((a) => make("td", {}, `${a.orders.filter((o) => o === q.answer).length} of ${a.orders.length}`))) : null;
      const each = orders ? make("tr", {}, make("td", { class: "text soft" }, "option chosen in each order (1 is the first above)"), read.map((a) => make("td", { class: "orders" }, a.orders.length > 1 ? a.orders.map((o) => (o === NOTHING ? "–" : o + 1)).join(" ") : "–"))) : null;
      return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Options of question " + q.id }, make("table", {}, make("thead", {}, head), make("tbody", {}, body, mass, orders, each)));
    }
    const PAGE = 10;
    function show() {
      count();
      const found = D.questions.map((_, i) => i).filter(matches);
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      filter.page = Math.min(filter.page, pages - 1);
      const items = found.slice(filter.page * PAGE, (filter.page + 1) * PAGE).map((i) => {
        const q = D.questions[i], v = kindsHere()[i];
        const word = { gained: "gained", lost: "lost", same: v.own === 1 ? "right, as before" : v.own === 0 ? "wrong, as before" : "as before", unknown: "" }[v.kind];
        return make("article", { class: "question", id: "q-" + i }, make("h3", {}, q.specialties.join(", "), word ? [" ", make("span", { class: "badge " + v.kind }, word)] : null, make("span", { class: "soft id" }, " " + q.id)), stem(i), optionRows(i));
      });
      const move = (by, text) => make("button", { type: "button", disabled: filter.page + by < 0 || filter.page + by >= pages ? "" : null, onclick: () => { filter.page += by; show(); } }, text);
      list.replaceChildren(make("p", {}, `${found.length} of ${nOf} questions; page ${filter.page + 1} of ${pages}`), ...items, make("div", { class: "tools" }, move(-1, "Previous"), move(1, "Next")));
    }
    openQuestions = (train, test) => {
      if (trainsThere().includes(train)) { filter.train = train; trainInput.value = train; }
      filter.specialty = test; specialtyInput.value = test; filter.kind = "every"; kindInput.value = "every"; filter.page = 0;
      show();
      byId("questions").scrollIntoView();
      const heading = byId("questions-title");
      heading.setAttribute("tabindex", "-1");
      heading.focus({ preventScroll: true });
    };
    section("questions", "Questions", make("p", { class: "soft" }, "Blue: clinical terms. Grey, dotted: placebo words. Coloured by shift: orange words became more probable under the adapter, blue ones less; hover says by how much. ● marks the chosen option, ✓ the right one; percentages are the options' probabilities, which add up to 100%."),
      make("div", { class: "controls" }, make("label", {}, "Search", search), specialtyLabel, trainLabel, kindLabel, wordsLabel), list);
    redraws.push(show);
    show();
  })();

  // ---------------------------------------------------------------- term shifts
  (function terms() {
    const all = rows("term_shift").filter((row) => row.seed === "all" || row.seed === null || row.seed === undefined);
    if (!all.length) return;
    const labelOf = (name) => (name === "all" ? "All train sets" : clip(trainName(name), 34));
    const groups = { own: ["own specialty's terms", "#D55E00"], other: ["other specialties' terms", "#0072B2"], terms: ["all terms (controls)", "#009E73"], placebo: ["placebo words", "#777777"] };
    const draw = () => {
      const here = all.filter((row) => row.model === state.model && row.recipe === state.recipe && row.measure === "mean" && row.scope === all[0].scope && row.context === all[0].context && groups[row.group]);
      const trains = [...new Set(here.map((row) => row.train_set))];
      if (!trains.length) return null;
      // A control has no own specialty: all terms stand for both.
      const withOwn = new Set(here.filter((row) => row.group === "own" && known(row.shift)).map((row) => row.train_set));
      const traces = Object.entries(groups).map(([group, [name, fill]]) => {
        const own = here.filter((row) => row.group === group && known(row.shift) && (group !== "terms" || !withOwn.has(row.train_set)));
        return { type: "scatter", mode: "markers", orientation: "h", name, y: own.map((r) => plain(labelOf(r.train_set))), x: own.map((r) => r.shift), marker: { color: fill, size: 9, symbol: own.map((r) => ({ own: "circle", other: "square", terms: "cross", placebo: "diamond" })[group] + (known(r.low) ? "" : "-open")) },
          error_x: { type: "data", symmetric: false, array: own.map((r) => (known(r.low) ? r.high - r.shift : 0)), arrayminus: own.map((r) => (known(r.low) ? r.shift - r.low : 0)), color: fill, thickness: 1.5 },
          hovertext: own.map((r) => `${plain(trainName(r.train_set))}, ${name}<br>${signed(r.shift, 3)} nats per token ${known(r.low) ? `[${signed(r.low, 3)}, ${signed(r.high, 3)}]` : `(${plain(r.note || "no interval")})`}<br>p ${pvalue(r.p)}, ${r.n_mentions} mentions in ${r.n_questions} questions`), hoverinfo: "text" };
      });
      return { traces, layout: { height: 190 + 44 * trains.length, margin: { l: 190, r: 20, t: 60, b: 50 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, scattermode: "group", xaxis: { title: { text: isNarrow() ? "nats per token against base" : "shift of log-probability against base, nats per token" } }, yaxis: { autorange: "reversed" } },
        columns: ["train_set", "group", "shift", "low", "high", "p", "n_mentions", "n_questions"], cells: here.filter((r) => known(r.shift) && (r.group !== "terms" || !withOwn.has(r.train_set))).map((r) => [r.train_set, r.group, r.shift, r.low, r.high, r.p, r.n_mentions, r.n_questions]) };
    };
    const [shown, redraw] = figure("terms", "Shift of the log-probability of own terms, other terms and placebo words, by train set", "term_shift", draw);
    section("terms", "Term shifts", make("p", { class: "soft" }, "Open symbols have no interval: too few questions or words, or all shifts are equal."), shown, ["term_shift", "term_shift_grid", "placebo_balance"].filter((name) => D.tables[name] && D.tables[name].rows.length).map((name) => tableOf(name)));
    redraw();
  })();


  // ---------------------------------------------------------------- probes
  tablesSection("probes", "Probes", "Facts that were trained on and facts that never were, both asked in another way than in training. How much further the own adapter is ahead of the others on the first than on the second is knowledge injection. Below: every probe, fact by fact.", ["probes", "probe_facts"]);

  // ---------------------------------------------------------------- dose
  (function dose() {
    const all = rows("dose");
    if (!all.length) return;
    const names = { common_gain: ["common gain", "#0072B2"], specialty_knowledge: ["specialty knowledge", "#D55E00"], probes: ["facts learned", "#009E73"] };
    const draw = () => {
      const here = all.filter((r) => r.model === state.model && r.method === state.method && names[r.measure]);
      const lines = [...new Set(here.map((r) => r.series + "\t" + r.measure))].map((key) => here.filter((r) => r.series + "\t" + r.measure === key));
      const several = new Set(here.map((r) => r.series)).size > 1, doses = [...new Set(here.map((r) => r.seen))];
      if (!here.length) return null;
      const traces = lines.map((own) => {
        const [name, fill] = names[own[0].measure], y = own.map((r) => 100 * r.estimate);
        return { type: "scatter", mode: "lines+markers", name: plain(several ? `${name}, like ${own[0].series}` : name), x: own.map((r) => r.seen), y, line: { color: fill, width: 1 }, marker: { size: 9, symbol: own.map((r) => (r.broken ? "circle-open" : "circle")) },
          error_y: { type: "data", symmetric: false, array: own.map((r, i) => (known(r.high) ? 100 * r.high - y[i] : 0)), arrayminus: own.map((r, i) => (known(r.low) ? y[i] - 100 * r.low : 0)), color: fill, thickness: 1.5 },
          hovertext: own.map((r, i) => `${plain(r.recipe)}: ${r.questions} questions × ${r.epochs}<br>${name} ${signed(y[i])} points ${known(r.low) ? `[${signed(100 * r.low)}, ${signed(100 * r.high)}]` : "(no interval)"}`), hoverinfo: "text" };
      });
      return { traces, layout: { height: 420, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, xaxis: { type: "log", tickmode: "array", tickvals: doses, ticktext: doses.map(String), title: { text: "train questions seen" } }, yaxis: { title: { text: "points of accuracy" } } },
        columns: ["recipe", "series", "seen", "measure", "estimate", "low", "high"], cells: here.map((r) => [r.recipe, r.series, r.seen, r.measure, r.estimate, r.low, r.high]) };
    };
    const [shown, redraw] = figure("dose", "Common gain, specialty knowledge and facts learned over the train questions seen", "dose", draw);
    section("dose", "Dose", make("p", { class: "soft" }, "Recipes that differ in train questions and epochs alone. Open symbols: an adapter failed a check of its training."), shown);
    redraw();
  })();

  // ---------------------------------------------------------------- format: position bias, mass
  tablesSection("format", "Position bias and probability on the answers", "A model without position bias has the same recall at every letter. Where little of the probability falls on the offered letters, the model would rather say something else, and its accuracy says little.", ["position_bias", "answer_mass", "base_prompts"]);

  // ---------------------------------------------------------------- calibration of probabilities
  (function calibration() {
    const there = D.reliability.filter((r) => r.ece);
    if (!there.length) return;
    const draw = () => {
      const own = there.filter((r) => r.model === state.model && r.method === state.method && (r.recipe === state.recipe || r.recipe === "base") && (r.seed < 0 || r.seed === seedsShown()[0]));
      if (!own.length) return null;
      const filled = (r) => r.n.map((n, i) => i).filter((i) => r.n[i]);
      const dashes = { base: "solid", "few-shot": "dash", "best-prompt": "dashdot" };
      const traces = own.map((r) => {
        const bins = filled(r);
        return { type: "scatter", mode: "lines+markers", name: plain(clip(trainName(r.train_set), 26)) + ` (ECE ${r.ece[0].toFixed(3)})`, x: bins.map((i) => r.confidence[i]), y: bins.map((i) => r.accuracy[i]), line: r.seed < 0 ? { width: 3, color: colour("--ink"), dash: dashes[r.train_set] } : { width: 1 }, text: bins.map((i) => "n=" + r.n[i]) };
      });
      traces.push({ type: "scatter", mode: "lines", name: "perfect", x: [0, 1], y: [0, 1], line: { dash: "dot", color: colour("--soft") } });
      return { traces, layout: { height: isNarrow() ? 460 + 22 * traces.length : 460, legend: isNarrow() ? { orientation: "h", y: -0.2 } : {}, xaxis: { title: { text: "probability of the chosen option" }, range: [0, 1] }, yaxis: { title: { text: "share of right answers" }, range: [0, 1] } },
        columns: ["train_set", "seed", "n", "confidence", "accuracy", "ece"], cells: own.flatMap((r) => filled(r).map((i) => [r.train_set, r.seed, r.n[i], r.confidence[i], r.accuracy[i], r.ece[0]])) };
    };
    const [shown, redraw] = figure("calibration", "Reliability of option probabilities", "calibration-of-option-probabilities", draw);
    section("calibration", "Calibration of option probabilities", make("p", { class: "soft" }, `On the diagonal, options chosen with a probability of 60% are right in 60% of questions. Adapters of one seed (${seedsShown()[0]}, or the one chosen under Transfer). ECE: expected calibration error, ten bins of equal width.`), shown);
    redraw();
  })();

  // ---------------------------------------------------------------- training
  (function training() {
    if (!D.curves.length) return;
    const draw = () => {
      const own = D.curves.filter((c) => c.model === state.model && c.recipe === state.recipe && (state.seed === "all" || c.seed === Number(state.seed)));
      if (!own.length) return null;
      return { traces: own.map((c) => ({ type: "scatter", mode: "lines", name: plain(clip(trainName(c.train_set), 24)) + ", seed " + c.seed, x: c.step, y: c.loss,
        line: { width: 1.5, color: COLOURS[D.axes.train_set.indexOf(c.train_set) % COLOURS.length], dash: ["solid", "dot", "dash", "longdash"][D.axes.seed.indexOf(c.seed) % 4] } })), layout: { height: 420, showlegend: own.length <= 20 && !isNarrow(), xaxis: { title: { text: "optimiser step" } }, yaxis: { title: { text: "training loss, nats per token" } } },
        columns: ["train_set", "seed", "step", "loss"], cells: own.flatMap((c) => c.step.map((s, i) => [c.train_set, c.seed, s, c.loss[i]])) };
    };
    const [shown, redraw] = figure("training", "Training loss of each adapter", "training_checks", draw);
    section("training", "Training", shown, D.tables.training_checks && D.tables.training_checks.rows.length ? tableOf("training_checks") : null);
    redraw();
  })();

  // ---------------------------------------------------------------- cost and plan
  (function cost() {
    const there = ["cost", "plan"].filter((name) => D.tables[name] && D.tables[name].rows.length);
    const how = { plan: "snakemake plan estimates what the grid needs", cost: "snakemake cost compares what it took with the plan" };
    const lacks = Object.keys(how).filter((name) => !there.includes(name)).map((name) => how[name]);
    section("cost", "Cost and plan", lacks.length ? make("p", { class: "soft" }, `Not made yet: ${lacks.join("; ")}. Then snakemake report --nolock makes this page again, with the tables.`) : null, ...there.map((name) => tableOf(name)));
  })();

  // ---------------------------------------------------------------- data, annotation, provenance
  tablesSection("data", "Data", "Where the questions came from and where they went.", Object.keys(D.question_tables), D.question_tables);
  tablesSection("annotation", "Annotation", "How the data set was made: votes, sets, experts.", Object.keys(D.annotation), D.annotation);
  (function provenance() {
    const show = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value, null, 1) : String(value));
    const list = (object) => make("dl", { class: "keys" }, Object.entries(object).flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, show(value))]));
    const { prompts, digests, ...others } = D.provenance;
    section("provenance", "Provenance",
      prompts ? make("details", {}, make("summary", {}, "Rendered prompt of each model"), make("p", { class: "soft" }, "What a model reads, control tokens included, with {question} and {answer} in their places."),
        Object.entries(prompts).map(([name, text]) => [make("h3", {}, name), make("pre", { tabindex: "0" }, text)])) : null,
      make("details", {}, make("summary", {}, "Configuration as run"), make("pre", { tabindex: "0" }, JSON.stringify(D.settings, null, 2))),
      ...Object.entries(others).map(([name, value]) => make("details", {}, make("summary", {}, capital(name)), value && typeof value === "object" ? list(value) : make("p", {}, show(value)))),
      digests ? make("details", {}, make("summary", {}, "Digests of all adapters"), tableOf("digests", { digests })) : null);
    section("reproduce", "How to cite and reproduce",
      make("p", {}, "Cite the study whose claims this tests: Yan et al., What Does Neuro Mean to Cardio? Investigating the Role of Clinical Specialty Data in Medical LLMs, arXiv 2505.10113; and neuro2cardio by its CITATION.cff."),
      make("p", {}, "With the configuration above as mine.yaml, the same run is:"),
      make("pre", { tabindex: "0" }, "snakemake --configfile mine.yaml --cores 2\nsnakemake --configfile mine.yaml --profile slurm -j 64"));
  })();
  kit.finish();
})();
