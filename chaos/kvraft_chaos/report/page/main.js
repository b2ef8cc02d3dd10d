// Puts it together. `document.body.dataset` says what is drawn, for tests.
const state = { hover: -1, selected: -1, pointer: null, waiting: false };
const AROUND = 40; // operations of the same key that are seen around a contradiction

function changed() {
  if (state.waiting) return;
  state.waiting = true;
  requestAnimationFrame(() => {
    state.waiting = false;
    view.scroll = scroller.scrollTop;
    const began = performance.now();
    const drawn = paint(state);
    paintOverview();
    report(drawn, performance.now() - began);
  });
}

function report(drawn, took) {
  Object.assign(document.body.dataset, {
    ready: "true",
    operations: run.count,
    lanes: layout.lanes.length,
    nodes: layout.nodes.length,
    faults: run.strokes.length,
    leaders: run.reigns.length,
    guilty: focus.guilty.length,
    order: focus.order.length,
    drawn,
    from: Math.round(view.from),
    to: Math.round(view.to),
    selected: state.selected,
    paintMs: took.toFixed(1),
  });
  clearTimeout(report.timer);
  report.timer = setTimeout(writeAddress, 200);
}

function resize() {
  const packed = document.getElementById("lanes").value === "packed";
  view.gutter = scroller.clientWidth < 600 ? 58 : 112;
  arrange(packed, scroller.clientHeight);
  if (matchMedia("(max-width: 800px)").matches) {
    scroller.style.height = `${Math.min(layout.height, 0.62 * innerHeight)}px`;
  } else scroller.style.height = "";
  view.width = scroller.clientWidth;
  view.height = Math.max(120, scroller.clientHeight);
  document.getElementById("track").style.height = `${Math.max(layout.height, view.height)}px`;
  for (const [each, height] of [[canvas, view.height], [small, small.clientHeight]]) {
    each.style.width = `${view.width}px`;
    each.width = Math.round(view.width * devicePixelRatio);
    each.height = Math.round(height * devicePixelRatio);
  }
  canvas.style.height = `${view.height}px`;
  countBins();
  changed();
}

function filtered() {
  document.getElementById("key").value = filter.key;
  document.getElementById("process").value = filter.process;
  applyFilter();
  changed();
}

function choose(row, bring = false) {
  state.selected = row;
  fillSelected(row);
  if (row >= 0) {
    document.getElementById("spoken").textContent =
      `${summary(row)}, ${OUTCOME_WORDS[run.type[row]]}, ${where(row)}, ${clock(run.start[row], 1_000)}`;
    if (bring) bringIntoView(row);
  }
  changed();
}

function bringIntoView(row) {
  const span = view.to - view.from;
  if (run.start[row] < view.from || run.end[row] > view.to || run.end[row] - run.start[row] < span / 400) {
    const wanted = Math.min(span, Math.max((run.end[row] - run.start[row]) * 12, SPAN_MIN));
    const middle = (run.start[row] + run.end[row]) / 2;
    show(middle - wanted / 2, middle + wanted / 2);
  }
  const lane = layout.laneOf.get(run.process[row]);
  if (!inSight(lane.y - 20, layout.laneHeight + 40) || lane.y + layout.laneHeight > view.scroll + view.height) {
    scroller.scrollTop = lane.y - view.height / 2;
  }
}

// The contradiction and the last steps of the order before it; other keys step back.
function showFinding(number) {
  focusOn(number);
  filter.key = run.findings[number].key ?? "";
  filtered();
  fillLegend();
  const from = run.start[focus.guilty[0]];
  const near = focus.order.filter((row) => run.end[row] >= from - 2e6).slice(-AROUND);
  const begin = Math.min(from, ...near.slice(-8).map((row) => run.start[row]));
  const end = Math.max(...focus.guilty.map((row) => run.end[row]));
  const air = Math.max(end - begin, 1_000) * 0.25;
  show(begin - air, end + air);
  bringIntoView(focus.guilty[0]);
}

function firstContradiction() {
  const number = run.findings.findIndex((finding) => rowsOf(finding.contradiction).length);
  if (number >= 0) showFinding(number);
}

function start() {
  readColours();
  fillHead();
  fillTools();
  focusOn(run.findings.findIndex((finding) => rowsOf(finding.contradiction).length));
  fillFindings();
  fillAbout();
  resize();
  fit();
  readAddress();
  filtered();
  fillLegend();
  canvasGestures();
  overviewGestures();
  addEventListener("keydown", keys);
  addEventListener("hashchange", () => {
    readAddress();
    filtered();
  });
  new ResizeObserver(resize).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    fillLegend();
    changed();
  });
}

start();
