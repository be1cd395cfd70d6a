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
