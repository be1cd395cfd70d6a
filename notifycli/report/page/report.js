const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY = 86400;
const SHOWN = 15;
const LISTED = 200;
const NONE = -1;
const controls = ["person", "channel", "type"].map(byId);
const sides = data.compared ? ["before", "after"] : ["after"];
const channels = [...new Set(data.kinds.map(([channel]) => channel))];
const state = { everyone: false, search: "" };

const typeOf = (kind) => data.kinds[kind][1] || "all sounds";
const hourOf = (at) => (at === NONE ? NONE : ((Math.floor(at / DAY) + 3) % 7) * 24 + Math.floor((at % DAY) / 3600));
const weekday = (at) => (Math.floor(at / DAY) + 3) % 7;
const clock = (at) => (at === NONE ? "" : new Date(at * 1000).toISOString().slice(0, 16).replace("T", " "));
const isLate = (hour) => Math.floor(hour / 24) >= data.working[0] || hour % 24 < data.working[1] || hour % 24 >= data.working[2];

// What is held of single decisions: five numbers each, of them and of their events.
const held = (() => {
  const { events, decided } = data.held;
  const rows = [];
  for (let i = 0; i < decided.length; i += 5) {
    const [event, agent, kind, before, after] = decided.slice(i, i + 5);
    const [at, account, conversation, name, line] = events.slice(event * 5, event * 5 + 5);
    rows.push({ agent, kind, before, after, at, hour: hourOf(at), account, conversation, name, line });
  }
  return rows;
})();
const fires = (one) => one.after === 0 || one.before === 0;

// Whether the filters take what is about a person, of a kind.
const chosen = () => {
  const [person, channel, type] = controls.map((control) => control.value);
  const kinds = data.kinds.map(([c, t]) => (!channel || c === channel) && (!type || t === type));
  return (agent, kind) => kinds[kind] && (person === "" || agent === Number(person));
};

// Sums of rows of four numbers: person, kind, what the table is about, and how many.
const sum = (table, takes, group) => {
  const sums = new Map();
  sides.forEach((side, place) => {
    const rows = data[side][table];
    for (let i = 0; i < rows.length; i += 4) {
      if (!takes(rows[i], rows[i + 1])) continue;
      const key = group(rows[i], rows[i + 1], rows[i + 2]);
      if (!sums.has(key)) sums.set(key, sides.map(() => 0));
      sums.get(key)[place] += rows[i + 3];
    }
  });
  return sums;
};
const nothing = sides.map(() => 0);
const last = (numbers) => numbers[numbers.length - 1];
const total = (sums) => [...sums.values()].reduce((all, numbers) => all.map((n, i) => n + numbers[i]), nothing);

const bar = (numbers, largest, look) => {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)].map((n) => (100 * n) / largest);
  const rects = [draw("rect", { class: look, width: low, height: 10 })];
  if (high > low) {
    rects.push(draw("rect", { class: last(numbers) > numbers[0] ? "more" : "less", x: low, width: high - low, height: 10 }));
  }
  return draw("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...rects);
};

const change = (numbers) => {
  const difference = last(numbers) - numbers[0];
  return difference ? [make("small", { class: difference > 0 ? "gain" : "loss" }, (difference > 0 ? "+" : "−") + count(Math.abs(difference)))] : [];
};

// A bar is a button: it leads down to the decisions behind it.
const cell = (label, numbers, largest, look, behind) => {
  const td = make("td", { class: "cell" });
  if (!Math.max(...numbers)) return td;
  const number = make("span", { class: "number" }, count(last(numbers)), ...change(numbers));
  const words = `${label}: ${numbers.map(count).join(" before, ")}${data.compared ? " after" : ""}`;
  const button = make("button", { type: "button", class: "down", "aria-label": words }, number, bar(numbers, largest, look));
  button.addEventListener("click", () => open(label, Math.max(...numbers), behind));
  td.append(button);
  return td;
};

