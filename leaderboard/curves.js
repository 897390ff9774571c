// The headline against epsilon: a line a method that was run at several, infinity in a place of its own at the right end.
function curvePoints() {
  const column = data.headline, known = row => sound[row] && inView(row) && data.value[column][row] !== null;
  const inSight = data.curves.lines.map(line => ({title: line.title, rows: line.rows.filter(known)})).filter(line => line.rows.length);
  const drawn = inSight.slice(0, data.curves.most);
  const finite = drawn.flatMap(line => line.rows.map(row => data.rows[row].epsilon)).filter(epsilon => epsilon !== null);
  const least = Math.min(...finite), most = Math.max(...finite);
  const infinity = finite.length ? most * Math.max(2.5, (most / least) ** 0.4) : 1;
  const points = drawn.flatMap((line, at) => line.rows.map((row, place) => ({
    x: data.rows[row].epsilon ?? infinity, y: data.value[column][row], yl: data.low[column][row], yh: data.high[column][row],
    line: line.title, aside: (at - (drawn.length - 1) / 2) * Math.min(6, 36 / drawn.length), tip: `ε = ${data.rows[row].epsilon ?? "∞"}: ${said(column, row)}`,
    leap: data.rows[line.rows.at(-1)].epsilon === null && place >= line.rows.length - 2,
  })));
  return {points, infinity, titles: drawn.map(line => line.title), count: inSight.length};
}

// The figure's Vega specification, from curves.py, with these points.
function filledCurves({points, infinity, titles}) {
  const spec = structuredClone(data.curves.figure), places = [...new Set(points.map(point => point.x))].sort((a, b) => a - b);
  const all = data.curves.lines.map(line => line.title), column = data.columns[data.headline];
  spec.width = Math.max(240, Math.min(spec.width, byId("curves").clientWidth - 80));
  spec.data[0].values = points;
  spec.signals.find(signal => signal.name === "infinity").value = infinity;
  spec.axes[0].values = places;
  spec.axes[1].title = titled(column) + arrow(column);
  for (const scale of spec.scales) {
    if (scale.name === "x") scale.domain = [places[0] / 1.4, places.at(-1) * 1.4];
    if (scale.name === "y") scale.domain.fields = knownFields(scale, points);
    if (scale.type === "ordinal") {
      scale.range = titles.map(title => scale.range[all.indexOf(title) % scale.range.length]);  // a line keeps its look, whoever is in view
      scale.domain = titles;
    }
  }
  return spec;
}

let newestCurves = 0;
async function drawCurves() {
  const mine = ++newestCurves, wanted = curvePoints();
  byId("curves-told").textContent = !wanted.count ? "Nothing to draw: no row in view was run at several ε."
    : wanted.count > wanted.titles.length ? `The best ${wanted.titles.length} of ${wanted.count}; find others by name above the table.` : "";
  if (!wanted.count) {
    byId("curves").replaceChildren();
    return;
  }
  const embed = await plotter();
  if (mine !== newestCurves) return;
  await embed("#curves", filledCurves(wanted), {mode: "vega", renderer: "svg", actions: false, ast: true});
  byId("curves").dataset.drawn = wanted.titles.join(", ");
}

function startCurves() {
  if (!data.curves) return;
  document.addEventListener("narrowed", drawCurves);
}
