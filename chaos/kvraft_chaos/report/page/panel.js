// The side panel: the chosen operation, what each checker found, the run.
const LISTED = 12; // of a legal order: the end of it is what matters, the rest on demand

function step(row, place, key) {
  return make(
    "button", { type: "button", "data-row": row, onclick: () => choose(row, true) },
    make("span", { class: "place" }, String(place)),
    make("span", { class: "what" }, summary(row, key)),
    make("span", { class: "when" }, `p${run.process[row]}, ${clock(run.start[row], 1_000)}`),
  );
}

function steps(rows, first, key, kind = "") {
  const list = make("ol", { class: `steps ${kind}` });
  rows.forEach((row, at) => list.append(make("li", {}, step(row, kind ? "✕" : first + at, key))));
  return list;
}

function orderOf(rows, key, open) {
  const heading = make("summary", {}, `Longest legal order before it (${rows.length.toLocaleString("en")})`);
  const whole = make("details", open ? { open: "" } : {}, heading);
  const hidden = Math.max(0, rows.length - LISTED);
  whole.append(steps(rows.slice(hidden), hidden + 1, key));
  if (!hidden) return whole;
  const more = make("button", { type: "button", class: "more" }, `Show the ${hidden.toLocaleString("en")} before`);
  more.addEventListener("click", () => more.replaceWith(steps(rows.slice(0, hidden), 1, key)));
  heading.after(more);
  return whole;
}

function card(finding, number) {
  const guilty = rowsOf(finding.contradiction), prefix = rowsOf(finding.prefix);
  const element = make(
    "article", { class: `finding ${finding.verdict}` },
    make("h3", {},
      make("b", {}, `${said[finding.verdict] ?? ""} ${finding.verdict}`), finding.checker,
      finding.key ? make("code", {}, finding.key) : null),
    make("p", { class: "sentence" }, finding.sentence),
  );
  if (guilty.length) {
    element.append(make("h4", {}, "First contradiction"), steps(guilty, 1, finding.key, "guilty"));
    if (run.findings.filter((each) => each.contradiction.length).length > 1) {
      const show = () => showFinding(number);
      element.append(make("button", { type: "button", class: "more", onclick: show }, "Show in the timeline"));
    }
  }
  if (prefix.length) element.append(orderOf(prefix, finding.key, number === focus.finding));
  return element;
}

function fillFindings() {
  const place = document.getElementById("findings");
  place.append(make("h2", {}, "Findings"));
  if (!run.findings.length) place.append(make("p", {}, "No checker has judged this history."));
  run.findings.forEach((finding, number) => place.append(card(finding, number)));
}

function fillAbout() {
  const place = document.getElementById("about"), given = run.run;
  place.append(make("h2", {}, "This run"));
  if (given.command) {
    const copy = make("button", { type: "button" }, "Copy");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(given.command);
      copy.textContent = "Copied";
    });
    place.append(make("div", { class: "command" }, make("code", {}, given.command), copy));
  }
  const facts = make("dl", { class: "facts-list" });
  const fact = (name, value) => value && facts.append(make("dt", {}, name), make("dd", {}, value));
  fact("kvraft", given.kvraft);
  fact("Faults", [...new Set((run.strokes ?? []).map((stroke) => stroke.name))].join(", "));
  fact("Longest", longest());
  place.append(facts);
}

function longest() {
  let row = -1;
  for (let each = 0; each < run.count; each++) {
    const answered = run.type[each] === OK;
    if (answered && (row < 0 || run.end[each] - run.start[each] > run.end[row] - run.start[row])) row = each;
  }
  if (row < 0) return null;
  return make("button", { type: "button", class: "more", onclick: () => choose(row, true) }, `${nameOf(row)}, ${took(row)}`);
}

function fillSelected(row) {
  const place = document.getElementById("selected");
  place.replaceChildren();
  place.hidden = row < 0;
  for (const each of document.querySelectorAll(".steps button")) {
    each.classList.toggle("chosen", Number(each.dataset.row) === row);
  }
  if (row < 0) return;
  const drop = make("button", { type: "button", "aria-label": "Let go of this operation", onclick: () => choose(-1) }, "✕");
  const facts = make("dl", { class: "facts-list" });
  const fact = (name, value, kind = "") => {
    if (value !== null && value !== "") facts.append(make("dt", {}, name), make("dd", { class: kind }, value));
  };
  fact("Outcome", outcome(row));
  fact("Key", keyOf(row), "code");
  fact("By", where(row));
  fact("Asked", `${clock(run.start[row], 1)}, event ${run.invoked[row]}`);
  const answered = run.completed[row] >= 0;
  fact("Answered", answered ? `${clock(run.end[row], 1)}, event ${run.completed[row]}` : "never");
  fact("Took", answered ? took(row) : null);
  fact("Argument", pretty(run.argument[row]), "code");
  fact("Answer", pretty(run.result[row]), "code");
  fact("Error", errorOf(row));
  if (focus.place.has(row)) fact("Place", `${focus.place.get(row)} of the legal order`);
  if (focus.isGuilty.has(row)) fact("Place", "none: the first contradiction");
  place.append(
    make("div", { class: "selected-head" }, make("i", { class: `sign ${OUTCOMES[run.type[row]]}` }), make("strong", {}, nameOf(row)), drop),
    facts,
  );
}

function outcome(row) {
  return ["ok", "failed: certainly no effect", "unknown: may take effect at any later time"][run.type[row]];
}

const pretty = (value) => (value === null || value === undefined ? null : JSON.stringify(value, null, 1).replace(/\n */g, " "));