// A table of bars. Columns have a scale each; rows have a label, values by column, and what is behind them.
const table = (first, columns, rows) => {
  if (!rows.length) return make("p", {}, "Nothing.");
  const head = make("tr", {}, make("th", { scope: "col", class: "label" }, first));
  for (const { title } of columns) head.append(make("th", { scope: "col" }, title));
  const body = make("tbody");
  for (const row of rows) {
    const name = make("th", { scope: "row", class: "label" }, ...(row.node ? [row.node] : breakable(row.label)));
    if (row.code) name.append(" ", make("code", {}, row.code));
    if (row.title) name.title = row.title;
    const line = make("tr", {}, name);
    columns.forEach((column, i) => {
      const label = column.behind ? `${row.label}, ${column.title}` : row.label;
      line.append(cell(label, row.values[i], column.largest, column.look, { ...row.behind, ...column.behind }));
    });
    for (const text of row.more || []) line.append(make("td", { class: "more-text" }, text));
    body.append(line);
  }
  return make("table", { class: `bars columns-${columns.length}${columns.length > 1 ? " wide" : ""}` }, make("thead", {}, head), body);
};

const largestOf = (rows, i) => Math.max(1, ...rows.map((row) => Math.max(...row.values[i])));
const heaviest = (row) => Math.max(...nothing.map((_, side) => row.values.reduce((n, numbers) => n + numbers[side], 0)));

// Rows by key with a column for each channel, the largest first.
const byChannel = (name, takes, group, row) => {
  const shown = channels.filter((channel) => data.kinds.some(([c], kind) => c === channel && takesKind(takes, kind)));
  const sums = shown.map((channel) => sum(name, (agent, kind) => data.kinds[kind][0] === channel && takes(agent, kind), group));
  const keys = [...new Set(sums.flatMap((one) => [...one.keys()]))];
  const rows = keys.map((key) => ({ ...row(key), key, values: sums.map((one) => one.get(key) || nothing) }));
  rows.sort((a, b) => heaviest(b) - heaviest(a) || a.key - b.key);
  const columns = shown.map((channel, i) => ({
    title: CHANNELS[channel], look: channel, largest: largestOf(rows, i), behind: { channel },
  }));
  return [columns, rows];
};
const takesKind = (takes, kind) => takes(controls[0].value === "" ? 0 : Number(controls[0].value), kind);

const isWide = (node) => node.matches?.(".wide") || node.querySelector?.(".wide");
const section = (title, says, ...children) =>
  make("section", { "aria-label": title, ...(children.some(isWide) ? { class: "wide" } : {}) }, make("h2", {}, title), ...(says ? [make("p", {}, says)] : []), ...children);

const people = (takes) => {
  const within = (agent, kind) => agent < data.people.length && takes(agent, kind);
  const [columns, rows] = byChannel("fired", within, (agent) => agent, (agent) => {
    const [label, email, id, hours] = data.people[agent];
    return { label, title: email || `user ${id}`, hours, behind: { agent, fired: true } };
  });
  const searched = rows.filter((row) => `${row.label} ${row.title}`.toLowerCase().includes(state.search.toLowerCase()));
  const shown = state.everyone ? searched : searched.slice(0, SHOWN);
  for (const row of shown) {
    const told = row.values.reduce((n, numbers) => n + last(numbers), 0);
    row.more = [row.hours ? (Math.floor((told / row.hours) * 10 + 0.5) / 10).toLocaleString("en") + " an hour" : ""];
  }
  const box = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "People" }, table("Person", columns, shown));
  box.querySelector("thead tr")?.append(make("th", { scope: "col", class: "more-text" }, "of work"));
  const rest = searched.length - shown.length;
  return section("Who", "", ...search(rows.length), box, ...(rest || state.everyone ? [everyone(rest)] : []), ...others(takes));
};

const search = (many) => {
  if (many <= SHOWN) return [];
  const input = make("input", { type: "search", id: "search", value: state.search, placeholder: "a name", "aria-label": "Find a person" });
  input.addEventListener("input", () => {
    state.search = input.value;
    show();
    byId("search")?.focus();
    byId("search")?.setSelectionRange(state.search.length, state.search.length);
  });
  return [input];
};

const everyone = (rest) => {
  const button = make("button", { type: "button", id: "everyone" }, rest ? `Show ${count(rest)} more` : `Show the first ${SHOWN}`);
  button.addEventListener("click", () => {
    state.everyone = !state.everyone;
    show();
    byId("everyone").focus();
  });
  return button;
};

