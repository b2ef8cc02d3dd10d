// The head of the page: the verdict in words, the figures, filters, the legend.
function fillHead() {
  const given = run.run, verdict = given.verdict ?? null;
  const badge = document.getElementById("verdict");
  badge.className = `verdict ${verdict ?? "unjudged"}`;
  badge.textContent = verdict ? `${said[verdict] ?? ""} ${verdict}` : "not judged";
  const small = [given.negative ? `negative control: ${given.negative}` : "", given.seed === undefined ? "" : `seed ${given.seed}`];
  const heading = document.getElementById("title");
  heading.append(given.workload ?? "history", make("small", {}, small.filter(Boolean).join(", ")));
  document.getElementById("facts").append(...figures().map((each) => make("span", {}, each)));
}

function figures() {
  const counts = [0, 0, 0];
  for (let row = 0; row < run.count; row++) counts[run.type[row]]++;
  const share = run.count ? ` (${((100 * counts[INFO]) / run.count).toFixed(1)} %)` : "";
  const list = [counted(run.count, "operation", "operations"), `${counts[INFO].toLocaleString("en")} unknown${share}`, clock(run.span, 1e5)];
  if (run.count < run.total) list.unshift(`a stretch of ${run.total.toLocaleString("en")}:`);
  if (run.strokes.length) list.push(counted(run.strokes.length, "fault", "faults"));
  if (run.reigns.length) list.push(counted(run.reigns.length - 1, "change of leader", "changes of leader"));
  const back = run.run.recovery;
  if (back && back.leader_ms != null) list.push(`leader back after ${duration(back.leader_ms * 1_000)}`);
  if (back && back.operations_ms != null) list.push(`operations after ${duration(back.operations_ms * 1_000)}`);
  return list;
}

function fillTools() {
  const group = document.getElementById("outcomes");
  OUTCOMES.forEach((name, type) => {
    const button = make("button", { type: "button", "aria-pressed": "true" }, make("i", { class: `sign ${name}` }), OUTCOME_WORDS[type]);
    button.addEventListener("click", () => {
      filter.outcomes[type] = !filter.outcomes[type];
      button.setAttribute("aria-pressed", filter.outcomes[type]);
      filtered();
    });
    group.append(button);
  });
  for (const key of run.tables.key.slice(0, 500)) document.getElementById("keys").append(make("option", { value: key }));
  options("f", "all operations", run.tables.f.map((name, number) => [number, name]));
  options("process", "all processes", [...new Set(run.process)].sort((a, b) => a - b).map((number) => [number, `p${number}`]));
  const key = document.getElementById("key");
  key.addEventListener("input", () => {
    filter.key = key.value;
    filtered();
  });
  const lanes = document.getElementById("lanes");
  lanes.addEventListener("change", () => resize());
  document.getElementById("in").onclick = () => zoom(0.5);
  document.getElementById("out").onclick = () => zoom(2);
  document.getElementById("fit").onclick = fit;
  document.getElementById("help").onclick = () => document.getElementById("guide").showModal();
  document.getElementById("contradiction").onclick = firstContradiction;
  document.getElementById("contradiction").hidden = !run.findings.some((each) => rowsOf(each.contradiction).length);
}

function options(name, all, entries) {
  const select = document.getElementById(name);
  for (const [value, label] of [[-1, all], ...entries]) select.append(make("option", { value }, label));
  select.addEventListener("change", () => {
    filter[name] = Number(select.value);
    filtered();
  });
}

function fillLegend() {
  const legend = document.getElementById("legend");
  const present = new Set(run.strokes.map((stroke) => stroke.family));
  const entries = [];
  for (const [name] of run.families) {
    if (present.has(name)) entries.push(make("span", {}, make("i", { class: "swatch", style: `background:${family[name]}` }), `${name} fault`));
  }
  if (focus.order.length) entries.push(make("span", {}, make("i", { class: "sign dot" }), "longest legal order"));
  if (focus.guilty.length) entries.push(make("span", {}, make("i", { class: "sign bad" }), "first contradiction"));
  if (run.reigns.length) entries.push(make("span", {}, "┊ change of leader"));
  legend.replaceChildren(...entries);
  legend.hidden = !entries.length;
}
