// What lies over the picture: the legal order, the contradiction, names and the axis.
const DOT = 3.4;
const TAGS_MAX = 3;
const DENSE = 0.12, NUMBERED = 0.035; // points a pixel: more would hide the bars

// A dot stands in the middle of its lane, a number at the top, so that the bar stays readable.
function pointOf(row, numbered) {
  return layout.laneOf.get(run.process[row]).y + (numbered ? 4 : layout.laneHeight / 2);
}

function outline(row, colour, width, grow = 2) {
  const lane = layout.laneOf.get(run.process[row]);
  const x = xOf(run.start[row]), end = Math.max(xOf(run.end[row]), x + 1.2);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  box(x - grow, lane.y + 4 - grow, end - x + 2 * grow - 1, layout.laneHeight - 8 + 2 * grow, 4);
  pen.stroke();
  pen.lineWidth = 1;
}

// A line from point to point, and each point with its place where there is room for it.
function paintOrder() {
  const { order, points } = focus;
  if (!order.length) return;
  let low = points.findIndex((point) => point >= view.from);
  let high = points.findIndex((point) => point > view.to);
  low = Math.max(0, (low < 0 ? points.length : low) - 1);
  high = high < 0 ? points.length : Math.min(points.length, high + 1);
  const dense = (high - low) / (view.width - view.gutter);
  if (dense > DENSE) return;
  const numbered = dense < NUMBERED;
  pen.strokeStyle = ink.order;
  pen.globalAlpha = 0.5;
  pen.lineWidth = 1.2;
  pen.lineJoin = "round";
  pen.beginPath();
  for (let at = low; at < high; at++) pen.lineTo(xOf(points[at]), pointOf(order[at], numbered));
  pen.stroke();
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
  for (let at = low; at < high; at++) paintPoint(order[at], xOf(points[at]), at + 1, numbered);
}

function paintPoint(row, x, place, numbered) {
  const y = pointOf(row, numbered);
  pen.fillStyle = ink.order;
  pen.strokeStyle = ink.sheet;
  pen.lineWidth = 1.5;
  pen.beginPath();
  if (numbered) {
    const wide = 9 + String(place).length * 6;
    pen.roundRect(x - wide / 2, y - 7, wide, 14, 7);
  } else pen.arc(x, y, DOT, 0, 7);
  pen.fill();
  pen.stroke();
  pen.lineWidth = 1;
  if (!numbered) return;
  pen.textAlign = "center";
  words(String(place), x, y + 0.5, 80, ink.sheet, `600 10px ${FONT}`);
  pen.textAlign = "left";
}

// No legal order goes past the answer of the first operation that fits nowhere.
function paintGuilty() {
  if (!focus.guilty.length) return;
  const at = Math.min(...focus.guilty.map((row) => run.end[row]));
  const x = Math.round(xOf(at)) + 0.5;
  pen.strokeStyle = pen.fillStyle = ink.bad;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x, AXIS);
  pen.lineTo(x, layout.height - GAP / 2);
  pen.stroke();
  for (const row of focus.guilty) {
    const lane = layout.laneOf.get(run.process[row]);
    pen.globalAlpha = 0.3;
    const left = xOf(run.start[row]), right = Math.max(xOf(run.end[row]), left + 2);
    pen.fillStyle = ink.bad;
    pen.fillRect(left - 3, lane.y + 1, right - left + 6, layout.laneHeight - 2);
    pen.globalAlpha = 1;
    outline(row, ink.bad, 2.5, 2.5);
    flag(left - 3, lane.y + layout.laneHeight / 2);
    if (focus.guilty.length <= TAGS_MAX) tag(row, Math.max(right, x) + 8, left - 14, lane.y + layout.laneHeight / 2);
  }
}

