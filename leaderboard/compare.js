// Two rows, metric by metric: paired differences over the seeds that both have.
const resamples = data.resamples && (() => {
  const raw = bytes(data.resamples.data), whole = new Uint16Array(raw.buffer), size = data.resamples.count;
  const scale = (data.resamples.high - data.resamples.low) / 65535;
  return row => Array.from(whole.subarray(row * size, (row + 1) * size), each => data.resamples.low + scale * each);
})();

function difference(column, a, b) {
  if (data.columns[column].worst) {
    const [one, other] = [data.value[column][a], data.value[column][b]];
    const [first, second] = [one, other].map(value => named(data.columns[column], value));
    return one === null || other === null ? null : {mean: one - other, low: null, high: null, first, second};
  }
  const pairs = data.seeds[column][a].map((value, seed) => [value, data.seeds[column][b][seed]]).filter(pair => !pair.includes(null));
  if (!pairs.length) return null;
  const gaps = pairs.map(([one, other]) => one - other);
  const mean = gaps.reduce((total, gap) => total + gap, 0) / gaps.length;
  if (column === data.headline && resamples && sound[a] && sound[b]) {
    const of = resamples(b), drawn = resamples(a).map((value, at) => value - of[at]).sort((one, other) => one - other);
    // The outer neighbours of the percentiles, so that the interval leaves 0 out just where the ranks tell apart.
    const last = drawn.length - 1;
    return {mean, low: drawn[Math.floor(0.025 * last)], high: drawn[Math.ceil(0.975 * last)]};
  }
  const student = data.student[gaps.length];
  if (student == null) return {mean, low: null, high: null};
  const spread = Math.sqrt(gaps.reduce((total, gap) => total + (gap - mean) ** 2, 0) / (gaps.length - 1));
  const reach = student * spread / Math.sqrt(gaps.length);
  if (data.columns[column].averages || !gaps.some(gap => gap)) return {mean, low: mean - reach, high: mean + reach};
  // What all seeds share, the pairs do not see: then the intervals of both count too, added by squares.
  const [value, low, high] = [data.value[column], data.low[column], data.high[column]];
  const together = (one, other) => low[one] === null || high[other] === null ? 0 : Math.hypot(value[one] - low[one], high[other] - value[other]);
  return {mean, low: mean - Math.max(reach, together(a, b)), high: mean + Math.max(reach, together(b, a))};
}

function reading(column, gap) {
  const better = data.columns[column].better;
  if (data.columns[column].names.length) return gap.first === gap.second ? `both ${gap.first}` : `${gap.first} against ${gap.second}`;
  if (gap.mean === 0 && gap.low === gap.high) return "equal";
  if (data.columns[column].worst) return "worst of the seeds";
  if (gap.low === null) return "one seed: not known";
  if (gap.low <= 0 && gap.high >= 0) return "not told apart";
  if (better === "none") return gap.mean > 0 ? "first is higher" : "second is higher";
  return (gap.mean > 0) === (better === "higher") ? "first is better" : "second is better";
}

function compare() {
  const a = +byId("first").value, b = +byId("second").value, place = byId("comparison").tBodies[0];
  place.replaceChildren();
  for (let column = 0; column < data.shown; column++) {
    const gap = difference(column, a, b);
    const number = text => make("td", {className: "num"}, text);
    const about = data.columns[column], shown = number(gap && !about.names.length ? spelled(gap.mean) : "—");
    if (gap && interval(gap.low, gap.high)) shown.append(make("small", {}, interval(gap.low, gap.high)));
    place.append(make("tr", {}, make("th", {scope: "row"}, titled(about) + arrow(about)),
      number(named(about, data.value[column][a])), number(named(about, data.value[column][b])), shown,
      make("td", {}, gap ? reading(column, gap) : "one of them has no value")));
  }
  const gap = data.headline === null ? null : difference(data.headline, a, b);
  byId("verdict").textContent = gap
    ? `${data.rows[a].title} against ${data.rows[b].title}, by ${data.columns[data.headline].title}: ${reading(data.headline, gap)}.` : "";
}

function startCompare() {
  const all = data.rows.map((row, at) => [row.title, at]);
  for (const [name, chosen] of [["first", 0], ["second", Math.min(1, count - 1)]]) {
    byId(name).append(...all.map(([title, at]) => make("option", {value: at, selected: at === chosen}, title)));
    byId(name).addEventListener("change", compare);
  }
  compare();
}
