"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const CHANNELS = { email: "E-mail", push: "Push", audio: "Sound" };
const byId = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en");

const made = (node, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const make = (name, attributes = {}, ...children) => made(document.createElement(name), attributes, children);
const draw = (name, attributes, ...children) =>
  made(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

// Breaks after these signs are better than breaks anywhere, where there is no room.
const breakable = (text) => text.split(/(?<=[@._])/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));

// What a link leads to may be anything that somebody has configured: only the web is followed.
const linked = (text, link) =>
  /^https?:\/\//.test(link || "") ? make("a", { href: link, target: "_blank", rel: "noreferrer" }, text) : text;

const describe = (list, rows) => {
  for (const [term, text] of rows) list.append(make("div", {}, make("dt", {}, term), make("dd", {}, text)));
};

// The arrows walk among the buttons of a table, which is one stop of TAB.
const walk = (event) => {
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
  if (!x && !y) return;
  event.preventDefault();
  const buttons = [...event.currentTarget.querySelectorAll("tbody button")];
  const row = (button) => button.closest("tr").rowIndex;
  const column = (button) => button.getBoundingClientRect().left;
  const ahead = buttons.filter((button) =>
    x ? row(button) === row(event.target) && (column(button) - column(event.target)) * x > 0 : (row(button) - row(event.target)) * y > 0);
  const far = (button) => Math.abs(column(button) - column(event.target)) + 1e5 * Math.abs(row(button) - row(event.target));
  const [next] = ahead.sort((a, b) => far(a) - far(b));
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
};
const walkable = (table) => {
  table.addEventListener("keydown", walk);
  const [first] = table.querySelectorAll("tbody button");
  if (first) first.tabIndex = 0;
};
