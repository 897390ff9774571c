"use strict";
// What the scripts of every page share: the page's data, elements, numerals, and Vega.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const make = (name, given = {}, ...inside) => {
  const element = Object.assign(document.createElement(name), given);
  element.append(...inside);
  return element;
};

// Numbers as numerals.py spells them.
function spelled(value) {
  if (value === null || Number.isNaN(value)) return "—";
  const size = Math.abs(value);
  let text = "0";
  if (size > 0 && size < 0.0005) {
    const [digits, power] = size.toExponential(1).split("e");
    text = `${digits}e−${Math.abs(+power)}`;
  } else if (size > 0) {
    const decimals = size < 1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0;
    text = size.toLocaleString("en-US", {minimumFractionDigits: decimals, maximumFractionDigits: decimals});
  }
  return value < 0 ? `−${text}` : text;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

// Vega comes compressed within the page; the page's policy knows the script by its hash.
let loading = null;
function plotter() {
  loading ??= (async () => {
    const stream = new Blob([bytes(byId("bundle").textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
    document.head.append(make("script", {textContent: await new Response(stream).text()}));
    return window.vegaEmbed;
  })();
  return loading;
}
