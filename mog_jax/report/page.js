"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { columns, keys, names } = data;
const has = (name) => name in columns;
const at = (id) => document.getElementById(id);
const LOW = "#0072B2", HIGH = "#D55E00";
const FITTED = ["weight_1", "weight_2", "mean_1", "mean_2", "sd_1", "sd_2"];
const isModerate = (x) => Number.isFinite(x) && Math.abs(x) < 1e100;
const count = (n) => n === null ? "unknown" : n.toLocaleString("en");

const rows = d3.range(columns.status.length).map((id) => {
  const row = { id };
  keys.forEach((key, index) => { row["key" + index] = names[index][id]; });
  for (const name in columns) row[name] = columns[name][id];
  row.name = names.map((column) => column[id]).join(", ");
  row.isFitted = FITTED.every((name) => Number.isFinite(row[name]));
  row.separation = (row.mean_2 - row.mean_1) / Math.sqrt((row.sd_1 ** 2 + row.sd_2 ** 2) / 2);
  // A drawing has no place for what is not finite, or nearly so.
  row.isDot = row.isFitted && isModerate(row.separation) && isModerate(row.delta_bic);
  return row;
});

// ---- summary
const statuses = Object.entries(data.statuses);
at("summary").textContent = `${count(data.total)} groups: `
  + statuses.map(([status, n]) => `${count(n)} ${status.replaceAll("_", " ")}`).join(", ") + "."
  + (has("delta_bic") && data.two ? ` BIC favours two components in ${count(data.two)}.` : "")
  + (rows.length < data.total
    ? ` On this page: the ${count(rows.length)} groups with the highest ΔBIC.` : "");
at("settings").textContent = Object.entries(data.settings).map(([k, v]) => `${k} ${v}`).join(" · ");

// ---- table
const figure = (value) => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  // Four digits, and no more decimals than a column has room for.
  return String(Number(value.toFixed(Math.min(4, Math.max(0, 3 - Math.floor(Math.log10(size || 1)))))));
};
// The table library takes titles and texts for HTML; a name may be any text, so it gets elements.
const text = (string) => {
  const span = document.createElement("span");
  span.textContent = string;
  return span;
};
const plain = (cell) => text(cell.getValue());
const number = (cell) => {
  const value = cell.getValue();
  return text(value === null || value === undefined ? "" : figure(value));
};
const words = (cell) => text(cell.getValue().replaceAll("_", " "));
const numeric = (title, field, tip) => ({
  title, field, formatter: number, sorter: "number", hozAlign: "right", headerHozAlign: "right",
  headerTooltip: tip, headerSortStartingDir: "desc", minWidth: Math.max(64, 22 + 7 * title.length), sorterParams: { alignEmptyValues: "bottom" },
});
const shown = [
  ...keys.map((key, index) => ({
    title: key || "\u00a0", field: "key" + index, formatter: plain, sorter: "alphanum", frozen: index === 0,
    minWidth: 90,
  })),
  numeric("points", "n_points", "points used"),
  numeric("ΔBIC", "delta_bic", "BIC of one component minus BIC of two: positive favours two"),
  numeric("threshold", "threshold", "where the responsibilities cross one half"),
  numeric("weight 2", "weight_2", "weight of the upper component"),
  numeric("mean 1", "mean_1", "mean of the lower component"),
  numeric("mean 2", "mean_2", "mean of the upper component"),
  numeric("sd 1", "sd_1", "standard deviation of the lower component"),
  numeric("sd 2", "sd_2", "standard deviation of the upper component"),
  { title: "status", field: "status", sorter: "string", minWidth: 90,
    formatter: words },
].filter(({ field }) => field.startsWith("key") || has(field));
const table = new Tabulator("#table", {
  data: rows, columns: shown, height: "calc(100vh - 170px)", layout: "fitColumns",
  selectableRows: 1, columnDefaults: { resizable: false, minWidth: 62, titleFormatter: plain },
  placeholder: "No such group",
});
const select = (id) => { table.deselectRow(); table.selectRow(id); show(rows[id]); };
table.on("rowClick", (event, row) => select(row.getData().id));
table.on("dataFiltered", (filters, found) => {
  at("found").textContent = filters.length ? `${count(found.length)} of ${count(rows.length)}` : "";
});
table.on("tableBuilt", () => {
  const first = rows.find((row) => row.isFitted);
  if (first) select(first.id);
  document.body.dataset.ready = "true";
});

