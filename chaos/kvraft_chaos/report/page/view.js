// Which stretch of time is seen, and how large the picture is. It stands in the address too, so that
// a place can be passed on: #t=1.20-1.35&key=k3&finding=0
const SPAN_MIN = 50; // µs: below it, microseconds are the grain of the data
const MARGIN = 0.015;

const view = { from: 0, to: run.span, width: 0, height: 0, gutter: 112, scroll: 0 };
const bounds = { from: -run.span * MARGIN, to: run.span * (1 + MARGIN) };

const xOf = (time) => view.gutter + ((time - view.from) / (view.to - view.from)) * (view.width - view.gutter);
const timeAt = (x) => view.from + ((x - view.gutter) / (view.width - view.gutter)) * (view.to - view.from);

function show(from, to) {
  const widest = bounds.to - bounds.from;
  const span = Math.min(widest, Math.max(SPAN_MIN, to - from));
  const middle = (from + to) / 2;
  const begin = Math.min(Math.max(middle - span / 2, bounds.from), bounds.to - span);
  view.from = begin;
  view.to = begin + span;
  changed();
}

const fit = () => show(bounds.from, bounds.to);

function zoom(factor, x = (view.gutter + view.width) / 2) {
  const span = view.to - view.from;
  const wanted = Math.min(bounds.to - bounds.from, Math.max(SPAN_MIN, span * factor));
  const share = (x - view.gutter) / (view.width - view.gutter);
  const begin = timeAt(x) - wanted * share;
  show(begin, begin + wanted);
}

function pan(pixels) {
  const time = (pixels / (view.width - view.gutter)) * (view.to - view.from);
  show(view.from + time, view.to + time);
}

// Around these operations, with air.
function showRows(rows, air = 1.2) {
  if (!rows.length) return;
  const from = Math.min(...rows.map((row) => run.start[row]));
  const to = Math.max(...rows.map((row) => run.end[row]));
  const span = Math.max(to - from, SPAN_MIN);
  show(from - span * air, to + span * air);
}

function writeAddress() {
  const parts = [`t=${(view.from / 1e6).toFixed(6)}-${(view.to / 1e6).toFixed(6)}`];
  if (filter.key) parts.push(`key=${encodeURIComponent(filter.key)}`);
  if (filter.process >= 0) parts.push(`process=${filter.process}`);
  if (focus.finding >= 0) parts.push(`finding=${focus.finding}`);
  history.replaceState(null, "", `#${parts.join("&")}`);
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("finding")) focusOn(Number(given.get("finding")));
  if (given.has("key")) filter.key = given.get("key");
  if (given.has("process")) filter.process = Number(given.get("process"));
  const span = /^(-?[\d.]+)-([\d.]+)$/.exec(given.get("t") ?? "");
  if (!span) return false;
  show(Number(span[1]) * 1e6, Number(span[2]) * 1e6);
  return true;
}
