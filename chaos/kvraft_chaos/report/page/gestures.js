// Pointer, wheel, keys: what the reader does with the picture.
const scroller = document.getElementById("scroller");
const CLICK = 5; // pixels: a pointer that moved less has clicked
const NEAR = 6; // pixels beside a bar that still hit it

function rowAt(x, y) {
  const lane = layout.lanes.find((each) => y >= each.y && y < each.y + layout.laneHeight);
  if (!lane || x < view.gutter) return -1;
  let best = -1, distance = NEAR;
  for (let at = firstEnding(lane.rows, timeAt(x - NEAR)); at < lane.rows.length; at++) {
    const row = lane.rows[at], from = xOf(run.start[row]), to = xOf(run.end[row]);
    if (from > x + NEAR) break;
    const off = Math.max(from - x, x - to, 0) + (matching[row] ? 0 : 3);
    if (off < distance) [best, distance] = [row, off];
  }
  if (best >= 0) return best;
  const tails = lane.unknown.filter((row) => xOf(run.end[row]) < x && x < xOf(run.end[row]) + TAIL);
  return tails.length ? tails[tails.length - 1] : -1;
}

function strokeAt(x, y) {
  const row = layout.faults.find((each) => y >= each.y && y < each.y + FAULT_ROW);
  return row?.strokes.find((stroke) => x >= xOf(stroke.start) - 3 && x <= xOf(stroke.stop) + 3) ?? null;
}

function reignAt(x, y) {
  const row = layout.nodes.find((each) => y >= each.y && y < each.y + NODE_ROW);
  return row?.reigns.find((reign) => x >= xOf(reign.start) && x <= xOf(reign.end)) ?? null;
}

function placeOf(event) {
  const frame = canvas.getBoundingClientRect();
  return [event.clientX - frame.left, event.clientY - frame.top];
}

function canvasGestures() {
  const down = new Map();
  let moved = 0, spread = 0;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    const [x, y] = placeOf(event);
    down.set(event.pointerId, { x, y });
    canvas.setPointerCapture(event.pointerId);
    if (down.size === 1) moved = 0;
    spread = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = placeOf(event), before = down.get(event.pointerId);
    if (!before) return hover(x, y, event.pointerType);
    moved += Math.abs(x - before.x) + Math.abs(y - before.y);
    down.set(event.pointerId, { x, y });
    if (down.size === 2) {
      const [a, b] = [...down.values()];
      const now = Math.max(20, Math.abs(a.x - b.x));
      if (spread) zoom(spread / now, (a.x + b.x) / 2);
      spread = now;
    } else if (moved > CLICK) {
      canvas.classList.add("moving");
      pan(before.x - x);
      if (event.pointerType === "mouse") scroller.scrollTop += before.y - y;
      hideTip();
    }
  });
  const up = (event) => {
    const [x, y] = placeOf(event);
    if (down.delete(event.pointerId) && moved <= CLICK && event.type === "pointerup") {
      choose(rowAt(x, y + view.scroll));
      hover(x, y, event.pointerType);
    }
    canvas.classList.remove("moving");
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => hover(-1, -1));
  canvas.addEventListener("dblclick", (event) => zoom(0.4, placeOf(event)[0]));
  canvas.addEventListener("wheel", turn, { passive: false });
  scroller.addEventListener("scroll", changed);
}

// Over the names the wheel scrolls lanes, as it does anywhere else; over the picture it zooms.
function turn(event) {
  const [x] = placeOf(event);
  if (x < view.gutter && !event.ctrlKey) return;
  event.preventDefault();
  const unit = event.deltaMode === 1 ? 16 : 1;
  const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
  if (Math.abs(across) > Math.abs(event.deltaY) || event.shiftKey) pan(across * unit);
  else zoom(Math.exp(event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)), x);
}

function keys(event) {
  if (event.target.closest("input, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  const far = (event.shiftKey ? 0.6 : 0.15) * (view.width - view.gutter);
  const doing = {
    ArrowLeft: () => pan(-far),
    ArrowRight: () => pan(far),
    ArrowUp: () => (scroller.scrollTop -= layout.laneHeight * 2),
    ArrowDown: () => (scroller.scrollTop += layout.laneHeight * 2),
    "+": () => zoom(0.6),
    "=": () => zoom(0.6),
    "-": () => zoom(1 / 0.6),
    0: fit,
    "[": () => neighbour(-1),
    "]": () => neighbour(1),
    c: firstContradiction,
    Enter: !event.target.closest("button") && state.selected >= 0 ? () => showRows([state.selected]) : null,
    Escape: () => choose(-1),
    "?": () => document.getElementById("guide").showModal(),
  }[event.key];
  if (!doing) return;
  event.preventDefault();
  doing();
}

// The operation before or after the chosen one, of the same process; without one, the first in sight.
function neighbour(direction) {
  if (state.selected < 0) {
    const inView = layout.lanes.flatMap((lane) => lane.rows.slice(firstEnding(lane.rows, view.from)).slice(0, 1));
    return choose(inView.sort((a, b) => run.start[a] - run.start[b])[0] ?? -1, true);
  }
  const rows = layout.laneOf.get(run.process[state.selected]).rows;
  const row = rows[rows.indexOf(state.selected) + direction];
  if (row !== undefined) choose(row, true);
}
