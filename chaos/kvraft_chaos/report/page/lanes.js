// Where everything stands from top to bottom: faults, nodes, processes.
const AXIS = 30, FAULT_ROW = 20, NODE_ROW = 22, GAP = 12;
const LANE_MIN = 20, LANE_MAX = 38;

// A process that heard an unknown outcome retires and its client goes on as a new one. Packed, the
// successors share a lane; so a client is a lane, whatever happened to it.
function processLanes(packed) {
  const processes = new Map();
  for (let row = 0; row < run.count; row++) {
    const number = run.process[row];
    if (!processes.has(number)) processes.set(number, { number, rows: [], from: run.start[row] });
    const process = processes.get(number);
    process.rows.push(row);
    process.to = run.end[row];
  }
  const lanes = [];
  for (const process of processes.values()) {
    let lane = null;
    if (packed) {
      for (const each of lanes) {
        if (each.to <= process.from && (lane === null || each.to > lane.to)) lane = each;
      }
    }
    if (lane === null) {
      lane = { processes: [], rows: [], to: 0 };
      lanes.push(lane);
    }
    lane.processes.push(process.number);
    for (const row of process.rows) lane.rows.push(row);
    lane.to = process.to;
  }
  lanes.sort((a, b) => a.processes[0] - b.processes[0]);
  for (const lane of lanes) lane.unknown = lane.rows.filter((row) => run.type[row] === INFO);
  return lanes;
}

// Strokes of faults that overlap stand on rows of their own.
function faultRows() {
  const rows = [];
  for (const stroke of run.strokes) {
    const end = stroke.end ?? run.span;
    let row = rows.find((each) => each.to <= stroke.start);
    if (!row) rows.push((row = { strokes: [], to: 0 }));
    row.strokes.push({ ...stroke, stop: end });
    row.to = end;
  }
  return rows;
}

function nodeRows() {
  const names = new Set(run.reigns.map((reign) => reign.node));
  for (const stroke of run.strokes) for (const name of stroke.nodes) names.add(name);
  if (names.size) for (const name of run.tables.node) names.add(name);
  return [...names].sort().map((node) => ({
    node,
    reigns: run.reigns.filter((reign) => reign.node === node),
    struck: run.strokes.filter((stroke) => stroke.nodes.includes(node)),
  }));
}

const layout = { faults: faultRows(), nodes: nodeRows(), lanes: [], laneOf: new Map(), height: 0 };

function arrange(packed, available) {
  layout.lanes = processLanes(packed);
  layout.laneOf = new Map();
  let y = AXIS + 6;
  for (const row of layout.faults) y = (row.y = y) + FAULT_ROW;
  if (layout.faults.length) y += GAP;
  for (const row of layout.nodes) y = (row.y = y) + NODE_ROW;
  if (layout.nodes.length) y += GAP;
  const room = (available - y - GAP) / Math.max(1, layout.lanes.length);
  layout.laneHeight = Math.floor(Math.max(LANE_MIN, Math.min(LANE_MAX, room)));
  layout.top = y;
  for (const lane of layout.lanes) {
    lane.y = y;
    y += layout.laneHeight;
    for (const process of lane.processes) layout.laneOf.set(process, lane);
  }
  layout.height = y + GAP;
}

// The first row of a sorted list that ends at or after a time.
function firstEnding(rows, time) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (run.end[rows[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
