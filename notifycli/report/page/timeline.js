const CAME = { fires: "fires", "in vain": "fires, but can't be delivered", withheld: "is withheld" };
const SIGNS = { email: "E", push: "P", audio: "S" };
const BEST = ["fires", "in vain", "withheld"];
const tip = byId("tip");

const marks = data.marks.map(([event, person, channel, subject, code, came, reason, sentence, command]) =>
  ({ event, person, channel, subject, code, came, reason, sentence: data.texts[sentence], command: data.texts[command] }));
const byCell = new Map();
for (const one of marks) {
  const key = `${one.event}/${one.person}/${one.channel}`;
  byCell.set(key, [...(byCell.get(key) || []), one]);
}
const what = (one) => CHANNELS[one.channel] + (one.subject ? ` about ${one.subject}` : "");
const told = (one) => `${what(one)} ${CAME[one.came]}: ${one.sentence}`;

// What a mark stands for is shown beside it, while it is pointed at or has the focus.
const explain = (button, several) => {
  tip.replaceChildren(...several.flatMap((one) => [
    make("p", { class: one.came === "fires" ? "does" : "not" }, `${told(one)}. `, make("code", {}, one.code, " · ", one.came === "withheld" ? one.reason : "fires")),
    ...(one.command ? [make("pre", {}, one.command)] : []),
  ]));
  tip.hidden = false;
  const mark = button.getBoundingClientRect();
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  const left = Math.max(8, Math.min(mark.left, document.documentElement.clientWidth - width - 8));
  const below = mark.bottom + 6 + height < window.innerHeight || mark.top < height + 6;
  tip.style.setProperty("left", `${left + window.scrollX}px`);
  tip.style.setProperty("top", `${(below ? mark.bottom + 6 : mark.top - height - 6) + window.scrollY}px`);
};
// It stays while the pointer is on it, so that its command can be copied.
const hide = () => { if (!tip.matches(":hover")) tip.hidden = true; };

const markOf = (event, person, channel) => {
  const several = byCell.get(`${event}/${person}/${channel}`);
  if (!several) return make("span", { class: "mark" });
  const came = BEST.find((one) => several.some((mark) => mark.came === one));
  const sign = { fires: SIGNS[channel], "in vain": "!", withheld: "·" }[came];
  const look = came === "in vain" ? "vain" : came;
  const label = `${data.people[person]}: ${several.map(told).join("; ")}`;
  const button = make("button", { type: "button", class: `mark ${channel} ${look}`, tabindex: "-1", "aria-label": label }, sign);
  for (const shown of ["pointerenter", "focus", "click"]) button.addEventListener(shown, () => explain(button, several));
  button.addEventListener("blur", hide);
  return button;
};

// The date too, where there are several.
const days = new Set(data.events.map(([at]) => at.slice(0, 10)));
const clock = (at) => (days.size > 1 ? at.slice(0, 16) : at.slice(11, 19));

const timeline = () => {
  const head = make("tr", {}, make("th", { scope: "col" }, data.zone));
  for (const name of data.people) head.append(make("th", { scope: "col" }, name));
  const body = make("tbody");
  data.events.forEach(([at, words, name, line], event) => {
    const row = make("tr", {}, make("th", { scope: "row" }, make("time", {}, clock(at)), " ", words, " ", make("code", {}, `${name}, line ${line}`)));
    data.people.forEach((_, person) => row.append(make("td", {}, ...Object.keys(CHANNELS).map((channel) => markOf(event, person, channel)))));
    body.append(row);
  });
  byId("timeline").append(make("thead", {}, head), body);
  walkable(byId("timeline"));
};

const inWords = () => {
  const heads = ["When", "What happened", "Whom", "What came of it"].map((text) => make("th", { scope: "col" }, text));
  const body = make("tbody");
  for (const one of marks) {
    const [at, words] = data.events[one.event];
    const came = make("td", { class: one.came === "fires" ? "does" : "not" }, `${told(one)}.`);
    body.append(make("tr", {}, ...[clock(at), words, data.people[one.person]].map((text) => make("td", {}, text)), came));
  }
  byId("told").append(make("thead", {}, make("tr", {}, ...heads)), body);
};

byId("title").append(linked(data.title, data.link));
byId("summary").textContent = `${data.summary}.`;
if (data.withheld) byId("withheld").textContent = `Withheld: ${data.withheld}.`;
document.title = data.title;
if (data.others) byId("others").textContent = `The ${data.people.length} people who get most; ${count(data.others)} others are not shown.`;
timeline();
inWords();
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
byId("timeline").addEventListener("pointerleave", (event) => { if (!tip.contains(event.relatedTarget)) hide(); });
tip.addEventListener("pointerleave", () => { tip.hidden = true; });
addEventListener("beforeprint", () => { byId("words").open = true; });
