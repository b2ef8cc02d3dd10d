// What lies under the pointer, in a few words beside it.
const tip = document.getElementById("tip");

function operationTip(row) {
  const key = keyOf(row), error = errorOf(row);
  const lines = [
    `${OUTCOME_WORDS[run.type[row]]}, ${where(row)}${key === filter.key ? `, key ${key}` : ""}`,
    `${clock(run.start[row], 100)}, ${took(row)}`,
  ];
  if (error) lines.push(error);
  if (focus.isGuilty.has(row)) lines.push("The first contradiction: no legal order explains it.");
  else if (focus.place.has(row)) lines.push(`Place ${focus.place.get(row)} of the longest legal order.`);
  return [summary(row), lines, OUTCOMES[run.type[row]]];
}

function strokeTip(stroke) {
  const healed = stroke.end === null ? "never seen healed" : `healed after ${duration(stroke.end - stroke.start)}`;
  const struck = [stroke.detail, stroke.nodes.length ? `struck ${stroke.nodes.join(", ")}` : ""].filter(Boolean);
  return [stroke.name, [...struck, `${clock(stroke.start, 1_000)}, ${healed}`], null];
}

function reignTip(reign) {
  const term = reign.term === null ? "" : ` term ${reign.term}`;
  return [`${reign.node} leads${term}`, [`from ${clock(reign.start, 1_000)} for ${duration(reign.end - reign.start)}`], null];
}

function hover(x, y, pointer = "mouse") {
  const inside = x >= view.gutter && y > AXIS;
  const row = inside ? rowAt(x, y + view.scroll) : -1;
  const stroke = inside && row < 0 ? strokeAt(x, y + view.scroll) : null;
  const reign = inside && row < 0 && !stroke ? reignAt(x, y + view.scroll) : null;
  state.hover = row;
  state.pointer = inside && pointer === "mouse" ? x : null;
  changed();
  if (row >= 0) fillTip(operationTip(row), x, y);
  else if (stroke) fillTip(strokeTip(stroke), x, y);
  else if (reign) fillTip(reignTip(reign), x, y);
  else hideTip();
}

function fillTip([heading, lines, sign], x, y) {
  tip.replaceChildren(
    make("strong", {}, sign ? make("i", { class: `sign ${sign}` }) : "", heading),
    ...lines.map((line) => make("p", {}, line)),
  );
  tip.hidden = false;
  const top = scroller.offsetTop + y, room = scroller.offsetTop + scroller.clientHeight;
  const left = Math.min(Math.max(x + 14, 8), view.width - tip.offsetWidth - 8);
  const below = top + 18 + tip.offsetHeight < room + 40;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? top + 18 : top - tip.offsetHeight - 14}px`;
}

const hideTip = () => (tip.hidden = true);