// What it said, beside it: to the right of the line, or to the left where there is no room.
function tag(row, right, left, y) {
  const font = `600 11px ${MONO}`, said = summary(row);
  const wide = said.length * letterWidth(font) + 14;
  const x = right + wide < view.width ? right : left - wide;
  pen.fillStyle = ink.bad;
  box(x, y - 10, wide, 20, 4);
  pen.fill();
  words(said, x + 7, y + 0.5, wide, ink["bad-ink"], font);
}

function flag(x, y) {
  pen.fillStyle = ink.bad;
  pen.beginPath();
  pen.arc(x, y, 8, 0, 7);
  pen.fill();
  pen.strokeStyle = ink["bad-ink"];
  pen.lineWidth = 1.8;
  pen.beginPath();
  for (const side of [-1, 1]) {
    pen.moveTo(x - 3, y - 3 * side);
    pen.lineTo(x + 3, y + 3 * side);
  }
  pen.stroke();
  pen.lineWidth = 1;
}

function paintNames() {
  pen.fillStyle = ink.sheet;
  pen.fillRect(0, 0, view.gutter, view.height);
  pen.save();
  clip(0, AXIS, view.gutter, view.height - AXIS);
  pen.translate(0, -view.scroll);
  const room = view.gutter - 22;
  if (layout.faults.length) words("faults", 16, layout.faults[0].y + FAULT_ROW / 2, room, ink.soft, `12px ${FONT}`);
  for (const row of layout.nodes) {
    words(row.node, 16, row.y + NODE_ROW / 2, room, ink.ink, `600 12px ${FONT}`);
  }
  for (const lane of layout.lanes) {
    if (!inSight(lane.y, layout.laneHeight)) continue;
    const y = lane.y + layout.laneHeight / 2;
    const name = `p${lane.processes[0]}`;
    words(name, 16, y, room, ink.ink, `12px ${FONT}`);
    const left = 18 + name.length * 8, more = lane.processes.slice(1).map((each) => `p${each}`).join(" ");
    if (more) words(more, left, y, view.gutter - left - 4, ink.faint, `10px ${FONT}`);
  }
  pen.restore();
  pen.fillStyle = ink.line;
  pen.fillRect(view.gutter - 1, 0, 1, view.height);
}

function tickStep(span, room) {
  const rough = (span / room) * 96;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
}

function paintAxis(state) {
  pen.fillStyle = ink.sheet;
  pen.fillRect(view.gutter, 0, view.width, AXIS - 1);
  pen.fillStyle = ink.line;
  pen.fillRect(0, AXIS - 1, view.width, 1);
  pen.save();
  clip(view.gutter, 0, view.width - view.gutter, AXIS);
  const step = tickStep(view.to - view.from, view.width - view.gutter);
  for (let tick = Math.ceil(view.from / step) * step; tick <= view.to; tick += step) {
    const x = xOf(tick);
    pen.fillStyle = ink.faint;
    pen.fillRect(x, AXIS - 6, 1, 5);
    if (x < view.width - 36) words(clock(tick, step), x + 4, AXIS - 10, 90, ink.soft);
  }
  let free = -1;
  for (const [at, phase] of run.phases.entries()) {
    const over = at + 1 < run.phases.length && run.phases[at + 1].at <= view.from;
    const x = Math.max(xOf(phase.at), view.gutter) + 4;
    if (over || x < free || x + phase.name.length * 6 > view.width) continue;
    words(phase.name, x, 8, 90, ink.faint, `10px ${FONT}`);
    free = x + phase.name.length * 6 + 8;
  }
  if (state.pointer !== null) {
    const label = clock(timeAt(state.pointer), step / 100);
    const wide = label.length * 6.4 + 12;
    const left = Math.min(Math.max(state.pointer - wide / 2, view.gutter), view.width - wide);
    pen.fillStyle = ink.ink;
    box(left, AXIS - 19, wide, 17, 4);
    pen.fill();
    words(label, left + 7, AXIS - 10, wide, ink.sheet);
  }
  pen.restore();
}