// Many people in one are no person: they get a line, and no bar.
const others = (takes) => {
  const sums = sum("fired", (agent, kind) => agent === data.people.length && takes(agent, kind), () => 0);
  const numbers = sums.get(0);
  return numbers ? [make("p", {}, `${count(data.others)} other people get ${count(last(numbers))} together.`)] : [];
};

const types = (takes) => {
  const sums = sum("fired", takes, (_, kind) => kind);
  const tables = channels.map((channel) => {
    const rows = data.kinds
      .map(([c, subject, code], kind) => ({ channel: c, label: subject || "messages that sound", code, values: [sums.get(kind) || nothing], behind: { kind, fired: true } }))
      .filter((row) => row.channel === channel && Math.max(...row.values[0]));
    const told = rows.reduce((n, row) => n + last(row.values[0]), 0);
    const columns = [{ title: count(told), look: channel, largest: largestOf(rows, 0) }];
    return rows.length ? table(CHANNELS[channel], columns, rows) : "";
  });
  return section("What about", "", ...(sums.size ? tables : [make("p", {}, "Nothing.")]));
};

const reasons = (takes) => {
  const [columns, rows] = byChannel("reasons", takes, (agent, kind, reason) => reason, (reason) => {
    const [code, words] = data.reasons[reason];
    return { label: words, code, behind: { reason } };
  });
  return section("Why, and why not", "", table("Because", columns, rows));
};

// Conversations are counted exactly for everybody and everything; filtered, from the decisions that are held.
const places = (takes) => {
  const filtered = controls.some((control) => control.value);
  const found = filtered ? heldPlaces(takes) : data.places.map(([account, conversation, ...numbers]) => [account, conversation, numbers.slice(-sides.length)]);
  const rows = found.map(([account, conversation, numbers]) => {
    const label = placeName(account, conversation);
    const node = conversation === NONE ? null : make("span", {}, linked(label, conversationLink(account, conversation)));
    return { label, node, values: [numbers], behind: { account, conversation, fired: true } };
  });
  const estimated = filtered && data.held.one_in[0] > 1 ? `Counted in what this page holds: the decisions of one event in ${data.held.one_in[0]}.` : "";
  const columns = [{ title: "", look: "same", largest: largestOf(rows, 0) }];
  return section("Busiest conversations", estimated, table("Conversation", columns, rows));
};
const heldPlaces = (takes) => {
  const sums = new Map();
  for (const one of held) {
    if (!fires(one) || !takes(one.agent, one.kind)) continue;
    const key = `${one.account}/${one.conversation}`;
    if (!sums.has(key)) sums.set(key, [one.account, one.conversation, sides.map(() => 0)]);
    sides.forEach((side, i) => { sums.get(key)[2][i] += one[side] === 0; });
  }
  return [...sums.values()].sort((a, b) => Math.max(...b[2]) - Math.max(...a[2])).slice(0, data.places.length);
};
const placeName = (account, conversation) =>
  (data.several ? `${account}/` : "") + (conversation === NONE ? "no conversation" : `#${conversation}`);
const conversationLink = (account, conversation) => data.links[account] && data.links[account] + conversation;

// The days that the events are of: of a day no week is drawn.
const daysShown = () => {
  const [first, end] = data.span;
  if (first === undefined || end - first >= 6 * DAY) return DAYS.map((_, day) => day);
  const days = Math.floor(end / DAY) - Math.floor(first / DAY) + 1;
  return Array.from({ length: days }, (_, i) => (weekday(first) + i) % 7);
};

