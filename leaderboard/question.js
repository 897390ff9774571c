// The constraint question: which row is best by one metric, among those that keep every limit.
const goals = data.columns.map((column, at) => [column, at]).filter(([column]) => column.better !== "none" && !column.names.length);

function options(select, wanted, chosen) {
  select.append(...wanted.map(([column, at]) => make("option", {value: at, selected: at === chosen}, titled(column) + arrow(column))));
}

function addLimit() {
  const metric = make("select", {ariaLabel: "Metric"});
  options(metric, data.columns.map((column, at) => [column, at]), data.axes[0]?.[0] ?? goals[0]?.[1] ?? 0);
  const side = make("select", {ariaLabel: "At most or at least"});
  const remove = make("button", {type: "button"}, "Remove");
  const line = make("li", {}, metric, side, "", remove);
  const suggest = () => {
    const {better, names} = data.columns[metric.value];
    const sides = names.length && better === "none" ? ["="] : better === "higher" ? ["≥", "≤"] : ["≤", "≥"];
    side.replaceChildren(...sides.map(text => make("option", {}, text)));
    const bound = names.length ? make("select", {ariaLabel: "Bound"}, ...["", ...names].map((name, at) => make("option", {value: at ? at - 1 : ""}, name)))
      : make("input", {type: "number", step: "any", ariaLabel: "Bound"});
    bound.addEventListener("input", readLimits);
    line.childNodes[2].replaceWith(bound);
  };
  metric.addEventListener("change", () => { suggest(); readLimits(); });
  side.addEventListener("change", readLimits);
  remove.addEventListener("click", () => { line.remove(); readLimits(); byId("add-limit").focus(); });
  suggest();
  byId("limits").append(line);
  metric.focus();
}

function readLimits() {
  state.limits = [...byId("limits").children].map(line => {
    const [metric, side, bound] = line.children;
    return {column: +metric.value, side: side.value, bound: bound.value === "" ? NaN : +bound.value};
  }).filter(limit => !Number.isNaN(limit.bound));
  update();
}

const said = (column, row) => {
  const range = interval(data.low[column][row], data.high[column][row]);
  return `${spelled(data.value[column][row])}${data.columns[column].unit ? " " + data.columns[column].unit : ""}${range ? ` [${range}]` : ""}`;
};

// The rows nothing tells apart from the best one: by the paired ranks for the headline, else by overlapping intervals.
function level(best, rows, column) {
  if (column === data.headline)
    return rows.filter(row => row !== best && !beats(best, row));
  const reach = (row, end) => data[end][column][row] ?? data.value[column][row];
  return rows.filter(row => row !== best && reach(row, "low") <= reach(best, "high") && reach(best, "low") <= reach(row, "high"));
}

function answer() {
  const column = +byId("objective").value, about = data.columns[column];
  const rows = state.field.filter(row => sound[row] && data.value[column][row] !== null && (!state.track || data.rows[row].track === state.track));
  const found = data.tracks.flatMap(track => {
    const own = rows.filter(row => data.rows[row].track === track);
    return own.length ? [bestOf(own, column, about, data.tracks.length > 1 ? track : "")] : [];
  });
  const kept = `${rows.length} of ${sound.filter(Boolean).length} rows that may be compared keep the limits. A missing value keeps none.`;
  byId("answer").replaceChildren(
    ...(found.length ? found : ["None: no complete and unrefuted row keeps these limits."]), make("span", {className: "soft"}, kept));
}

function bestOf(rows, column, about, track) {
  const way = about.better === "higher" ? -1 : 1;
  const ranks = column === data.headline ? rankIntervals(rows, true) : new Map();
  const rank = row => ranks.get(row) || [0, 0];
  const [best] = [...rows].sort((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]
    || way * (data.value[column][a] - data.value[column][b]) || a - b);
  const tied = level(best, rows, column).map(row => data.rows[row].title);
  const others = tied.length > 4 ? `${tied.length} others` : tied.join(", ");
  return make("span", {}, ...(track ? [make("span", {className: "track"}, track + ": ")] : []),
    make("strong", {}, data.rows[best].title), `, ${about.title} ${said(column, best)}`,
    tied.length ? `; not told apart from ${others}.` : ".");
}

function startQuestion() {
  options(byId("objective"), goals, data.headline);
  byId("objective").addEventListener("change", answer);
  byId("add-limit").addEventListener("click", addLimit);
  byId("clear-limits").addEventListener("click", () => { byId("limits").replaceChildren(); readLimits(); });
  document.addEventListener("narrowed", answer);
}
