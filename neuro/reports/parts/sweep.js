"use strict";
const TABLE = DATA.table;
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#888888"];
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x"];
const COLUMN = Object.fromEntries(TABLE.columns.map((name, i) => [name, i]));
const value = (row, name) => row[COLUMN[name]];
const element = (id) => document.getElementById(id);
const chosen = {};      // filters: key -> value wanted, absent = all
const brushed = {};     // ranges kept on the parallel axes: column -> [low, high] pairs
const inAccuracy = (name) => name.endsWith("accuracy");
const scaled = (name, v) => (v === null ? null : inAccuracy(name) ? 100 * v : v);
const WHOLE = new Set(TABLE.columns.filter((name) => TABLE.rows.every((row) => Number.isInteger(value(row, name) ?? 0))));
const SCALES = {         // of accuracy in the lines of the parallel axes: each end stands out from the paper
  light: [[0, "#d4740e"], [0.5, "#7a6fae"], [1, "#2d004b"]],
  dark: [[0, "#8080e0"], [0.5, "#cf8a9c"], [1, "#ffe945"]],
};

/** A value as text, each column in one form: accuracies with two decimals, other measures with four digits. */
function shown(name, v) {
  if (v === null) return "unknown";
  if (typeof v !== "number") return v;
  if (inAccuracy(name)) return v.toFixed(2);
  if (TABLE.keys.includes(name)) return String(v);
  if (WHOLE.has(name)) return v.toLocaleString("en");
  if (v !== 0 && Math.abs(v) < 1e-3) return v.toExponential(2);
  return Math.abs(v) < 1000 ? v.toPrecision(4) : Math.round(v).toLocaleString("en");
}

/** A run's chip, with what it is where it is not the real one. */
function chipOf(row) {
  const standing = value(row, "chip_is");
  return standing === TABLE.real ? value(row, "chip") : `${value(row, "chip")} (${standing})`;
}

const differs = (name) => new Set(TABLE.rows.map((row) => value(row, name))).size > 1;
const CHOICES = TABLE.keys.filter((key) => !["chip", "chip_is"].includes(key));
const AXES = [...TABLE.keys, ...TABLE.figures.slice(0, 8)].filter((name) => differs(name) && name !== "chip_is");
const told = (name, row) => (name === "chip" ? chipOf(row) : scaled(name, value(row, name)));
const COMPLETE = TABLE.rows.filter((row) => value(row, "state") === "complete");
const TEXTS = {};        // the values of axes that hold texts
for (const name of AXES) {
  const values = COMPLETE.map((row) => told(name, row));
  if (!values.every((v) => typeof v === "number")) TEXTS[name] = [...new Set(values.map(String))];
}
const SHOWN = TABLE.columns.filter((name) => name !== "reason" || differs(name));

/** Where a row stands on an axis: its number, or that of its text. */
function place(name, row) {
  const v = told(name, row);
  return TEXTS[name] ? TEXTS[name].indexOf(String(v)) : v;
}

function kept() {
  return TABLE.rows.filter((row) =>
    Object.entries(chosen).every(([key, wanted]) => String(value(row, key)) === wanted) &&
    Object.entries(brushed).every(([name, ranges]) => {
      const v = place(name, row);
      return v !== null && ranges.some(([low, high]) => v >= low && v <= high);
    }));
}

/** The rows that no other beats in both columns, along x. */
function front(rows, x, y) {
  const sign = (name) => (TABLE.more.includes(name) ? -1 : 1);
  const sorted = rows.slice().sort((a, b) =>
    sign(x) * (value(a, x) - value(b, x)) || sign(y) * (value(a, y) - value(b, y)));
  const best = [];
  let least = Infinity, at = null;
  for (const row of sorted) {
    const height = sign(y) * value(row, y);
    if (height < least || (height === least && value(row, x) === at)) { best.push(row); least = height; at = value(row, x); }
  }
  return best.sort((a, b) => value(a, x) - value(b, x));
}

function frontFigure() {
  const x = element("x").value, y = element("y").value;
  const rows = kept().filter((row) => value(row, "state") === "complete" && value(row, x) !== null && value(row, y) !== null);
  const along = front(rows, x, y);
  const line = { type: "scatter", mode: "lines", name: "front", hoverinfo: "skip", line: { color: "#888888" },
    x: along.map((row) => scaled(x, value(row, x))), y: along.map((row) => scaled(y, value(row, y))) };
  const chips = [...new Set(rows.map((row) => value(row, "chip")))];
  const points = [...new Set(rows.map(chipOf))].map((chip) => {
    const some = rows.filter((row) => chipOf(row) === chip);
    const i = chips.indexOf(value(some[0], "chip"));
    const hollow = value(some[0], "chip_is") === TABLE.not_real;
    const symbol = SYMBOLS[i % 7] + (hollow ? "-open" : "");
    return { type: "scatter", mode: "markers", name: escaped(chip), customdata: some.map((row) => value(row, "run")),
      marker: { color: COLOURS[i % 7], symbol, size: 9, opacity: 0.85, line: { width: hollow ? 2 : 0 } },
      x: some.map((row) => scaled(x, value(row, x))), y: some.map((row) => scaled(y, value(row, y))),
      text: some.map((row) => [chipOf(row), ...CHOICES.map((key) => `${key} ${shown(key, value(row, key))}`)].map(escaped).join(", ")
        + `<br>${[x, y].map((name) => `${TABLE.labels[name]} ${shown(name, scaled(name, value(row, name)))}`).join(", ")}`),
      hovertemplate: "%{text}<br>%{customdata}<extra></extra>" };
  });
  const title = (name) => ({ title: { text: TABLE.labels[name] } });
  return { data: [line, ...points], layout: { xaxis: title(x), yaxis: title(y), height: 440, hovermode: "closest" } };
}

