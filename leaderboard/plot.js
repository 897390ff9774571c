// Any metric against any other, with the Pareto front of what is in view.
function front(rows, x, y) {
  const worth = (column, row) => (data.columns[column].better === "higher" ? 1 : -1) * data.value[column][row];
  const falling = [...rows].sort((a, b) => worth(x, b) - worth(x, a) || worth(y, b) - worth(y, a));
  const on = [];
  let best = -Infinity, at = null;
  for (const row of falling) {
    const value = worth(y, row);
    if (value > best || (value === best && worth(x, row) === at)) {
      on.push(row);
      best = value;
      at = worth(x, row);
    }
  }
  return on;
}

const drawn = (x, y) => data.rows.map((_, row) => row)
  .filter(row => sound[row] && inView(row) && data.value[x][row] !== null && data.value[y][row] !== null);

function points(rows, x, y, on, log) {
  const named = rows.length <= 12 ? new Set(rows) : new Set(on);
  const onFront = new Set(on);
  const end = (bound, column, row, isLog) => isLog && bound <= 0 ? null : bound ?? null;
  return rows.map(row => ({
    x: data.value[x][row], xl: end(data.low[x][row], x, row, log[0]), xh: end(data.high[x][row], x, row, log[0]),
    y: data.value[y][row], yl: end(data.low[y][row], y, row, log[1]), yh: end(data.high[y][row], y, row, log[1]),
    name: data.rows[row].title, tip: `${said(x, row)} / ${said(y, row)}`, front: onFront.has(row),
    label: named.has(row) ? data.rows[row].title : "", mark: data.marks[data.tracks.indexOf(data.rows[row].track) % data.marks.length],
  }));
}

// Fields without a single value would make Vega complain.
const knownFields = (scale, values) => scale.domain.fields.filter(field => values.some(point => point[field] !== null));

// The figure's Vega specification, from figure.py, with these axes and points.
function filled(values, columns, log) {
  const spec = structuredClone(data.figure);
  spec.width = Math.max(240, Math.min(spec.width, byId("plot").clientWidth - 90));
  spec.data.find(each => each.name === "points").values = values;
  ["x", "y"].forEach((name, at) => {
    const column = data.columns[columns[at]];
    spec.axes.filter(axis => axis.scale === name && "title" in axis).forEach(axis => { axis.title = titled(column) + arrow(column); });
    const scale = spec.scales.find(each => each.name === name);
    scale.type = log[at] ? "log" : "linear";
    scale.domain.fields = knownFields(scale, values);
  });
  spec.signals.find(each => each.name === "step").value = data.columns[columns[0]].better === "higher" ? "step-before" : "step-after";
  return spec;
}

function spreads(rows, column) {
  const values = rows.map(row => data.value[column][row]);
  return rows.length > 0 && Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
}

let newest = 0;
async function plot() {
  const x = +byId("axis-x").value, y = +byId("axis-y").value, mine = ++newest;
  const rows = drawn(x, y), on = front(rows, x, y);
  byId("front").textContent = on.length
    ? `On the front, where no means are better in both, intervals left aside: ${on.map(row => data.rows[row].title).join(", ")}.` : "Nothing to draw: no row in view has both values.";
  if (!rows.length) {
    byId("plot").replaceChildren();
    return;
  }
  const log = [spreads(rows, x), spreads(rows, y)];
  const embed = await plotter();
  if (mine !== newest) return;
  await embed("#plot", filled(points(rows, x, y, on, log), [x, y], log), {mode: "vega", renderer: "svg", actions: false, ast: true});
  byId("plot").dataset.drawn = `${x},${y}`;
}

function startPlot() {
  const first = data.axes[0] ?? [goals[0]?.[1] ?? 0, goals[1]?.[1] ?? 0];
  options(byId("axis-x"), goals, first[0]);
  options(byId("axis-y"), goals, first[1]);
  for (const name of ["axis-x", "axis-y"]) byId(name).addEventListener("change", plot);
  document.addEventListener("narrowed", plot);
}
