// Draws all groups as dots: separation across, ΔBIC up. The selected one has a ring.
let overview, ring, dots = [];

function startOverview() {
  const known = rows.filter((row) => row.isDot);
  // With too many dots for a browser, every second one in the order of ΔBIC is drawn, or fewer.
  const every = Math.ceil(known.length / 4000);
  dots = known.filter((row, index) => index % every === 0);
  if (every > 1) at("drawn").textContent = `Drawn are ${count(dots.length)} of ${count(known.length)}.`;
  drawOverview();
  at("overview").addEventListener("keydown", overviewKey);
}

function drawOverview() {
  const paint = colours(), [low, high] = d3.extent(dots, (row) => row.delta_bic);
  overview = Plot.plot({
    width: roomOf("overview"), height: 260, marginLeft: 56, marginBottom: 40,
    style: { color: paint.ink, background: paint.paper },
    x: { label: "separation (standard deviations)", labelAnchor: "center", labelArrow: "none", type: "symlog" },
    y: { label: "↑ ΔBIC", type: "symlog", tickFormat: "~s",
      ticks: [-1e3, -100, -10, -3, 0, 3, 10, 30, 100, 1e3, 1e4, 1e5, 1e6].filter((t) => t >= low && t <= high) },
    marks: [
      Plot.ruleY([0], { stroke: paint.faint }),
      Plot.dot(dots, { x: "separation", y: "delta_bic", fill: paint.low,
        r: dots.length > 1000 ? 1.6 : 3, fillOpacity: dots.length > 1000 ? 0.35 : 0.45,
        title: (row) => row.name }),
    ],
  });
  overview.setAttribute("tabindex", "0");
  overview.setAttribute("role", "application");
  overview.setAttribute("aria-label", "All groups; arrows move from one to the next");
  d3.select(overview).selectAll("circle").on("click", (event, index) =>
    select(dots[index].id, { scroll: true }));
  at("overview").replaceChildren(overview);
  ring = d3.select(overview).append("circle").attr("class", "ring").attr("r", 6).attr("fill", "none")
    .attr("stroke", paint.ink).attr("stroke-width", 1.6).attr("visibility", "hidden")
    .attr("pointer-events", "none");
  if (chosen) mark(chosen);
}

function mark(row) {
  ring.attr("visibility", row.isDot ? "visible" : "hidden");
  if (!row.isDot) return;
  ring.attr("cx", overview.scale("x").apply(row.separation))
    .attr("cy", overview.scale("y").apply(row.delta_bic));
}

// Left and right keys move by separation, up and down by ΔBIC.
function overviewKey(event) {
  const [field, step] = { ArrowLeft: ["separation", -1], ArrowRight: ["separation", 1],
    ArrowDown: ["delta_bic", -1], ArrowUp: ["delta_bic", 1] }[event.key] ?? [];
  if (!field || !dots.length) return;
  event.preventDefault();
  const order = dots.toSorted((a, b) => a[field] - b[field] || a.id - b.id);
  const place = order.findIndex((row) => row.id === chosen?.id);
  const next = place < 0 ? 0 : Math.min(Math.max(place + step, 0), order.length - 1);
  select(order[next].id, { scroll: true });
}
