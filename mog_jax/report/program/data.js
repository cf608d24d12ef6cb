"use strict";
// Shared by all parts of the page: the fits as rows, and the format of numbers.
let data, rows = [];
const at = (id) => document.getElementById(id);
const has = (name) => name in data.columns;
const FITTED = ["weight_1", "weight_2", "mean_1", "mean_2", "sd_1", "sd_2"];
const isModerate = (x) => Number.isFinite(x) && Math.abs(x) < 1e100;
const count = (n) => n === null ? "unknown" : n.toLocaleString("en");
const plainly = (word) => word.replaceAll("_", " ");

// The fits are compressed, which halves the size of a page of 50,000 groups.
async function unpacked() {
  const packed = Uint8Array.from(atob(at("data").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function read(found) {
  data = found;
  const { columns, keys, names } = data;
  rows = d3.range(columns.status.length).map((id) => {
    const row = { id };
    keys.forEach((key, index) => { row["key" + index] = names[index][id]; });
    for (const name in columns) row[name] = columns[name][id];
    row.name = names.map((column) => column[id]).join(", ");
    row.isFitted = FITTED.every((name) => Number.isFinite(row[name]));
    row.separation = (row.mean_2 - row.mean_1) / Math.sqrt((row.sd_1 ** 2 + row.sd_2 ** 2) / 2);
    // Values that are not finite, or nearly overflow, cannot be drawn.
    row.isDot = row.isFitted && isModerate(row.separation) && isModerate(row.delta_bic);
    return row;
  });
}

const figure = (value) => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  // Four digits, and no more decimals than a column has room for.
  return String(Number(value.toFixed(Math.min(4, Math.max(0, 3 - Math.floor(Math.log10(size || 1)))))));
};
const isThere = (row, name) => row[name] !== null && row[name] !== undefined;
const precise = (row, value, error) => isThere(row, value)
  ? figure(row[value]) + (isThere(row, error) ? ` ± ${Number(row[error].toPrecision(2))}` : "") : "";

// Name of the values: in a wide table each group is a column.
const axisTitle = (row) => data.value ?? row["key" + (data.keys.length - 1)];
