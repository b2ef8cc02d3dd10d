// Words for people: operations, times, counts.
function brief(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    const shown = value.slice(0, 4).map((each) => brief(each) || "null").join(", ");
    return `[${shown}${value.length > 4 ? `, … ${value.length}` : ""}]`;
  }
  return Object.entries(value).map(([name, each]) => part(name, each)).filter(Boolean).join(" ");
}

function part(name, value) {
  if (name === "value") return value === null ? "absent" : brief(value);
  if (name === "mod_revision" || name === "revision") return value === null ? "" : `@${value}`;
  if (name === "expect") return `if ${brief(value)}`;
  if (name === "current") return value === null ? "absent" : `now ${brief(value)}`;
  if (name === "succeeded") return value ? "done" : "refused";
  if (value === true) return name;
  if (value === false) return `not ${name}`;
  return `${name} ${brief(value)}`;
}

// An operation in a line. The key is left out where all that is seen has the same.
function summary(row, known = filter.key) {
  const key = keyOf(row);
  const asked = [nameOf(row), key === known ? "" : key, brief(run.argument[row])].filter(Boolean).join(" ");
  if (run.type[row] === INFO) return `${asked} → ?`;
  if (run.type[row] === FAIL) return `${asked} → not done`;
  const answer = brief(run.result[row]);
  return answer ? `${asked} → ${answer}` : asked;
}

function duration(micros) {
  if (micros < 1_000) return `${Math.round(micros)} µs`;
  if (micros < 1_000_000) return `${trim(micros / 1_000)} ms`;
  return `${trim(micros / 1_000_000)} s`;
}

const trim = (number) => String(Number(number.toPrecision(3)));

function clock(micros, step = 1_000) {
  const seconds = micros / 1e6;
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / 1e6) - 1e-9)));
  return `${seconds.toFixed(digits)} s`;
}

const counted = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

const said = { valid: "✓", invalid: "✕", unknown: "?" };

function took(row) {
  return run.completed[row] < 0 ? "never answered" : duration(run.end[row] - run.start[row]);
}

function where(row) {
  const node = nodeOf(row);
  return `process ${run.process[row]}${node ? ` at ${node}` : ""}`;
}

// One element, made short: make("p", {class: "x"}, "text", child).
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
