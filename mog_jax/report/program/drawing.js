// Draws one fit. Colours are Okabe and Ito's palette for colour-blind readers.
const LIGHT = {
  ink: "#1b1b1b", faint: "#6b6b6b", low: "#0072B2", high: "#D55E00", cut: "#009E73", bars: "#d9d9d9", paper: "#ffffff",
};
const DARK = {
  ink: "#ececec", faint: "#a9a9a9", low: "#56B4E9", high: "#E69F00", cut: "#2fc492", bars: "#4d5156", paper: "#17191c",
};
const isDark = window.matchMedia("(prefers-color-scheme: dark)");
const colours = () => isDark.matches ? DARK : LIGHT;
const DASHES = { low: "6,3", high: "8,3,2,3" };

const density = (x, k, row) => row["weight_" + k]
  * Math.exp(-0.5 * ((x - row["mean_" + k]) / row["sd_" + k]) ** 2)
  / (row["sd_" + k] * Math.sqrt(2 * Math.PI));

function bars(row) {
  if (!row.histogram) return [];
  const heights = row.histogram.match(/../g).map((pair) => parseInt(pair, 16));
  // Fewer points, wider bars: the rule of Freedman and Diaconis allows about 2 n^(1/3) of them.
  const join = [4, 2, 1].find((m) => m === 1 || heights.length / m >= 2.2 * Math.cbrt(row.n_points));
  const width = (row.highest - row.lowest) / heights.length;
  // What lies beyond a limit, or was never recorded, is no part of the bars.
  const share = (1 - d3.sum([row.n_below, row.n_above]) / row.n_points) * recorded(row);
  const total = d3.sum(heights) * width / share;
  return d3.range(0, heights.length, join).map((i) => ({
    x1: row.lowest + i * width, x2: row.lowest + (i + join) * width,
    y: d3.sum(heights.slice(i, i + join)) / (join * total),
  }));
}

