// What the run left, decoded once. Operations are rows of columns; times are microseconds.
const OK = 0, FAIL = 1, INFO = 2;
const OUTCOMES = ["ok", "fail", "info"];
const OUTCOME_WORDS = ["ok", "failed", "unknown"];

function decode(raw) {
  const columns = raw.operations, count = columns.invoked.length;
  const start = new Float64Array(count), end = new Float64Array(count);
  const rowOfEvent = new Map();
  let clock = 0;
  for (let row = 0; row < count; row++) {
    clock += columns.start[row];
    start[row] = clock;
    end[row] = columns.length[row] < 0 ? raw.end : clock + columns.length[row];
    rowOfEvent.set(columns.invoked[row], row);
    if (columns.completed[row] >= 0) rowOfEvent.set(columns.completed[row], row);
  }
  const findings = raw.findings
    .map((finding) => ({ prefix: [], contradiction: [], ...finding }))
    .sort((a, b) => severity(a) - severity(b) || b.contradiction.length - a.contradiction.length);
  return { ...raw, ...columns, count, start, end, rowOfEvent, findings, span: Math.max(raw.end, 1) };
}

function severity(finding) {
  return ["invalid", "unknown", "valid"].indexOf(finding.verdict);
}

const run = decode(JSON.parse(document.getElementById("data").textContent));

const text = (table, number) => (number < 0 ? null : run.tables[table][number]);
const nameOf = (row) => text("f", run.f[row]);
const keyOf = (row) => text("key", run.key[row]);
const nodeOf = (row) => text("node", run.node[row]);
const errorOf = (row) => text("error", run.error[row]);

// Rows of a list of events, each once, those that the page does not hold left out.
function rowsOf(events) {
  const rows = new Set();
  for (const index of events) if (run.rowOfEvent.has(index)) rows.add(run.rowOfEvent.get(index));
  return [...rows];
}

// What the reader chose to see. Whatever does not match stays as a faint shadow.
const filter = { outcomes: [true, true, true], key: "", f: -1, process: -1 };
let matching = new Uint8Array(run.count).fill(1);

function applyFilter() {
  const keys = run.tables.key.map((key) => key.includes(filter.key));
  const exact = run.tables.key.indexOf(filter.key);
  if (exact >= 0) keys.fill(false)[exact] = true;
  for (let row = 0; row < run.count; row++) {
    matching[row] =
      filter.outcomes[run.type[row]] &&
      (!filter.key || (run.key[row] >= 0 && keys[run.key[row]])) &&
      (filter.f < 0 || run.f[row] === filter.f) &&
      (filter.process < 0 || run.process[row] === filter.process) ? 1 : 0;
  }
}
