// Exports: the filtered groups as CSV, and the drawn fit as SVG and PNG.
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}._+-]+/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const quoted = (cell) => {
  const string = cell === null || cell === undefined ? "" : String(cell);
  return /[",\r\n]/.test(string) ? `"${string.replaceAll('"', '""')}"` : string;
};

// Numbers have the six digits that the page holds.
function asCsv(shown) {
  const names = Object.keys(data.columns).filter((name) => name !== "histogram");
  const line = (cells) => cells.map(quoted).join(",");
  return [
    line([...data.keys, ...names]),
    ...shown.map((row) => line([...data.keys.map((key, i) => row["key" + i]), ...names.map((name) => row[name])])),
  ].join("\r\n") + "\r\n";
}

// An exported drawing is light, also if the page is dark.
function asSvg(row) {
  const ends = row.isFitted && reach(row);
  if (!ends) return null;
  const svg = drawn(row, ends, 560, LIGHT);
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("font-family", "system-ui, sans-serif");
  svg.setAttribute("font-size", "11");
  d3.select(svg).insert("title", ":first-child").text(row.name);
  return new XMLSerializer().serializeToString(svg);
}

async function asPng(svg) {
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
  await image.decode();
  const canvas = document.createElement("canvas"), scale = 3;
  [canvas.width, canvas.height] = [image.width * scale, image.height * scale];
  const context = canvas.getContext("2d");
  context.fillStyle = LIGHT.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

function startExports() {
  at("csv").addEventListener("click", () =>
    save(new Blob([asCsv(table.getData("active"))], { type: "text/csv" }), "fits.csv"));
  at("svg").addEventListener("click", () =>
    save(new Blob([asSvg(chosen)], { type: "image/svg+xml" }), `${chosen.name}.svg`));
  at("png").addEventListener("click", async () =>
    save(await asPng(asSvg(chosen)), `${chosen.name}.png`));
}