statuses.forEach(([status]) => at("status").append(new Option(status.replaceAll("_", " "), status)));
const filter = () => {
  const wanted = at("search").value.trim().toLowerCase(), status = at("status").value;
  if (!wanted && !status) { table.clearFilter(); return; }
  table.setFilter((row) => row.name.toLowerCase().includes(wanted)
    && (!status || row.status === status));
};
at("search").addEventListener("input", filter);
at("status").addEventListener("change", filter);

// ---- one fit
const density = (x, k, row) => row["weight_" + k]
  * Math.exp(-0.5 * ((x - row["mean_" + k]) / row["sd_" + k]) ** 2)
  / (row["sd_" + k] * Math.sqrt(2 * Math.PI));
function bars(row) {
  if (!row.histogram) return [];
  const heights = row.histogram.match(/../g).map((pair) => parseInt(pair, 16));
  // Fewer points, wider bars: the rule of Freedman and Diaconis allows about 2 n^(1/3) of them.
  const join = [4, 2, 1].find((m) => m === 1 || heights.length / m >= 2.2 * Math.cbrt(row.n_points));
  const width = (row.highest - row.lowest) / heights.length, total = d3.sum(heights) * width;
  return d3.range(0, heights.length, join).map((i) => ({
    x1: row.lowest + i * width, x2: row.lowest + (i + join) * width,
    y: d3.sum(heights.slice(i, i + join)) / (join * total),
  }));
}
function show(row) {
  at("name").textContent = row.name;
  at("numbers").replaceChildren();
  mark(row);
  const status = row.status.replaceAll("_", " ");
  if (!row.isFitted) {
    at("fit").textContent = `No fit: ${status}, ${count(row.n_points)} points.`;
    at("about").textContent = "";
    return;
  }
  const found = (name) => row[name] !== null && row[name] !== undefined;
  const precise = (value, error) => found(value)
    ? figure(row[value]) + (found(error) ? ` ± ${Number(row[error].toPrecision(2))}` : "") : "";
  at("about").textContent = [
    `${count(row.n_points)} points`,
    found("delta_bic") && `ΔBIC ${figure(row.delta_bic)}`,
    found("threshold") && `threshold ${precise("threshold", "threshold_se")}`,
    status,
  ].filter(Boolean).join(" · ");
  const reach = [1, 2].flatMap((k) => [-4, 4].map((z) => row["mean_" + k] + z * row["sd_" + k]));
  const ends = row.histogram ? [row.lowest, row.highest] : d3.extent(reach);
  const margin = 0.04 * (ends[1] - ends[0]);
  const [from, to] = [ends[0] - margin, ends[1] + margin];
  // A browser's axis needs a width that its numbers can tell from nothing, and from infinity.
  const width = to - from, reachable = Math.max(Math.abs(from), Math.abs(to)) * 1e-12;
  if (!(width > Math.max(reachable, 1e-200) && width < 1e200)) {
    at("fit").textContent = "The values lie too close together, or too far apart, to be drawn.";
    return;
  }
  // A narrow component must not fall between two points of the grid.
  const grid = d3.ticks(from, to, 300).concat(...[1, 2].map((k) =>
    d3.range(-5, 5.01, 0.1).map((z) => row["mean_" + k] + z * row["sd_" + k])))
    .filter((x) => x >= from && x <= to).sort(d3.ascending);
  const line = (f, options) => Plot.line(grid, { x: (x) => x, y: f, strokeWidth: 2, ...options });
  const marks = [
    Plot.rectY(bars(row), { x1: "x1", x2: "x2", y: "y", fill: "#d9d9d9", insetLeft: 0.5 }),
    line((x) => density(x, 1, row) + density(x, 2, row), { stroke: "#555", strokeWidth: 1.2 }),
    line((x) => density(x, 1, row), { stroke: LOW, strokeDasharray: "6,3" }),
    line((x) => density(x, 2, row), { stroke: HIGH, strokeDasharray: "8,3,2,3" }),
    Plot.ruleY([0]),
  ];
  if (found("threshold") && from <= row.threshold && row.threshold <= to) {
    const [t, se] = [row.threshold, row.threshold_se];
    if (se) marks.unshift(Plot.rectX([t], { x1: Math.max(t - 1.96 * se, from),
      x2: Math.min(t + 1.96 * se, to), fill: "#009E73", fillOpacity: 0.15 }));
    marks.push(Plot.ruleX([t], { stroke: "#009E73", strokeWidth: 1.5 }));
    marks.push(Plot.text([t], { x: (x) => x, frameAnchor: "top", dy: -14, fill: "#00684c",
      text: () => `threshold ${Number(t.toPrecision(4))}` }));
  }
  at("fit").replaceChildren(Plot.plot({
    width: 460, height: 280, marginTop: 26, marginLeft: 56, marks,
    x: { label: null, domain: [from, to] },
    y: { label: "density", ticks: 5, nice: true },
  }));
  const cells = [["± standard error", "weight", "mean", "sd"], ...[1, 2].map((k) => [
    k === 1 ? "lower" : "upper",
    precise("weight_" + k, "weight_se"), precise("mean_" + k, `mean_${k}_se`),
    precise("sd_" + k, `sd_${k}_se`)])];
  cells.forEach((line, index) => {
    const tr = at("numbers").insertRow();
    line.forEach((text, column) => {
      const cell = document.createElement(index ? "td" : "th");
      cell.textContent = text;
      if (index && !column) cell.style.color = index === 1 ? LOW : HIGH;
      tr.append(cell);
    });
  });
}

