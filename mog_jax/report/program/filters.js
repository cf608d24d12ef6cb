// The filters: a text in the name, a status, and conditions such as: delta_bic > 10 and weight_2 < 0.3
const CONDITION = /^\s*([\wΔ]+)\s*(<=|>=|!=|<|>|=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*$/i;
const COMPARE = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b,
};
const numbersThere = () => [
  ...Object.keys(data.columns).filter((name) => !["status", "histogram"].includes(name)), "separation",
];

// Returns a test of a row; throws an error that says what is wrong with the text.
function conditions(text) {
  const tests = text.split(/\band\b|&&?|,/i).filter((part) => part.trim()).map((part) => {
    const found = CONDITION.exec(part);
    if (!found) throw new Error(`not understood: ${part.trim()}`);
    const wanted = found[1].toLowerCase().replace("δbic", "delta_bic");
    const name = numbersThere().find((each) => each === wanted);
    if (!name) throw new Error(`no number is called ${found[1]}`);
    const [compare, limit] = [COMPARE[found[2]], Number(found[3])];
    return (row) => Number.isFinite(row[name]) && compare(row[name], limit);
  });
  return (row) => tests.every((test) => test(row));
}

function filter() {
  const wanted = at("search").value.trim().toLowerCase(), status = at("status").value;
  const where = at("where");
  where.removeAttribute("aria-invalid");
  at("wrong").textContent = "";
  let test;
  try { test = conditions(where.value); } catch (error) {
    where.setAttribute("aria-invalid", "true");
    at("wrong").textContent = error.message;
    return;
  }
  if (!wanted && !status && !where.value.trim()) { table.clearFilter(); return; }
  table.setFilter((row) => row.name.toLowerCase().includes(wanted)
    && (!status || row.status === status) && test(row));
}

function startFilters() {
  Object.keys(data.statuses).forEach((status) =>
    at("status").append(new Option(plainly(status), status)));
  at("where").title = `numbers: ${numbersThere().join(", ")}`;
  at("search").addEventListener("input", filter);
  at("where").addEventListener("input", filter);
  at("status").addEventListener("change", filter);
}