const hours = (takes) => {
  const days = daysShown();
  const one = days.length === 1;
  const maps = make("div", { class: "maps" });
  let unknown = 0;
  for (const channel of channels) {
    const sums = sum("fired", (agent, kind) => data.kinds[kind][0] === channel && takes(agent, kind), (a, k, hour) => hour);
    unknown += last(sums.get(NONE) || nothing);
    sums.delete(NONE);
    if (!sums.size) continue;
    const largest = Math.max(...[...sums.values()].flat());
    sides.forEach((side, i) => {
      const when = data.compared ? `, ${side}` : "";
      const caption = `${CHANNELS[channel]}${when}: up to ${count(largest)} an hour${one ? "" : " of the week"}`;
      maps.append(map(caption, channel, days, (hour) => (sums.get(hour) || nothing)[i], largest));
    });
  }
  const date = one && data.span.length ? `${DAYS[days[0]]} ${clock(data.span[0]).slice(0, 10)}, ` : "";
  const says = unknown ? `${count(unknown)} at a time that isn't known.` : "";
  return section(`When (${date}${data.zone})`, says, maps);
};

const map = (caption, channel, days, at, largest) => {
  const head = make("tr", {}, make("th", { scope: "col" }, ""));
  for (let hour = 0; hour < 24; hour += 1) {
    head.append(make("th", { scope: "col", "aria-label": `${hour}:00` }, hour % 3 ? "" : String(hour)));
  }
  const body = make("tbody");
  for (const day of days) {
    const line = make("tr", {}, make("th", { scope: "row" }, DAYS[day]));
    for (let hour = 0; hour < 24; hour += 1) line.append(hourCell(day * 24 + hour, channel, at(day * 24 + hour), largest));
    body.append(line);
  }
  const look = days.length === 1 ? "hours day" : "hours";
  const drawn = make("table", { class: look }, make("caption", {}, caption), make("thead", {}, head), body);
  walkable(drawn);
  return drawn;
};

const hourCell = (hour, channel, n, largest) => {
  const td = make("td", isLate(hour) ? { class: "late" } : {});
  if (!n) return td;
  const label = `${DAYS[Math.floor(hour / 24)]} ${hour % 24}:00, ${CHANNELS[channel]}`;
  const button = make("button", { type: "button", class: `down ${channel}`, tabindex: "-1", "aria-label": `${label}: ${count(n)}`, title: `${label}: ${count(n)}` });
  button.style.setProperty("--part", (n / largest).toFixed(3));
  button.addEventListener("click", () => open(label, n, { hour, channel, fired: true }));
  td.append(button);
  return td;
};

// What is behind a bar: its decisions, as far as the page holds them, and what shows them all.
const open = (label, many, behind) => {
  const takes = chosen();
  const rows = held.filter((one) => takes(one.agent, one.kind) && isBehind(one, behind));
  const oneIn = data.held.one_in[behind.fired || behind.reason === 0 ? 0 : 1];
  byId("behind-title").textContent = label;
  const all = oneIn === 1 && rows.length >= many;
  byId("behind-note").textContent = all
    ? `${count(rows.length)} decision${rows.length === 1 ? "" : "s"}, all of them. In a terminal:`
    : `${count(rows.length)} of ${count(many)} decisions: this page holds those of one event in ${oneIn}, ${count(data.held.most)} that fire and as many that don't at most. All of them, in a terminal:`;
  byId("behind-command").textContent = command(behind);
  list(rows, LISTED);
  byId("behind").showModal();
};

const isBehind = (one, behind) =>
  (behind.agent === undefined || one.agent === behind.agent) &&
  (behind.channel === undefined || data.kinds[one.kind][0] === behind.channel) &&
  (behind.kind === undefined || one.kind === behind.kind) &&
  (behind.hour === undefined || one.hour === behind.hour) &&
  (behind.conversation === undefined || (one.conversation === behind.conversation && one.account === behind.account)) &&
  (behind.reason === undefined || one.after === behind.reason || one.before === behind.reason) &&
  (!behind.fired || fires(one));

