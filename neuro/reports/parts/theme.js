"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const CONFIG = { responsive: true, displaylogo: false, plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d"],
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false };  // where nothing hovers it would always cover figures
const BRIGHTER = { "#0072B2": "#56B4E9", "#666666": "#a3adb9" };  // in the dark
const drawn = [];

/** Give a layout the colours of the page as it is now. */
function themed(layout) {
  const now = getComputedStyle(document.documentElement);
  const colour = (name) => now.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"), automargin: true };
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("--ink"), family: "system-ui, sans-serif" },
    margin: { l: 50, r: 20, t: 20, b: 45 }, height: 360, legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    hoverlabel: { align: "left", bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    ...layout,
  };
  base.xaxis = { ...axis, ...(layout.xaxis || {}) };
  base.yaxis = { ...axis, ...(layout.yaxis || {}) };
  base.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("--soft"), activecolor: colour("--ink") };
  if (layout.shapes) base.shapes = layout.shapes.map((s) => ({ ...s, line: { ...s.line, color: colour("--line") } }));
  return base;
}

const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";

/** Draw a figure, and again whenever the theme changes. */
function draw(id, make) {
  const place = document.getElementById(id);
  const again = () => {
    const figure = make();
    const text = JSON.stringify(figure.data);
    const bright = () => Object.entries(BRIGHTER).reduce((told, [from, to]) => told.replaceAll(from, to), text);
    const data = isDark() ? JSON.parse(bright()) : figure.data;
    return Plotly.react(place, data, themed(figure.layout), CONFIG);
  };
  drawn.push(again);
  again();
  return place;
}

function redraw() { drawn.forEach((again) => again()); }

document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", redraw);
addEventListener("afterprint", redraw);
