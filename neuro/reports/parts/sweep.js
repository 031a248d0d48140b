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
const shown = (v) => (v === null ? "unknown" : typeof v === "number" ? String(+v.toPrecision(4)) : v);

const differs = (name) => new Set(TABLE.rows.map((row) => value(row, name))).size > 1;
const AXES = [...TABLE.keys, ...TABLE.figures.slice(0, 8)].filter(differs);
const SHOWN = TABLE.columns.filter((name) => name !== "reason" || differs(name));

function kept() {
  return TABLE.rows.filter((row) =>
    Object.entries(chosen).every(([key, wanted]) => String(value(row, key)) === wanted) &&
    Object.entries(brushed).every(([name, ranges]) => {
      const v = scaled(name, value(row, name));
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
  const points = chips.map((chip, i) => {
    const some = rows.filter((row) => value(row, "chip") === chip);
    return { type: "scatter", mode: "markers", name: escaped(chip), customdata: some.map((row) => value(row, "run")),
      marker: { color: COLOURS[i % 7], symbol: SYMBOLS[i % 7], size: 9, opacity: 0.75 },
      x: some.map((row) => scaled(x, value(row, x))), y: some.map((row) => scaled(y, value(row, y))),
      text: some.map((row) => escaped(TABLE.keys.map((key) => `${key} ${shown(value(row, key))}`).join(", "))),
      hovertemplate: "%{text}<br>%{x:.4g}, %{y:.4g}<br>%{customdata}<extra></extra>" };
  });
  const title = (name) => ({ title: { text: TABLE.labels[name] } });
  return { data: [line, ...points], layout: { xaxis: title(x), yaxis: title(y), height: 440, hovermode: "closest" } };
}

/** Plotly reads a little HTML in its texts: names from runs must not be any. */
function escaped(text) { return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"); }

function parallelFigure() {
  const rows = TABLE.rows.filter((row) => value(row, "state") === "complete");
  const dimensions = AXES.map((name) => {
    const values = rows.map((row) => scaled(name, value(row, name)));
    const label = escaped(TABLE.labels[name].replace("task.", "").replace("chip.", "").replace("populations.", ""));
    const range = brushed[name] ? { constraintrange: brushed[name] } : {};
    if (values.every((v) => typeof v === "number")) return { label, values, ...range };
    const texts = [...new Set(values.map(String))];
    return { label, values: values.map((v) => texts.indexOf(String(v))), tickvals: texts.map((_, i) => i), ticktext: texts.map(escaped) };
  });
  const accuracy = rows.map((row) => scaled("test_accuracy", value(row, "test_accuracy")));
  const line = { color: accuracy, colorscale: "Cividis", showscale: true, colorbar: { title: { text: "test (%)" }, thickness: 12 } };
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const fonts = { labelfont: { color: ink, size: 11 }, tickfont: { color: ink }, rangefont: { color: "rgba(0,0,0,0)" } };
  return { data: [{ type: "parcoords", dimensions, line, labelangle: -18, labelside: "top", ...fonts }],
    layout: { height: 420, margin: { l: 60, r: 30, t: 90, b: 20 } } };
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
      cell.textContent = name === "reason" && !value(row, name) ? "" : shown(scaled(name, value(row, name)));
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
    .map((name) => `${TABLE.labels[name]}: ${shown(scaled(name, value(row, name)))}`).join(" · ");
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
