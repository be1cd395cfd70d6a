"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const SHOWN = 25;
  const controls = ["agent", "channel", "type"].map((id) => document.getElementById(id));
  const count = (n) => n.toLocaleString("en");

  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const draw = (name, attributes, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  // Breaks after these signs are better than breaks anywhere, where there is no room.
  const breakable = (text) => text.split(/(?<=[@._])/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));

  // Rows of four numbers: agent, kind, and what the table is about, and how many.
  const sum = (side, table, chosen, group) => {
    const sums = new Map();
    const rows = data[side][table];
    for (let i = 0; i < rows.length; i += 4) {
      if (!chosen(rows[i], rows[i + 1])) continue;
      const key = group(rows[i], rows[i + 1], rows[i + 2]);
      sums.set(key, (sums.get(key) || 0) + rows[i + 3]);
    }
    return sums;
  };

  const bar = (before, after, largest) => {
    const x = (n) => (100 * n) / largest;
    const [low, high] = [Math.min(before, after), Math.max(before, after)];
    const rects = [draw("rect", { class: "same", x: 0, y: 0, height: 10, width: x(low) })];
    if (high > low) {
      const kind = after > before ? "more" : "less";
      rects.push(draw("rect", { class: kind, x: x(low), y: 0, height: 10, width: x(high - low) }));
    }
    return draw("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...rects);
  };

  const number = (text, kind = "") => make("td", { class: `number ${kind}` }, text);

  const bars = (title, rows, shown = SHOWN) => {
    const largest = Math.max(1, ...rows.map((row) => Math.max(row.before, row.after)));
    const heads = data.compared ? ["before", "after", "change"] : ["count"];
    const body = make("tbody");
    for (const { label, says, before, after } of rows.slice(0, shown)) {
      const name = make("th", { class: "label", scope: "row" }, ...breakable(label));
      if (says) name.append(make("span", { class: "says" }, says));
      const line = make("tr", {}, name);
      if (data.compared) {
        const change = after - before;
        line.append(number(count(before)), number(count(after)));
        line.append(number(change ? (change > 0 ? "+" : "") + count(change) : "", change > 0 ? "up" : "down"));
      } else {
        line.append(number(count(after)));
      }
      line.append(make("td", { class: "plot" }, bar(data.compared ? before : after, after, largest)));
      body.append(line);
    }
    const head = make("tr", {}, make("th", { class: "label" }, ""));
    for (const text of heads) head.append(make("th", { class: "number" }, text));
    head.append(make("th", { class: "plot" }, ""));
    const table = make("table", {}, make("thead", {}, head), body);
    table.style.setProperty("--digits", count(largest).length + 1);
    const section = make("section", {}, make("h2", {}, title), table);
    if (rows.length > shown) {
      const rest = rows.slice(shown).reduce((n, row) => n + row.after, 0);
      section.append(make("p", {}, `… and ${count(rows.length - shown)} more, with ${count(rest)}`));
    }
    if (!rows.length) section.append(make("p", {}, "nothing"));
    return section;
  };

  const joined = (before, after, label, sorted = true) => {
    const keys = [...new Set([...before.keys(), ...after.keys()])];
    const rows = keys.map((key) => ({ key, before: before.get(key) || 0, after: after.get(key) || 0, ...label(key) }));
    return sorted
      ? rows.sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after) || a.key - b.key)
      : rows.sort((a, b) => a.key - b.key);
  };

  const week = (caption, hours, largest) => {
    const svg = draw("svg", { class: "week", viewBox: "0 0 394 122", role: "img", "aria-label": "notifications by hour and weekday" });
    for (let hour = 0; hour < 24; hour += 6) svg.append(draw("text", { x: 30 + hour * 15, y: 9 }, String(hour).padStart(2, "0")));
    DAYS.forEach((day, row) => {
      svg.append(draw("text", { x: 0, y: 24 + row * 15 }, day));
      for (let hour = 0; hour < 24; hour += 1) {
        const n = hours.get(row * 24 + hour) || 0;
        const look = n ? { class: "same", "fill-opacity": (0.15 + (0.85 * n) / largest).toFixed(3) } : { class: "none" };
        const cell = draw("rect", { x: 30 + hour * 15, y: 13 + row * 15, width: 14, height: 14, rx: 2, ...look });
        cell.append(draw("title", {}, `${day} ${String(hour).padStart(2, "0")}:00, ${count(n)}`));
        svg.append(cell);
      }
    });
    return make("figure", {}, svg, make("figcaption", {}, caption));
  };

  const weeks = (before, after) => {
    const known = (hours) => [...hours].filter(([hour]) => hour >= 0).map(([, n]) => n);
    const largest = Math.max(1, ...known(before), ...known(after));
    const maps = make("div", { class: "maps" });
    if (data.compared) maps.append(week("before", before, largest));
    maps.append(week(`${data.compared ? "after; " : ""}the darkest is ${count(largest)}`, after, largest));
    const section = make("section", { class: "wide" }, make("h2", {}, `When in the week (${data.zone})`), maps);
    const unknown = after.get(-1) || 0;
    if (unknown) section.append(make("p", {}, `${count(unknown)} at a time that isn't known`));
    return section;
  };

  const show = () => {
    const [agent, channel, type] = controls.map((control) => control.value);
    const kinds = data.kinds.map(([c, t]) => (!channel || c === channel) && (!type || t === type));
    const chosen = (a, k) => (agent === "" || a === Number(agent)) && kinds[k];
    const both = (table, group) => ["before", "after"].map((side) => sum(side, table, chosen, group));
    const channels = [...new Set(data.kinds.map(([c]) => c))];
    const plots = document.getElementById("plots");
    plots.replaceChildren(
      bars("By channel", joined(...both("fired", (a, k) => channels.indexOf(data.kinds[k][0])), (i) => ({ label: channels[i] }), false)),
      bars("By type", joined(...both("fired", (a, k) => k), (k) => ({ label: data.names[k] }), false)),
      bars("By agent", joined(...both("fired", (a) => a), (a) => ({ label: data.agents[a] }))),
      bars("Why, or why not", joined(...both("reasons", (a, k, r) => r), (r) => ({ label: data.reasons[r][0], says: data.reasons[r][1] }))),
      weeks(...both("fired", (a, k, h) => h)),
      bars("Busiest conversations, whatever the filters say", data.places.map(([label, before, after]) => ({ label, before, after }))),
    );
    const [before, after] = both("fired", () => 0).map((sums) => sums.get(0) || 0);
    document.getElementById("about").textContent = data.compared
      ? `${count(before)} notifications before, ${count(after)} after.`
      : `${count(after)} notifications.`;
    const state = new URLSearchParams(controls.filter((c) => c.value).map((c) => [c.id, c.selectedOptions[0].textContent]));
    history.replaceState(null, "", `#${state}`);
  };

  const fill = (control, options) => {
    control.append(make("option", { value: "" }, "all"));
    for (const [value, text] of options) control.append(make("option", { value }, text));
  };
  const unique = (place) => [...new Set(data.kinds.map((kind) => kind[place]))].map((name) => [name, name]);
  fill(controls[0], data.agents.map((name, i) => [i, name]));
  fill(controls[1], unique(0));
  fill(controls[2], unique(1));
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const control of controls) {
    const option = [...control.options].find((one) => one.textContent === asked.get(control.id));
    if (option) option.selected = true;
    control.addEventListener("change", show);
  }
  for (const [name, value] of data.source) {
    document.getElementById("source").append(make("dt", {}, name), make("dd", {}, value));
  }
  document.getElementById("clear").addEventListener("click", () => {
    for (const control of controls) control.value = "";
    show();
  });
  show();
})();
