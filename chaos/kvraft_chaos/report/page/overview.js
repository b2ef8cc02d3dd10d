// The whole run in small: how many operations ended when, faults above, the stretch in sight framed.
const small = document.getElementById("overview");
const thin = small.getContext("2d");
const STRIP = 3, EDGE = 7;
let bins = [];

const smallX = (time) => view.gutter + ((time - bounds.from) / (bounds.to - bounds.from)) * (view.width - view.gutter);
const smallTime = (x) => bounds.from + ((x - view.gutter) / (view.width - view.gutter)) * (bounds.to - bounds.from);

function countBins() {
  const count = Math.max(1, Math.floor((view.width - view.gutter) / 3));
  bins = Array.from({ length: count }, () => [0, 0, 0]);
  for (let row = 0; row < run.count; row++) {
    const share = (run.end[row] - bounds.from) / (bounds.to - bounds.from);
    bins[Math.min(count - 1, Math.floor(share * count))][run.type[row]]++;
  }
}

function paintOverview() {
  const height = small.clientHeight, room = height - 14;
  thin.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  thin.fillStyle = ink.sheet;
  thin.fillRect(0, 0, view.width, height);
  for (const stroke of run.strokes) {
    const from = smallX(stroke.start), to = smallX(stroke.end ?? run.span);
    thin.fillStyle = family[stroke.family];
    thin.globalAlpha = 0.1;
    thin.fillRect(from, 0, Math.max(1, to - from), height);
    thin.globalAlpha = 1;
    thin.fillRect(from, 2, Math.max(1.5, to - from), STRIP);
  }
  const most = Math.max(1, ...bins.map(([ok, fail, info]) => ok + fail + info));
  const wide = (view.width - view.gutter) / bins.length;
  bins.forEach((bin, at) => {
    let y = height;
    for (const [type, colour] of [[OK, ink.ok], [FAIL, ink.fail], [INFO, ink.info]]) {
      const tall = bin[type] ? Math.max(1.5, (bin[type] / most) * room) : 0;
      thin.fillStyle = colour;
      thin.fillRect(view.gutter + at * wide, (y -= tall), wide - 0.6, tall);
    }
  });
  paintFrame(height);
  thin.fillStyle = ink.soft;
  thin.font = `12px ${FONT}`;
  thin.textBaseline = "middle";
  if (view.gutter > 100) thin.fillText("whole run", 16, height / 2);
}

function paintFrame(height) {
  const from = smallX(view.from), to = Math.max(smallX(view.to), from + 2);
  thin.fillStyle = ink.sheet;
  thin.globalAlpha = 0.62;
  thin.fillRect(view.gutter, 0, from - view.gutter, height);
  thin.fillRect(to, 0, view.width - to, height);
  thin.globalAlpha = 1;
  thin.strokeStyle = ink.ink;
  thin.lineWidth = 1.25;
  thin.strokeRect(from + 0.6, 0.6, Math.max(1, to - from - 1.2), height - 1.2);
  for (const row of focus.guilty.slice(0, 1)) {
    const x = smallX(run.end[row]);
    thin.fillStyle = ink.bad;
    thin.fillRect(x - 1, 0, 2, height);
    thin.beginPath();
    thin.moveTo(x - 6, 0);
    thin.lineTo(x + 6, 0);
    thin.lineTo(x, 9);
    thin.fill();
  }
}

// Edges of the frame stretch it, its inside moves it, elsewhere it jumps.
function overviewGestures() {
  let held = null;
  const place = (event) => event.clientX - small.getBoundingClientRect().left;
  const grip = (x) => {
    const from = smallX(view.from), to = smallX(view.to);
    if (Math.abs(x - from) < EDGE && to - from > EDGE) return "from";
    if (Math.abs(x - to) < EDGE && to - from > EDGE) return "to";
    return "middle";
  };
  small.addEventListener("pointerdown", (event) => {
    const x = place(event), time = smallTime(x), span = view.to - view.from;
    held = { grip: grip(x), offset: time - (view.from + view.to) / 2 };
    if (held.grip === "middle" && Math.abs(held.offset) > span / 2) held.offset = 0;
    small.setPointerCapture(event.pointerId);
    move(x);
  });
  const move = (x) => {
    const time = smallTime(x), half = (view.to - view.from) / 2;
    if (held.grip === "from") show(Math.min(time, view.to - SPAN_MIN), view.to);
    else if (held.grip === "to") show(view.from, Math.max(time, view.from + SPAN_MIN));
    else show(time - held.offset - half, time - held.offset + half);
  };
  small.addEventListener("pointermove", (event) => {
    const x = place(event);
    if (held) move(x);
    else small.style.cursor = grip(x) === "middle" ? "grab" : "ew-resize";
  });
  for (const end of ["pointerup", "pointercancel"]) small.addEventListener(end, () => (held = null));
  small.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.002));
  }, { passive: false });
}