// ---- all groups
const known = rows.filter((row) => row.isDot);
// More dots than a browser moves lightly: then every second one in the order of ΔBIC, or fewer.
const every = Math.ceil(known.length / 4000);
const dots = known.filter((row, index) => index % every === 0);
if (every > 1) at("drawn").textContent = `Drawn are ${count(dots.length)} of ${count(known.length)}.`;
const [low, high] = d3.extent(dots, (row) => row.delta_bic);
const overview = Plot.plot({
  width: 460, height: 260, marginLeft: 56,
  x: { label: "separation (standard deviations) →", type: "symlog" },
  y: { label: "↑ ΔBIC", type: "symlog", tickFormat: "~s",
    ticks: [-1e3, -100, -10, -3, 0, 3, 10, 30, 100, 1e3, 1e4, 1e5, 1e6].filter((t) => t >= low && t <= high) },
  marks: [
    Plot.ruleY([0], { stroke: "#999" }),
    Plot.dot(dots, { x: "separation", y: "delta_bic", fill: LOW,
      r: dots.length > 1000 ? 1.6 : 3, fillOpacity: dots.length > 1000 ? 0.35 : 0.45,
      title: (row) => row.name }),
  ],
});
d3.select(overview).selectAll("circle").on("click", (event, index) => {
  const row = dots[index];
  select(row.id);
  table.scrollToRow(row.id, "center", false).catch(() => {});
});
at("overview").append(overview);
// The chosen group wears a ring.
const ring = d3.select(overview).append("circle").attr("class", "ring").attr("r", 6).attr("fill", "none")
  .attr("stroke", "#1b1b1b").attr("stroke-width", 1.6).attr("visibility", "hidden")
  .attr("pointer-events", "none");
function mark(row) {
  ring.attr("visibility", row.isDot ? "visible" : "hidden");
  if (!row.isDot) return;
  ring.attr("cx", overview.scale("x").apply(row.separation))
    .attr("cy", overview.scale("y").apply(row.delta_bic));
}
