// The table: what is known of each row, what is on show, and in which order.
const interval = (low, high) => low === null || high === null || high - low <= 1e-9 * Math.max(1, Math.abs(high)) ? "" : `${spelled(low)} – ${spelled(high)}`;
// A column's value as numerals.py names it: the kind that it stands for, or the number.
const named = (column, value) => column.names[value] ?? spelled(value);
const titled = column => column.title + (column.unit ? `, ${column.unit}` : "");
const arrow = column => ({higher: "\u00a0↑", lower: "\u00a0↓"})[column.better] || "";

const count = data.rows.length;

// Numbers packed as bytes, cut into lists of `width`; null where nothing is known.
function unpacked(base64, Kind, width) {
  const whole = new Kind(bytes(base64).buffer);
  return Array.from({length: whole.length / width || 0}, (_, at) =>
    Array.from(whole.subarray(at * width, (at + 1) * width), value => Number.isNaN(value) ? null : value));
}
for (const name of ["value", "low", "high"]) data[name] = unpacked(data[name], Float64Array, count);
const bySeed = unpacked(data.seeds, Float32Array, data.asked);
data.seeds = Array.from({length: data.shown}, (_, column) => bySeed.slice(column * count, (column + 1) * count));
const bits = bytes(data.beats);
const beats = (i, j) => (bits[(i * count + j) >> 3] >> (7 - ((i * count + j) & 7))) & 1;
const sound = data.rows.map(row => row.state === "ranked" || row.state === "unranked");

const epsilonOf = row => data.rows[row].epsilon ?? Infinity;

// Rank intervals of the rows in `field`, each within its track: the counting of ranking.rank_intervals. A row competes
// with those that keep its own budget too, or, `together`, with all.
function rankIntervals(field, together) {
  const ranks = new Map();
  for (const i of field) {
    if (data.rows[i].state !== "ranked") continue;
    let first = 1, last = 0;
    for (const j of field) {
      if (data.rows[j].state !== "ranked" || data.rows[j].track !== data.rows[i].track) continue;
      if (!together && epsilonOf(j) > epsilonOf(i)) continue;
      first += beats(j, i);
      last += 1 - beats(i, j);
    }
    ranks.set(i, [first, last]);
  }
  return ranks;
}
const rankText = ([first, last]) => first === last ? `${first}` : `${first}–${last}`;

const table = byId("board");
const body = table.tBodies[0];
const lines = [...body.rows];
const extra = [];  // columns added by the reader, in their order
const state = {text: "", track: "", budget: Infinity, limits: [], sort: null, falling: false, field: [], ranks: new Map()};

const holds = (limit, row) => {
  const value = data.value[limit.column][row];
  return value !== null && (limit.side === "≤" ? value <= limit.bound : limit.side === "≥" ? value >= limit.bound : value === limit.bound);
};
const withinBudget = row => epsilonOf(row) <= state.budget;
const inField = row => withinBudget(row) && state.limits.every(limit => holds(limit, row));
const inView = row => inField(row) && (!state.track || data.rows[row].track === state.track)
  && data.rows[row].title.toLowerCase().includes(state.text.toLowerCase());

// Narrow the field, rank what is left of it, and show what the reader looks for.
function update() {
  state.field = data.rows.map((_, row) => row).filter(inField);
  state.ranks = rankIntervals(state.field, state.budget < Infinity);
  for (const [row, line] of lines.entries()) {
    line.hidden = !inView(row);
    const rank = state.ranks.get(row);
    line.cells[0].replaceChildren(...(rank ? ranked(row, rank) : [make("span", {title: data.rows[row].why}, "—")]));
  }
  const seen = lines.filter(line => !line.hidden).length;
  byId("count").textContent = seen === count ? `${count} rows` : `${seen} of ${count} rows`;
  arrange();
  document.dispatchEvent(new Event("narrowed"));
}

// A rank, and the budget that all have kept who compete for it.
function ranked(row, rank) {
  const ceiling = state.budget < Infinity ? state.budget : epsilonOf(row);
  return [rankText(rank), ...(ceiling < Infinity ? [make("small", {}, `ε ≤ ${ceiling}`)] : [])];
}

function sortKey(row, by) {
  if (by === "rank" || by === "together") {
    const rank = state.ranks.get(row), track = by === "together" ? data.tracks.indexOf(data.rows[row].track) : 0;
    return rank ? track * 1e10 + rank[0] * 1e5 + rank[1] : null;
  }
  return by === "name" ? data.rows[row].title.toLowerCase() : data.value[by][row];
}

// Order the rows; what is missing stands last, whichever way the others go. Unless the reader says how, rows that a
// budget ranks together stand by that rank, and else each beside those of its own budget.
function arrange() {
  const order = data.rows.map((_, row) => row);
  const by = state.sort ?? (state.budget < Infinity && state.ranks.size ? "together" : null);
  table.classList.toggle("sorted", by !== null);
  if (by !== null) {
    const keys = order.map(row => sortKey(row, by)), way = state.falling ? -1 : 1;
    order.sort((a, b) => keys[a] === keys[b] ? a - b : keys[a] === null ? 1 : keys[b] === null ? -1 : keys[a] < keys[b] ? -way : way);
  }
  body.append(...order.map(row => lines[row]));
}

function sortBy(head, key, better) {
  const again = state.sort === key;
  state.falling = again ? !state.falling : better === "higher";
  state.sort = key;
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
  arrange();
}

function sortable(head, key, better) {
  const button = make("button", {type: "button"});
  button.append(...head.childNodes);
  head.append(button);
  head.setAttribute("aria-sort", "none");
  button.addEventListener("click", () => sortBy(head, key, better));
}

function cell(column, row) {
  const value = data.value[column][row];
  if (value === null) return make("td", {className: "num"}, make("span", {className: "none", title: "no value"}, "—"));
  const range = interval(data.low[column][row], data.high[column][row]);
  return make("td", {className: "num"}, named(data.columns[column], value), ...(range ? [make("small", {}, range)] : []));
}

// Add a column, or take it away again.
function toggle(column, on) {
  const heads = table.tHead.rows[1], place = 2 + data.shown;
  if (on) {
    extra.push(column);
    const head = make("th", {className: "num", scope: "col"}, titled(data.columns[column]) + arrow(data.columns[column]));
    sortable(head, column, data.columns[column].better);
    heads.append(head);
    lines.forEach((line, row) => line.append(cell(column, row)));
  } else {
    const at = extra.indexOf(column);
    extra.splice(at, 1);
    for (const line of [heads, ...lines]) line.cells[place + at].remove();
  }
}

function startTable() {
  [...table.tHead.rows[1].cells].forEach((head, at) =>
    sortable(head, at === 0 ? "rank" : at === 1 ? "name" : at - 2, at < 2 ? "none" : data.columns[at - 2].better));
  const families = new Map();
  for (const [at, column] of [...data.columns.entries()].slice(data.shown)) {
    if (!families.has(column.family)) families.set(column.family, [make("h3", {}, column.family)]);
    const box = make("input", {type: "checkbox"});
    box.addEventListener("change", () => toggle(at, box.checked));
    families.get(column.family).push(make("label", {}, box, " " + titled(column)));
  }
  byId("chooser").append(...[...families.values()].flat());
  byId("find").addEventListener("input", event => { state.text = event.target.value; update(); });
  byId("track")?.addEventListener("change", event => { state.track = event.target.value; update(); });
  byId("budget")?.addEventListener("change", event => { state.budget = event.target.value ? +event.target.value : Infinity; update(); });
}