// Probability below x of a standard normal, to seven digits (Abramowitz and Stegun 7.1.26).
function below(x) {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI) * t * (0.31938153 + t * (-0.356563782
    + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x < 0 ? tail : 1 - tail;
}

// Gives the share of all values that a window lets be recorded.
function recorded(row) {
  if (!data.window) return 1;
  const [low, high] = data.window.map((end) => d3.sum([1, 2], (k) => end === null ? NaN
    : row["weight_" + k] * below((end - row["mean_" + k]) / row["sd_" + k])));
  return (data.window[1] === null ? 1 : high) - (data.window[0] === null ? 0 : low);
}

// Gives bars beside the range for what lies somewhere beyond a limit.
function beyond(row) {
  if (!row.histogram) return [];
  const width = 0.06 * (row.highest - row.lowest);
  return [[row.n_below, row.lowest - width], [row.n_above, row.highest]].filter(([n]) => n > 0)
    .map(([n, x1]) => ({ x1, x2: x1 + width, y: n / row.n_points * recorded(row) / width }));
}

// Gives where to draw from and to; null where a browser's axis has no numbers for it.
function reach(row) {
  const around = [1, 2].flatMap((k) => [-4, 4].map((z) => row["mean_" + k] + z * row["sd_" + k]));
  const seen = beyond(row).flatMap((bar) => [bar.x1, bar.x2]);
  const ends = d3.extent(row.histogram ? [row.lowest, row.highest, ...seen] : around);
  const margin = 0.04 * (ends[1] - ends[0]);
  const [from, to] = [ends[0] - margin, ends[1] + margin];
  const width = to - from, smallest = Math.max(Math.abs(from), Math.abs(to)) * 1e-12;
  return width > Math.max(smallest, 1e-200) && width < 1e200 ? [from, to] : null;
}

function drawn(row, [from, to], width, paint) {
  // A narrow component could fall between two points of the grid.
  const grid = d3.ticks(from, to, 300).concat(...[1, 2].map((k) =>
    d3.range(-5, 5.01, 0.1).map((z) => row["mean_" + k] + z * row["sd_" + k])))
    .filter((x) => x >= from && x <= to).sort(d3.ascending);
  const line = (f, options) => Plot.line(grid, { x: (x) => x, y: f, strokeWidth: 2, ...options });
  const seen = bars(row), censored = beyond(row);
  // One that holds much runs out of the picture rather than flattening all the rest.
  const most = 2 * d3.max(seen, (bar) => bar.y) || Infinity;
  const marks = [
    Plot.rectY(seen, { x1: "x1", x2: "x2", y: "y", fill: paint.bars, insetLeft: 0.5 }),
    Plot.rectY(censored, { x1: "x1", x2: "x2", y: (bar) => Math.min(bar.y, most),
      fill: "url(#beyond)", stroke: paint.faint }),
    line((x) => density(x, 1, row) + density(x, 2, row), { stroke: paint.ink, strokeWidth: 2.4 }),
    line((x) => density(x, 1, row), { stroke: paint.low, strokeDasharray: DASHES.low }),
    line((x) => density(x, 2, row), { stroke: paint.high, strokeDasharray: DASHES.high }),
    Plot.ruleY([0]),
  ];
  const legend = [
    ...(row.histogram ? [{ text: "data", fill: paint.bars }] : []),
    ...(censored.length ? [{ text: "beyond a limit", fill: "url(#beyond)" }] : []),
    { text: "sum", stroke: paint.ink, width: 2.4 },
    { text: `lower, weight ${figure(row.weight_1)}`, stroke: paint.low, dash: DASHES.low },
    { text: `upper, weight ${figure(row.weight_2)}`, stroke: paint.high, dash: DASHES.high },
  ];
  if (isThere(row, "threshold") && from <= row.threshold && row.threshold <= to) {
    const [t, half] = [row.threshold, 1.96 * row.threshold_se];
    if (half) marks.unshift(Plot.rectX([t], { x1: Math.max(t - half, from),
      x2: Math.min(t + half, to), fill: paint.cut, fillOpacity: 0.2 }));
    marks.push(Plot.ruleX([t], { stroke: paint.cut, strokeWidth: 1.8 }));
    const known = half ? ` ± ${Number(half.toPrecision(2))} (95 %)` : "";
    legend.push({ text: `threshold ${Number(t.toPrecision(4))}${known}`, stroke: paint.cut, width: 1.8 });
  }
  const items = laidOut(legend, width), top = items.at(-1).y + 23;
  const svg = Plot.plot({
    width, height: 252 + top, marginTop: top, marginLeft: 56, marginBottom: 42, marks,
    style: { color: paint.ink, background: paint.paper },
    x: { label: axisTitle(row), labelAnchor: "center", labelArrow: "none", domain: [from, to] },
    y: { label: null, ticks: 5, nice: true },
  });
  if (censored.length) hatch(svg, paint);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `The fit of ${row.name}`);
  d3.select(svg).append("text").attr("transform", `translate(12 ${105 + top}) rotate(-90)`)
    .attr("text-anchor", "middle").attr("fill", paint.ink).text("density");
  drawLegend(svg, items, paint);
  return svg;
}

function hatch(svg, paint) {
  const pattern = d3.select(svg).insert("defs", ":first-child").append("pattern").attr("id", "beyond")
    .attr("patternUnits", "userSpaceOnUse").attr("width", 5).attr("height", 5);
  pattern.append("path").attr("d", "M-1,1l2,-2M0,5l5,-5M4,6l2,-2").attr("stroke", paint.faint);
}

// Gives each item its place, in as many lines as the width asks for.
function laidOut(items, width) {
  let [x, y] = [8, 10];
  return items.map((item) => {
    const length = 40 + 6.2 * item.text.length;
    if (x + length > width && x > 8) [x, y] = [8, y + 15];
    const placed = { ...item, x, y };
    x += length;
    return placed;
  });
}

function drawLegend(svg, items, paint) {
  const legend = d3.select(svg).append("g").attr("font-size", 11).attr("text-anchor", "start");
  for (const { x, y, text, fill, stroke, dash, width = 2 } of items) {
    const item = legend.append("g").attr("transform", `translate(${x} ${y})`);
    if (fill) item.append("rect").attr("y", -5).attr("width", 24).attr("height", 9).attr("fill", fill);
    else item.append("line").attr("x2", 24).attr("stroke", stroke).attr("stroke-width", width)
      .attr("stroke-dasharray", dash ?? null);
    item.append("text").attr("x", 29).attr("dy", "0.32em").attr("fill", paint.ink).text(text);
  }
}
