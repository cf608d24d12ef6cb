// The page: a summary, the selected group, and the links between the parts.
let chosen = null;
const roomOf = (id) => Math.max(280, Math.min(460, at(id).clientWidth || 460));

function summarise() {
  const statuses = Object.entries(data.statuses);
  at("summary").textContent = `${count(data.total)} groups: `
    + statuses.map(([status, n]) => `${count(n)} ${plainly(status)}`).join(", ") + "."
    + (has("delta_bic") && data.two ? ` BIC favours two components in ${count(data.two)}.` : "")
    + (rows.length < data.total
      ? ` On this page: the ${count(rows.length)} groups with the highest ΔBIC.` : "");
  at("settings").textContent = Object.entries(data.settings).map(([k, v]) => `${k} ${v}`).join(" · ");
}

function select(id, { scroll = false } = {}) {
  table.deselectRow();
  table.selectRow(id);
  show(rows[id]);
  if (scroll) table.scrollToRow(id, "nearest", false).catch(() => {});
  // The address of the page now leads to this group.
  history.replaceState(null, "", "#" + encodeURIComponent(rows[id].name.toWellFormed()));
}

function show(row) {
  chosen = row;
  at("name").textContent = row.name;
  at("numbers").replaceChildren();
  mark(row);
  const status = plainly(row.status), ends = row.isFitted && reach(row);
  at("svg").disabled = at("png").disabled = !ends;
  at("about").textContent = "";
  if (!row.isFitted) {
    at("fit").textContent = `No fit: ${status}, ${count(row.n_points)} points.`;
    return;
  }
  at("about").textContent = [
    `${count(row.n_points)} points`,
    isThere(row, "delta_bic") && `ΔBIC ${figure(row.delta_bic)}`,
    isThere(row, "threshold") && `threshold ${precise(row, "threshold", "threshold_se")}`,
    isThere(row, "q_value") && `q ${figure(row.q_value)}`,
    status,
  ].filter(Boolean).join(" · ");
  if (!ends) {
    at("fit").textContent = "The values lie too close together, or too far apart, to be drawn.";
    return;
  }
  at("fit").replaceChildren(drawn(row, ends, roomOf("fit"), colours()));
  writeNumbers(row);
}

function writeNumbers(row) {
  const lines = [["± s.e.", "weight", "mean", "sd"], ...[1, 2].map((k) => [
    k === 1 ? "lower" : "upper", precise(row, "weight_" + k, "weight_se"),
    precise(row, "mean_" + k, `mean_${k}_se`), precise(row, "sd_" + k, `sd_${k}_se`)])];
  lines.forEach((line, index) => {
    const tr = at("numbers").insertRow();
    line.forEach((word, column) => {
      const cell = document.createElement(index ? "td" : "th");
      cell.textContent = word;
      if (index && !column) cell.className = index === 1 ? "low" : "high";
      tr.append(cell);
    });
  });
}

// The group that the address names; none if there is no group of that name.
function linked() {
  let name = null;
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* not written by us */ }
  return name ? rows.find((row) => row.name === name) : undefined;
}

function redraw() {
  drawOverview();
  if (chosen) show(chosen);
}

unpacked().then((found) => {
  read(found);
  summarise();
  startTable(() => {
    startFilters();
    startExports();
    startOverview();
    const first = linked() ?? rows.find((row) => row.isFitted);
    if (first) select(first.id, { scroll: true });
    document.body.dataset.ready = "true";
  });
  isDark.addEventListener("change", redraw);
  window.addEventListener("hashchange", () => {
    const row = linked();
    if (row && row !== chosen) select(row.id, { scroll: true });
  });
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
}).catch((error) => { at("summary").textContent = `This page cannot be shown: ${error.message}`; });