const list = (rows, shown) => {
  const heads = ["When", "Whom", "What", "Where", ...(data.compared ? ["Before", "After"] : ["Why, or why not"])];
  const body = make("tbody");
  for (const one of rows.slice(0, shown)) {
    const [channel, subject, code] = data.kinds[one.kind];
    const where = linked(placeName(one.account, one.conversation), one.conversation === NONE ? "" : conversationLink(one.account, one.conversation));
    const line = make("tr", {}, ...[clock(one.at), data.people[one.agent][0]].map((text) => make("td", {}, text)));
    line.append(make("td", {}, `${CHANNELS[channel]}${subject ? `: ${subject}` : ""} `, make("code", {}, code)));
    line.append(make("td", {}, where, ` ${data.held.names[one.name]}, line ${one.line}`));
    for (const side of sides) line.append(verdict(one[side]));
    body.append(line);
  }
  byId("behind-table").parentElement.hidden = !rows.length;
  byId("behind-table").replaceChildren(make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), body);
  if (rows.length > shown) {
    const more = make("button", { type: "button" }, `Show ${count(rows.length - shown)} more`);
    more.addEventListener("click", () => list(rows, rows.length));
    body.append(make("tr", {}, make("td", { colspan: heads.length }, more)));
  }
};

const verdict = (reason) => {
  if (reason === NONE) return make("td", {}, "");
  const [code, words] = data.reasons[reason];
  return make("td", { class: reason ? "not" : "does" }, `${reason ? "✗" : "✓"} ${words} `, make("code", {}, code));
};

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
const command = (behind) => {
  const [person, channel] = controls.map((control) => control.value);
  const agent = behind.agent ?? (person === "" ? undefined : Number(person));
  const words = [behind.fired ? data.command.replace(/ --explain$/, "") : data.command];
  if (agent !== undefined) words.push("-u", quoted(data.people[agent][1] || String(data.people[agent][2])));
  if (behind.kind !== undefined) words.push("--channel", data.kinds[behind.kind][0]);
  else if (behind.channel || channel) words.push("--channel", behind.channel || channel);
  const type = behind.kind === undefined ? controls[2].value : data.kinds[behind.kind][1];
  const kind = data.kinds.find(([, subject]) => subject && subject === type);
  if (kind) words.push("--type", kind[2].split(".").at(-1));
  if (behind.conversation >= 0) words.push("--conversation", String(behind.conversation));
  if (behind.reason) words.push(`| jq 'select(.reason == "${data.reasons[behind.reason][0]}")'`);
  return words.join(" ");
};

const show = () => {
  const takes = chosen();
  byId("plots").replaceChildren(people(takes), types(takes), make("div", {}, hours(takes), places(takes)), reasons(takes));
  const fired = total(sum("fired", takes, () => 0));
  const decided = total(sum("reasons", takes, () => 0));
  const withheld = last(decided) - last(fired);
  const told = data.compared ? `Notifications: ${count(fired[0])} before, ${count(fired[1])} after` : `${count(fired[0])} notifications`;
  byId("about").textContent = `${told}; ${count(withheld)} withheld`;
  const filters = controls.filter((one) => one.value).map((one) => [one.id, one.selectedOptions[0].textContent]);
  history.replaceState(null, "", `#${new URLSearchParams(filters)}`);
};

const fill = (control, options) => {
  control.append(make("option", { value: "" }, "all"));
  for (const [value, text] of options) control.append(make("option", { value }, text));
  const asked = new URLSearchParams(location.hash.slice(1)).get(control.id);
  const option = [...control.options].find((one) => one.textContent === asked);
  if (option) option.selected = true;
  control.addEventListener("change", show);
};

const tellFindings = () => {
  byId("headline").textContent = data.headline;
  describe(byId("findings"), data.findings);
  describe(byId("source"), data.source);
  if (!data.changes.length) return;
  const rows = data.changes.map(([n, text, what]) =>
    make("li", {}, make("strong", {}, `−${count(n)}`), make("span", {}, ` ${text}`), make("code", {}, what)));
  byId("changes").append(
    make("h2", {}, `${rows.length > 1 ? `The ${["two", "three", "four", "five"][rows.length - 2]} changes` : "The change"} that would take away most${data.compared ? " of what is left" : ""}`),
    make("ol", {}, ...rows));
};

tellFindings();
fill(controls[0], data.people.map(([name], i) => [i, name]));
fill(controls[1], channels.map((name) => [name, CHANNELS[name]]));
fill(controls[2], [...new Set(data.kinds.map(([, subject]) => subject).filter(Boolean))].map((one) => [one, one]));
byId("clear").addEventListener("click", () => {
  for (const control of controls) control.value = "";
  show();
});
show();
