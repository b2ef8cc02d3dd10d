// The longest legal order of a finding, as points in time: where each operation may have taken
// effect, in that order, each between its request and its answer, and before the limit if it can.
function pointsOf(rows, limit) {
  const earliest = [], latest = [];
  let bound = 0;
  for (let at = 0; at < rows.length; at++) {
    bound = Math.max(bound, run.start[rows[at]]);
    earliest[at] = bound;
  }
  bound = run.span;
  for (let at = rows.length - 1; at >= 0; at--) {
    if (run.type[rows[at]] !== INFO) bound = Math.min(bound, run.end[rows[at]]);
    latest[at] = Math.max(earliest[at], Math.min(bound, limit));
  }
  const points = [];
  for (let at = 0, before = 0, first = 0, last = 0; at < rows.length; at++) {
    // several with the same limits share the stretch between them
    if (!at || !same(earliest, latest, at - 1, at)) [first, last] = [at, at];
    while (last + 1 < rows.length && same(earliest, latest, last + 1, at)) last++;
    const share = (at - first + 1) / (last - first + 2);
    before = Math.max(before, earliest[at] + Math.max(0, latest[at] - earliest[at]) * share);
    points.push(before);
  }
  return points;
}

function same(earliest, latest, a, b) {
  return earliest[a] === earliest[b] && latest[a] === latest[b];
}

// What is lit up: one finding at a time.
const focus = { finding: -1, guilty: [], isGuilty: new Set(), order: [], points: [], place: new Map() };

function focusOn(number) {
  const finding = run.findings[number];
  focus.finding = finding ? number : -1;
  focus.guilty = finding ? rowsOf(finding.contradiction) : [];
  focus.isGuilty = new Set(focus.guilty);
  focus.order = finding ? rowsOf(finding.prefix) : [];
  focus.points = pointsOf(focus.order, Math.min(run.span, ...focus.guilty.map((row) => run.end[row])));
  focus.place = new Map(focus.order.map((row, at) => [row, at + 1]));
}
