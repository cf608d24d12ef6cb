// The table. Its library takes titles and texts for HTML; a name may be any text, so elements are used.
let table;
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
const numeric = (title, field, tip) => ({
  title, field, formatter: number, sorter: "number", hozAlign: "right", headerHozAlign: "right",
  headerTooltip: tip, headerSortStartingDir: "desc", minWidth: Math.max(64, 22 + 7 * title.length), sorterParams: { alignEmptyValues: "bottom" },
});

function shownColumns() {
  return [
    ...data.keys.map((key, index) => ({
      title: key || "\u00a0", field: "key" + index, formatter: plain, sorter: "alphanum", frozen: index === 0,
      minWidth: 90,
    })),
    numeric("points", "n_points", "points used"),
    numeric("ΔBIC", "delta_bic", "BIC of one component minus BIC of two: positive favours two"),
    numeric("p", "p_value", "p-value of one component, by bootstrap"),
    numeric("q", "q_value", "q-value over all groups"),
    numeric("threshold", "threshold", "where the responsibilities cross one half"),
    numeric("weight 2", "weight_2", "weight of the upper component"),
    numeric("mean 1", "mean_1", "mean of the lower component"),
    numeric("mean 2", "mean_2", "mean of the upper component"),
    numeric("sd 1", "sd_1", "standard deviation of the lower component"),
    numeric("sd 2", "sd_2", "standard deviation of the upper component"),
    { title: "status", field: "status", sorter: "string", minWidth: 90,
      formatter: (cell) => text(plainly(cell.getValue())) },
  ].filter(({ field }) => field.startsWith("key") || has(field));
}

function startTable(isBuilt) {
  table = new Tabulator("#table", {
    data: rows, columns: shownColumns(), height: "100%", layout: "fitColumns",
    selectableRows: 1, columnDefaults: { resizable: false, minWidth: 62, titleFormatter: plain },
    placeholder: "No such group",
  });
  table.on("rowClick", (event, row) => select(row.getData().id));
  table.on("dataFiltered", (filters, found) => {
    at("found").textContent = filters.length ? `${count(found.length)} of ${count(rows.length)}` : "";
  });
  table.on("tableBuilt", () => {
    at("table").querySelectorAll(".tabulator-col").forEach((head) => { head.tabIndex = 0; });
    isBuilt();
  });
  at("table").addEventListener("keydown", tableKey);
}

// Arrow keys move among the rows as they are sorted and filtered; Enter on a title sorts by it.
function tableKey(event) {
  if (event.key === "Enter" || event.key === " ") {
    if (event.target.classList.contains("tabulator-col")) {
      event.preventDefault();
      event.target.click();
    }
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const order = table.getData("active");
  if (!order.length) return;
  const place = order.findIndex((row) => row.id === chosen?.id);
  const next = Math.min(Math.max(place + step, 0), order.length - 1);
  select(order[next].id, { scroll: true });
}
