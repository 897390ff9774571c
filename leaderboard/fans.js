// Fan charts: the quantiles of a forecast against what happened, of the series and the origin that the reader chooses.
const LEVELS = ["5 %", "10 %", "50 %", "90 %", "95 %"];

// The chart's points: what was known at the origin, and from there on the outcome and the quantiles.
function fanPoints(part, chart) {
  const names = part.periods[chart.periods], past = chart.history.length, ahead = names.slice(past);
  return {
    names,
    past: chart.history.map((value, at) => ({x: names[at], y: value})).filter(point => point.y !== null),
    outcome: ahead.map((x, at) => ({x, y: chart.outcome[at]})).filter(point => point.y !== null)
      .map(point => ({...point, tip: {"what happened": spelled(point.y)}})),
    fan: ahead.map((x, at) => ({x, q: chart.quantiles.map(level => level[at])})).filter(point => !point.q.includes(null))
      .map(({x, q}) => ({x, a: q[0], b: q[1], y: q[2], c: q[3], d: q[4], tip: Object.fromEntries(LEVELS.map((name, at) => [name, spelled(q[at])]))})),
  };
}

// The figure's Vega specification, from fans.py, with these points, and what is counted above its axis.
function filledFan(points, width, title) {
  const spec = structuredClone(data.figure);
  spec.width = Math.max(220, Math.min(spec.width, width - 80));
  for (const name of ["past", "outcome", "fan"]) spec.data.find(each => each.name === name).values = points[name];
  spec.scales.find(scale => scale.name === "x").domain = points.names;
  const every = Math.ceil(points.names.length / (spec.width / 62));
  spec.axes[1].title = title;
  spec.axes[0].values = points.names.filter((_, at) => at % every === 0);
  return spec;
}

// The same in numbers, as a table.
function fanTable(chart, points) {
  const past = chart.history.length;
  return points.names.map((name, at) => {
    const ahead = at - past, told = ahead < 0 ? [chart.history[at], ...LEVELS.map(() => undefined)]
      : [chart.outcome[ahead], ...chart.quantiles.map(level => level[ahead])];
    return make("tr", {}, make("th", {scope: "row"}, name),
      ...told.map(value => make("td", {className: "num"}, value === undefined ? "" : spelled(value))));
  });
}

function startFans(section) {
  const part = data.parts[section.dataset.part], find = name => section.querySelector(`[data-is="${name}"]`);
  const choices = ["target", "series", "origin"].map(find);
  const distinct = at => [...new Set(part.charts.map(chart => chart.keys[at]))];
  choices.forEach((select, at) => select.append(...distinct(at).map(name => make("option", {}, name))));
  part.first.forEach((name, at) => { choices[at].value = name; });
  let newest = 0;

  async function draw() {
    const mine = ++newest, wanted = choices.map(select => select.value);
    const chart = part.charts.find(each => each.keys.every((name, at) => name === wanted[at]));
    find("told").textContent = chart ? `${wanted[1]}, ${wanted[0]}, forecast from ${wanted[2]}.`
      : `There is no forecast of ${wanted[0]} for ${wanted[1]} from ${wanted[2]}${part.left_out ? " on this page; the results folder may have one" : ""}.`;
    const points = chart && fanPoints(part, chart);
    find("numbers").tBodies[0].replaceChildren(...(chart ? fanTable(chart, points) : []));
    if (!chart) {
      find("figure").replaceChildren();
      return;
    }
    const embed = await plotter();
    if (mine !== newest) return;
    await embed(find("figure"), filledFan(points, find("figure").clientWidth, wanted[0]), {mode: "vega", renderer: "svg", actions: false, ast: true});
    find("figure").dataset.drawn = wanted.join(", ");
  }
  for (const select of choices) select.addEventListener("change", draw);
  draw();
}

document.querySelectorAll(".live").forEach(element => { element.hidden = false; });
document.querySelectorAll(".paper").forEach(element => { element.hidden = true; });
document.querySelectorAll("section.fans").forEach(startFans);