/** Plotly reads a little HTML in its texts: names from runs must not be any. */
function escaped(text) { return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"); }

function parallelFigure() {
  const dimensions = AXES.map((name) => {
    const values = COMPLETE.map((row) => place(name, row));
    const label = escaped(TABLE.labels[name].replace("task.", "").replace("chip.", "").replace("populations.", ""));
    const range = brushed[name] ? { constraintrange: brushed[name] } : {};
    if (TEXTS[name]) return { label, values, ...range, tickvals: TEXTS[name].map((_, i) => i), ticktext: TEXTS[name].map(escaped) };
    const ticks = [...new Set(values)];
    return { label, values, ...range, ...(TABLE.keys.includes(name) && ticks.length <= 12 ? { tickvals: ticks } : {}) };
  });
  const left = Math.max(8, ...(TEXTS[AXES[0]] || []).map((text) => text.length));
  const accuracy = COMPLETE.map((row) => scaled("test_accuracy", value(row, "test_accuracy")));
  const line = { color: accuracy, colorscale: SCALES[isDark() ? "dark" : "light"], showscale: true,
    colorbar: { title: { text: "test (%)" }, thickness: 12 } };
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const fonts = { labelfont: { color: ink, size: 11 }, tickfont: { color: ink }, rangefont: { color: "rgba(0,0,0,0)" } };
  return { data: [{ type: "parcoords", dimensions, line, labelangle: -18, labelside: "top", ...fonts }],
    layout: { height: 420, margin: { l: 20 + 6 * left, r: 30, t: 90, b: 20 } } };
}

/** Take over the ranges somebody dragged. */
function brush(event) {
  for (const [path, ranges] of Object.entries(event[0])) {
    const match = path.match(/^dimensions\[(\d+)\]\.constraintrange/);
    if (!match) continue;
    const name = AXES[Number(match[1])];
    const range = ranges && ranges[0];
    if (!range) delete brushed[name];
    else brushed[name] = Array.isArray(range[0]) ? range : [range];
  }
  update(false);
}

function fillTable() {
  const body = element("runs").tBodies[0];
  const rows = kept();
  body.replaceChildren(...rows.map((row) => {
    const line = document.createElement("tr");
    line.dataset.run = value(row, "run");
    for (const name of SHOWN) {
      const cell = line.insertCell();
      cell.textContent = name === "reason" && !value(row, name) ? "" : shown(name, scaled(name, value(row, name)));
      cell.className = typeof value(row, name) === "number" ? "number" : name;
    }
    line.addEventListener("click", () => select(value(row, "run")));
    return line;
  }));
  element("count").textContent = `${rows.length} of ${TABLE.rows.length} runs`;
}

/** Show one run: its figures, its folder, and how to look into it. */
function select(run) {
  const row = TABLE.rows.find((r) => value(r, "run") === run);
  const detail = element("detail");
  const link = document.createElement("a");
  link.href = TABLE.reports.includes(run) ? `${run}/report.html` : `${run}/`;
  link.textContent = run;
  const list = document.createElement("p");
  list.textContent = TABLE.columns.filter((name) => !["run", "reason"].includes(name) || (name === "reason" && value(row, name)))
    .map((name) => `${TABLE.labels[name]}: ${shown(name, scaled(name, value(row, name)))}`).join(" · ");
  const command = document.createElement("code");
  command.textContent = `neuro report ${TABLE.folder}/${run}`;
  detail.replaceChildren(link, list, command);
  detail.hidden = false;
  for (const line of element("runs").tBodies[0].rows) line.classList.toggle("chosen", line.dataset.run === run);
}

function update(all) {
  fillTable();
  if (all) redraw();
  else drawn[0]();
}

function fillControls() {
  const head = element("runs").createTHead().insertRow();
  for (const name of SHOWN) {
    const heading = Object.assign(document.createElement("th"), { textContent: TABLE.labels[name] });
    if (TABLE.rows.some((row) => typeof value(row, name) === "number")) heading.className = "number";
    head.appendChild(heading);
  }
  for (const [id, first] of [["x", "slots_mean"], ["y", "test_accuracy"]]) {
    for (const name of TABLE.figures) element(id).add(new Option(TABLE.labels[name], name, false, name === first));
    element(id).addEventListener("change", () => drawn[0]());
  }
  for (const key of ["state", ...TABLE.keys]) {
    const values = [...new Set(TABLE.rows.map((row) => String(value(row, key))))];
    if (values.length < 2 || values.length > 40) continue;
    const label = Object.assign(document.createElement("label"), { textContent: `${key} ` });
    const select = document.createElement("select");
    select.dataset.key = key;
    select.add(new Option("all", ""));
    for (const v of values) select.add(new Option(v, v));
    select.addEventListener("change", () => {
      if (select.value === "") delete chosen[key];
      else chosen[key] = select.value;
      update(false);
    });
    label.appendChild(select);
    element("filters").append(label, " ");
  }
}

if (TABLE.figures.length) {
  fillControls();
  draw("front", frontFigure).on("plotly_click", (event) => { const run = event.points[0].customdata; if (run) select(run); });
  draw("parallel", parallelFigure).on("plotly_restyle", brush);
}
fillTable();
document.documentElement.dataset.ready = "yes";
