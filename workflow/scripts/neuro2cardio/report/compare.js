"use strict";
// Differences between runs. Text of the data goes through textContent, or through `plain` where Plotly would read it as markup.
(async () => {
  const { NOTHING, byId, plain, make, fixed, signed, known, points, percent, pvalue, redraws, colour, section, select, figure, rowsOf, slug, testName, clip } = kit;
  const opened = await kit.open();
  if (!opened) return;
  const [D, blob] = opened;
  const slugs = Object.fromEntries(D.specialties.map((name) => [slug(name), name]));
  const trainName = (name) => kit.trainName(name, slugs);
  const all = rowsOf(D.differences);
  const first = rowsOf(D.runs)[0].run;
  const values = (key, of = all) => [...new Set(of.map((row) => row[key]))];
  const measures = { accuracy: "accuracy", change: "change against each run's own base model" };

  // ---------------------------------------------------------------- which run, model, recipe and method
  const state = { run: all[0]?.run, model: all[0]?.model, recipe: all[0]?.recipe, method: all[0]?.method, measure: "accuracy" };
  const labels = { run: "Compared with " + first, model: "Model", recipe: "Recipe", method: "Method", measure: "Difference of" };
  const here = () => all.filter((row) => Object.entries(state).every(([key, value]) => row[key] === value));
  function chooser(keys) {
    const made = make("div", { class: "controls" });
    for (const key of keys) {
      const options = values(key).map((name) => [name, measures[name] || name]);
      const [label] = select(labels[key], options, (value) => { state[key] = value; for (const redraw of redraws) redraw(); }, state[key]);
      if (options.length > 1) made.append(label);
    }
    return made;
  }

  // ---------------------------------------------------------------- how the runs were made
  section("runs", "The runs", kit.tableOf("runs", "The first is what the others are compared with.", D),
    make("h3", {}, "What was set or used differently"),
    D.settings.rows.length ? kit.tableOf("settings", "Prompts and versions first; what is not listed is the same.", D)
      : make("p", {}, "Nothing: settings, prompts, versions and sources are the same."));

  // ---------------------------------------------------------------- in words
  function inWords(row) {
    const shown = row.measure === "accuracy" ? percent : points;
    const interval = known(row.low) ? ` [${points(row.low)}, ${points(row.high)}], p ${pvalue(row.p)}, q ${pvalue(row.q)}` : row.n_discordant === 0 ? ", all equal" : ", too few questions for an interval";
    return `${shown(row.first)} in ${row.first_run}, ${shown(row.other)} in ${row.run}: ${points(row.difference)} points${interval}`;
  }
  (function words() {
    if (!all.length) return void section("words", "In words", make("p", { class: "soft" }, "There is nothing to compare; the list above says why."));
    const list = make("ul"), title = make("p", { class: "answer" });
    const show = () => {
      const cells = here().filter((row) => row.test_specialty !== "all"), found = cells.filter((row) => known(row.q) && row.q < 0.05);
      const equal = cells.filter((row) => row.n_discordant === 0).length;
      title.textContent = `${state.run} against ${first}: ${found.length} of ${cells.length} cells differ with q < 0.05` + (equal ? `; in ${equal}, no question differs at all` : "");
      const overall = here().filter((row) => row.test_specialty === "all").map((row) => make("li", {}, make("strong", {}, trainName(row.train_set)), " on all questions: " + inWords(row)));
      list.replaceChildren(...overall, ...found.map((row) => make("li", {}, make("strong", {}, trainName(row.train_set)), ` on ${testName(row.test_specialty)}: ` + inWords(row))));
    };
    redraws.push(show);
    section("words", "In words", make("p", { class: "soft" }, "Differences are paired by question; intervals are 95% unless the run says otherwise, for questions as the units, conditional on the adapters that were trained."),
      chooser(["run", "model", "recipe", "method", "measure"]), make("div", { class: "verdict" }, title, list));
    show();
  })();

  // ---------------------------------------------------------------- heatmap
  (function heatmap() {
    if (!all.length) return;
    const draw = () => {
      const rows = here();
      if (!rows.length) return null;
      const trains = values("train_set", rows), tests = values("test_specialty", rows);
      const at = new Map(rows.map((row) => [row.train_set + "\t" + row.test_specialty, row]));
      const cells = trains.map((train) => tests.map((test) => at.get(train + "\t" + test)));
      const z = cells.map((row) => row.map((cell) => (cell ? 100 * cell.difference : null)));
      const text = cells.map((row) => row.map((cell) => (cell ? signed(100 * cell.difference, 0) + (known(cell.q) && cell.q < 0.05 ? "*" : "") : "")));
      const hover = cells.map((row) => row.map((cell) => (cell ? `${plain(trainName(cell.train_set))} → ${plain(testName(cell.test_specialty))}<br>${plain(inWords(cell)).replace(": ", "<br>")}<br>n=${cell.n_questions} questions, ${cell.n_discordant} differ<br>click: these` : "")));
      const most = Math.max(5, ...z.flat().filter(known).map(Math.abs)), narrow = innerWidth < 700;
      return {
        traces: [{ type: "heatmap", z, x: tests.map((n) => plain(clip(testName(n), 34))), y: trains.map((n) => plain(clip(trainName(n), 34))), text, texttemplate: tests.length > 9 && narrow ? "" : "%{text}", hovertext: hover, hoverinfo: "text", xgap: 1, ygap: 1,
          colorscale: [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]], zmin: -most, zmax: most, colorbar: { title: { text: "points" }, thickness: 12 } }],
        layout: { height: 150 + 30 * trains.length + (narrow ? 60 : 0), margin: { l: narrow ? 110 : 190, r: 10, t: 20, b: 130 },
          xaxis: { tickangle: -40, title: { text: "tested on" }, tickfont: { size: narrow ? 10 : 13 } }, yaxis: { autorange: "reversed", title: narrow ? undefined : { text: "fine-tuned on" }, tickfont: { size: narrow ? 10 : 13 } } },
        columns: Object.keys(rows[0]), cells: rows.map((row) => Object.values(row)),
        table: () => make("table", {}, make("caption", {}, "Each number opens the questions in which the runs differ."),
          make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "fine-tuned on"), tests.map((test) => make("th", { scope: "col" }, testName(test))))),
          make("tbody", {}, trains.map((train, i) => make("tr", {}, make("th", { scope: "row", class: "text" }, trainName(train)),
            tests.map((test, j) => make("td", {}, make("button", { type: "button", onclick: () => openQuestions(train, test), "aria-label": `${trainName(train)} tested on ${testName(test)}: ${text[i][j] || "no value"}. Show the questions that differ` }, text[i][j] || "–"))))))),
        pick: (point) => [trains[point.pointIndex[0]], tests[point.pointIndex[1]]],
      };
    };
    const [shown, redraw] = figure("differences", "Heatmap of differences between the runs", "transfer_matrix", draw, (point) => openQuestions(...draw().pick(point)));
    section("differences", "Differences", make("p", { class: "soft" }, "Red: higher than in " + first + ". A star marks q < 0.05. Click a cell, or a number of the table below it, for the questions in which the runs differ."), shown);
    redraw();
  })();

  // ---------------------------------------------------------------- questions in which they differ
  let openQuestions = () => {};
  (function questions() {
    if (!D.questions.length) return;
    const list = make("div", { "aria-live": "polite" }), filter = { train: "base", test: "all", page: 0 }, PAGE = 10;
    const entryOf = () => D.answers.find((a) => a.train_set === filter.train && ["run", "model", "recipe", "method"].every((key) => a[key] === state[key]));
    const share = (coded) => (coded === NOTHING ? null : coded / 254);
    function show() {
      const entry = entryOf(), n = D.questions.length;
      const differs = (i) => entry && blob[entry.offset + i] !== NOTHING && blob[entry.offset + i] !== blob[entry.offset + n + i];
      const found = D.questions.map((_, i) => i).filter((i) => (filter.test === "all" || D.questions[i].specialties.includes(filter.test)) && differs(i));
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      filter.page = Math.min(filter.page, pages - 1);
      const items = found.slice(filter.page * PAGE, (filter.page + 1) * PAGE).map((i) => {
        const q = D.questions[i], a = share(blob[entry.offset + i]), b = share(blob[entry.offset + n + i]);
        return make("article", { class: "question" }, make("h3", {}, q.specialties.join(", ") + " ", make("span", { class: b > a ? "gained" : "lost" }, b > a ? "gained" : "lost"), make("span", { class: "soft" }, " " + q.id)),
          make("p", { class: "stem" }, q.stem), make("ul", {}, q.options.map((option, j) => make("li", {}, (j === q.answer ? "✓ " : "") + option))),
          make("p", { class: "soft" }, `Share of seeds that are right: ${fixed(100 * a, 0)}% in ${first}, ${fixed(100 * b, 0)}% in ${state.run}`));
      });
      const move = (by, text) => make("button", { type: "button", disabled: filter.page + by < 0 || filter.page + by >= pages ? "" : null, onclick: () => { filter.page += by; show(); } }, text);
      list.replaceChildren(make("p", {}, `${trainName(filter.train)} on ${testName(filter.test)}: the runs differ in ${found.length} questions; page ${filter.page + 1} of ${pages}`), ...items, make("div", { class: "tools" }, move(-1, "Previous"), move(1, "Next")));
    }
    const trains = values("train_set").map((name) => [name, trainName(name)]);
    const [trainLabel, trainInput] = select("Fine-tuned on", trains, (value) => { filter.train = value; filter.page = 0; show(); }, filter.train);
    const [testLabel, testInput] = select("Specialty", [["all", "all"], ...D.specialties.map((name) => [name, name])], (value) => { filter.test = value; filter.page = 0; show(); });
    openQuestions = (train, test) => {
      Object.assign(filter, { train, test, page: 0 });
      trainInput.value = train; testInput.value = test;
      show();
      byId("questions").scrollIntoView();
      byId("questions-title").setAttribute("tabindex", "-1");
      byId("questions-title").focus({ preventScroll: true });
    };
    section("questions", "Questions in which the runs differ", make("div", { class: "controls" }, trainLabel, testLabel), list);
    redraws.push(show);
    show();
  })();

  // ---------------------------------------------------------------- terms
  (function terms() {
    const rows = rowsOf(D.terms);
    if (!rows.length) return;
    const groups = { own: ["own specialty's terms", "#D55E00", "circle"], other: ["other specialties' terms", "#0072B2", "square"], terms: ["clinical terms", "#D55E00", "circle"], placebo: ["placebo words", "#777777", "diamond"] };
    const draw = () => {
      const own = rows.filter((row) => row.run === state.run && row.model === state.model && row.recipe === state.recipe);
      if (!own.length) return null;
      const traces = Object.entries(groups).filter(([group]) => own.some((row) => row.group === group)).map(([group, [name, fill, symbol]]) => {
        const part = own.filter((row) => row.group === group);
        return { type: "scatter", mode: "markers", name, y: part.map((r) => plain(trainName(r.train_set))), x: part.map((r) => r.difference), marker: { color: fill, size: 9, symbol: part.map((r) => (known(r.low) ? symbol : symbol + "-open")) },
          error_x: { type: "data", symmetric: false, array: part.map((r) => (known(r.high) ? r.high - r.difference : 0)), arrayminus: part.map((r) => (known(r.low) ? r.difference - r.low : 0)), color: fill, thickness: 1.5 },
          hovertext: part.map((r) => `${plain(trainName(r.train_set))}, ${name}<br>${signed(r.difference, 3)} nats per token` + (known(r.low) ? ` [${signed(r.low, 3)}, ${signed(r.high, 3)}]` : ", no interval") + `<br>${signed(r.first, 3)} in ${plain(first)}, ${signed(r.other, 3)} in ${plain(r.run)}<br>p ${pvalue(r.p)}, q ${pvalue(r.q)}; ${r.n_mentions} mentions in ${r.n_questions} questions`), hoverinfo: "text" };
      });
      const n = values("train_set", own).length, narrow = innerWidth < 700;
      return { traces, layout: { height: 170 + 34 * n, margin: { l: narrow ? 110 : 190, r: 20, t: 50, b: 50 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, scattermode: "group", xaxis: { title: { text: narrow ? "difference, nats per token" : "difference of the shifts of log-probability, nats per token" } }, yaxis: { autorange: "reversed" } },
        columns: Object.keys(own[0]), cells: own.map((row) => Object.values(row)) };
    };
    const [shown, redraw] = figure("terms", "Differences of the shifts of terms and placebo words between the runs", "term_shift", draw);
    section("terms", "Term shifts", make("p", { class: "soft" }, "How much more fine-tuning shifts these words than it does in " + first + ". Errors are clustered by question and by word; open symbols have too few of them for an interval."), shown);
    redraw();
  })();
  kit.finish();
})();
