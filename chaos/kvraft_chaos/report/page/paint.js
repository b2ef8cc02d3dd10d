// The picture. Only what is in sight is drawn, and of what falls on one pixel only one.
const canvas = document.getElementById("timeline");
const pen = canvas.getContext("2d");
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const LABEL_MIN = 34; // pixels: a bar shorter than this bears no words
const TAIL = 110; // pixels over which an unknown outcome fades
const ink = {};
const family = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = "sheet ink soft faint line hair ok ok-ink fail info info-ink bad bad-ink order lead lead-ink focus raised";
  for (const name of names.split(" ")) ink[name] = style.getPropertyValue(`--${name}`).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  for (const [name, light, night] of run.families) family[name] = dark ? night : light;
}

function paint(state) {
  const { width, height } = view;
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.fillStyle = ink.sheet;
  pen.fillRect(0, 0, width, height);
  pen.save();
  clip(view.gutter, AXIS, width - view.gutter, height - AXIS);
  pen.translate(0, -view.scroll);
  paintGround();
  let drawn = 0;
  for (const lane of layout.lanes) if (inSight(lane.y, layout.laneHeight)) drawn += paintLane(lane);
  paintReigns();
  paintStrokes();
  if (state.hover >= 0) outline(state.hover, ink.ink, 1);
  if (state.selected >= 0) outline(state.selected, ink.focus, 2);
  paintOrder();
  paintGuilty();
  pen.restore();
  paintNames();
  paintAxis(state);
  return drawn;
}

const inSight = (y, height) => y + height > view.scroll + AXIS && y < view.scroll + view.height;

function clip(x, y, width, height) {
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
}

function box(x, y, width, height, radius = 2.5) {
  pen.beginPath();
  if (width > 2 * radius) pen.roundRect(x, y, width, height, radius);
  else pen.rect(x, y, width, height);
}

function words(text, x, y, room, colour, font = `11px ${FONT}`) {
  const letter = letterWidth(font), wide = text.length * letter;
  let shown = text;
  if (wide > room && (pen.font = font) && pen.measureText(text).width > room) {
    const fits = Math.floor(room / letter);
    if (fits < 3) return;
    shown = `${text.slice(0, fits - 1)}…`;
  }
  pen.font = font;
  pen.fillStyle = colour;
  pen.textBaseline = "middle";
  pen.fillText(shown, x, y);
}

const letters = new Map();

// The mean width of a letter: to measure each label would cost more than to draw it.
function letterWidth(font) {
  if (!letters.has(font)) {
    pen.font = font;
    letters.set(font, pen.measureText("get abcdefghijklmnop 0123456789: → n1").width / 37);
  }
  return letters.get(font);
}

function paintGround() {
  const bottom = layout.height - GAP / 2;
  for (const stroke of run.strokes) {
    const from = xOf(stroke.start), to = xOf(stroke.end ?? run.span);
    if (to < view.gutter || from > view.width) continue;
    pen.globalAlpha = 0.09;
    pen.fillStyle = family[stroke.family];
    pen.fillRect(from, AXIS, Math.max(1, to - from), bottom - AXIS);
    pen.globalAlpha = 0.4;
    pen.fillRect(from, AXIS, 1, bottom - AXIS);
    pen.fillRect(to - 1, AXIS, 1, bottom - AXIS);
  }
  pen.globalAlpha = 1;
  pen.fillStyle = ink.hair;
  for (const lane of layout.lanes) pen.fillRect(view.gutter, lane.y - 0.5, view.width, 1);
  pen.fillStyle = ink.line;
  for (const phase of run.phases) pen.fillRect(xOf(phase.at), AXIS, 1, bottom - AXIS);
  pen.strokeStyle = ink.soft;
  pen.setLineDash([3, 3]);
  for (const reign of run.reigns) {
    const x = Math.round(xOf(reign.start)) + 0.5;
    if (x < view.gutter || x > view.width) continue;
    pen.beginPath();
    pen.moveTo(x, layout.nodes[0].y);
    pen.lineTo(x, bottom);
    pen.stroke();
  }
  pen.setLineDash([]);
}

// The bars of one lane: shadows of what is filtered out, tails, then each outcome on top.
function paintLane(lane) {
  const y = lane.y + 4, height = layout.laneHeight - 8, rows = lane.rows;
  const seen = [[], [], []], shadows = [];
  const last = [-1, -1, -1, -1], step = 0.7; // of each outcome, and of the shadows
  for (let at = firstEnding(rows, view.from); at < rows.length; at++) {
    const row = rows[at];
    if (run.start[row] > view.to) break;
    const x = xOf(run.start[row]), end = Math.max(xOf(run.end[row]), x + 1.2), type = run.type[row];
    const kind = matching[row] ? type : 3;
    if (end - last[kind] < step && x - last[kind] < step) continue;
    last[kind] = end;
    (matching[row] ? seen[type] : shadows).push(row, x, end - x);
  }
  paintTails(lane, y, height);
  pen.globalAlpha = 0.13;
  bars(shadows, y, height, ink.soft);
  pen.globalAlpha = focus.order.length ? 0.92 : 1;
  bars(seen[OK], y, height, ink.ok);
  hollow(seen[FAIL], y, height);
  bars(seen[INFO], y, height, ink.info);
  pen.globalAlpha = 1;
  captions(seen[OK], y, height, ink["ok-ink"]);
  captions(seen[FAIL], y, height, ink.soft);
  captions(seen[INFO], y, height, ink["info-ink"]);
  return (seen[OK].length + seen[FAIL].length + seen[INFO].length) / 3;
}

function bars(list, y, height, colour) {
  pen.fillStyle = colour;
  for (let at = 0; at < list.length; at += 3) {
    const x = list[at + 1], width = list[at + 2];
    if (width < 6) pen.fillRect(x, y, width, height);
    else {
      box(x, y, width - 0.8, height);
      pen.fill();
    }
  }
}

function hollow(list, y, height) {
  pen.strokeStyle = pen.fillStyle = ink.fail;
  pen.lineWidth = 1.2;
  for (let at = 0; at < list.length; at += 3) {
    const x = list[at + 1], width = list[at + 2];
    if (width < 5) { // too slender to be hollow: half as high
      pen.fillRect(x, y + height * 0.3, width, height * 0.4);
      continue;
    }
    box(x + 0.6, y + 0.6, width - 2, height - 1.2);
    pen.stroke();
  }
  pen.lineWidth = 1;
}

function captions(list, y, height, colour) {
  for (let at = 0; at < list.length; at += 3) {
    const left = Math.max(list[at + 1], view.gutter);
    const room = Math.min(list[at + 1] + list[at + 2], view.width) - left - 10;
    if (room > LABEL_MIN) words(summary(list[at]), left + 5, y + height / 2 + 0.5, room, colour, `11px ${MONO}`);
  }
}

// An unknown operation may take effect at any later time: it fades, and a thin line goes on.
function paintTails(lane, y, height) {
  const fade = pen.createLinearGradient(0, 0, TAIL, 0);
  fade.addColorStop(0, ink.info);
  fade.addColorStop(1, `${ink.info}00`);
  for (const row of lane.unknown) {
    const x = xOf(run.end[row]);
    if (x > view.width || !matching[row]) continue;
    if (x > view.gutter - TAIL) {
      pen.translate(x, 0);
      pen.fillStyle = fade;
      pen.globalAlpha = 0.75;
      pen.fillRect(-1, y + height * 0.18, TAIL, height * 0.64);
      pen.translate(-x, 0);
    }
    pen.globalAlpha = 0.35;
    pen.fillStyle = ink.info;
    pen.fillRect(Math.max(x, view.gutter), y + height + 1, view.width, 1);
  }
  pen.globalAlpha = 1;
}

function paintStrokes() {
  for (const row of layout.faults) {
    for (const stroke of row.strokes) {
      const from = Math.max(xOf(stroke.start), view.gutter - 9);
      const to = Math.min(xOf(stroke.stop), view.width + 9);
      if (to < view.gutter || from > view.width) continue;
      pen.fillStyle = family[stroke.family];
      box(from, row.y + 2, Math.max(2, to - from), FAULT_ROW - 5, 3);
      pen.fill();
      const left = Math.max(from, view.gutter) + 6, room = to - left - 4;
      const label = `${stroke.name}: ${stroke.detail}`;
      const long = !stroke.detail || label.length * letterWidth(`600 11px ${FONT}`) > room;
      words(long ? stroke.name : label, left, row.y + FAULT_ROW / 2, room, ink.sheet, `600 11px ${FONT}`);
    }
  }
}

function paintReigns() {
  for (const row of layout.nodes) {
    const middle = row.y + NODE_ROW / 2;
    pen.fillStyle = ink.line;
    pen.fillRect(view.gutter, middle, view.width, 1);
    for (const reign of row.reigns) {
      const from = xOf(reign.start), to = Math.max(xOf(reign.end), from + 2);
      if (to < view.gutter || from > view.width) continue;
      pen.fillStyle = ink.lead;
      box(from, row.y + 3, to - from - 1, NODE_ROW - 6, 3);
      pen.fill();
      const left = Math.max(from, view.gutter) + 6;
      const label = reign.term === null ? "leads" : `leads term ${reign.term}`;
      words(label, left, middle + 0.5, Math.min(to, view.width) - left - 2, ink["lead-ink"]);
    }
    for (const stroke of row.struck) {
      const from = xOf(stroke.start), to = xOf(stroke.end ?? run.span);
      pen.fillStyle = family[stroke.family];
      pen.fillRect(from, row.y + NODE_ROW - 4, Math.max(2, to - from), 2.5);
    }
  }
}
