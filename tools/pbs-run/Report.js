// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws the page of pbs-run --report from the data that tools/pbs-run/Report.h
// describes.
"use strict";

const UNLISTED = 0, WHOLE = 1, MASKED = 2, UNREACHABLE = 3;
const STATE_NAMES = ["not listed", "whole", "masked", "not reachable"];
const COLORS = [[220, 225, 231], [0, 114, 178], [230, 159, 0], [250, 251, 252]];
const css = (color) => `rgb(${color.join(",")})`;
const INK = "#1c2430", SOFT = "#5d6875", LINE = "#d9dee5", ACCENT = "#d1375b";
const FONT = '12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

//===--- Helpers ----------------------------------------------------------===//

function element(name, properties = {}, ...children) {
  const result = Object.assign(document.createElement(name), properties);
  result.append(...children.filter((child) => child !== null));
  return result;
}

const number = (value) => value.toLocaleString("en-US");
const percent = (share) => Number.isFinite(share) ? (100 * share).toFixed(1) + " %" : "–";
const sum = (values) => values.reduce((a, b) => a + b, 0);

function decodeBytes(text) {
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; ++i) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

function decodeU16(text) {
  const bytes = decodeBytes(text), values = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < values.length; ++i) values[i] = bytes[2 * i] | (bytes[2 * i + 1] << 8);
  return values;
}

/// bf16 is the upper half of a float32.
function decodeBF16(text) {
  const halves = decodeU16(text), words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; ++i) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/// The states of a head, queryBlocks x keyBlocks; null if the page has no map of it.
function decodeMap(selection, row) {
  if (row.map === null) return null;
  const {queryBlocks, keyBlocks, columns, reach} = selection;
  const bytes = decodeBytes(row.map), states = new Uint8Array(queryBlocks * keyBlocks).fill(UNREACHABLE);
  let at = -1, left = 0, packed = 0;
  for (let a = 0; a < queryBlocks; ++a)
    for (let c = 0; c < columns[a]; ++c) {
      if (left === 0) {
        packed = bytes[++at];
        left = 5;
      }
      const state = packed % 3;
      packed = (packed - state) / 3;
      --left;
      states[a * keyBlocks + c] = state === UNLISTED && c >= reach[a] ? UNREACHABLE : state;
    }
  return states;
}

/// Sizes a canvas for the screen; returns its context in CSS pixels.
function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = FONT;
  return context;
}

/// Multiples of a power of two from 0 to `end`, in at most `most` steps.
function ticks(end, most) {
  const result = [];
  let step = 1;
  while (end / step > most) step *= 2;
  for (let x = 0; x <= end; x += step) result.push(x);
  return result;
}

//===--- Page -------------------------------------------------------------===//

function factList(facts) {
  return facts.map(([label, text]) =>
    element("div", {}, element("dt", {textContent: label}), element("dd", {textContent: text})));
}

function buildPart(part) {
  const section = element("section", {}, element("h2", {textContent: part.title}));
  document.getElementById("parts").append(section);
  if (part.facts.length || part.missing.length)
    section.append(element("div", {className: "card"}, element("dl", {className: "facts"}, ...factList(part.facts)),
      element("ul", {className: "missing"}, ...part.missing.map((text) => element("li", {textContent: text})))));
  const {selection, importance} = part;
  const importanceView = importance && new ImportanceView(importance);
  const view = selection && new SelectionView(selection, (index) => choose(index));
  const rows = selection ? selection.rows : importance ? importance.rows : [];
  if (!rows.length) return;
  const heads = selection ? selection.heads : importance.heads, batch = rows.length / heads;

  const chooser = element("select", {ariaLabel: "head", onchange: () => choose(chooser.selectedIndex)},
    ...rows.map((row) => element("option", {textContent: headName(row, batch)})));
  const choose = (index) => {
    chooser.selectedIndex = index;
    if (view) view.show(index);
    if (importanceView) importanceView.show(rows[index].batch, rows[index].head, heads);
  };
  const step = (by) => choose((chooser.selectedIndex + by + rows.length) % rows.length);
  const bar = element("div", {className: "chooser"}, element("h3", {textContent: "One head"}),
    element("button", {type: "button", textContent: "‹", ariaLabel: "previous head", onclick: () => step(-1)}), chooser,
    element("button", {type: "button", textContent: "›", ariaLabel: "next head", onclick: () => step(1)}));
  if (view) {
    section.append(view.tiles());
    if (rows.length > 1) section.append(view.overview());
    else view.thumbnails = [];
    section.append(element("div", {className: "card"}, bar,
      element("div", {className: "columns"}, view.map(), view.table())));
  }
  if (importanceView) section.append(importanceView.build(view ? null : bar));
  const initial = () => choose(Math.max(0, chooser.selectedIndex));
  initial();
  window.addEventListener("resize", initial);
}

function buildPage() {
  const report = JSON.parse(document.getElementById("data").textContent);
  document.title = `${report.title}: block selection`;
  document.getElementById("title").textContent = `Block selection of ${report.title}`;
  document.getElementById("facts").append(...factList(report.facts));
  document.getElementById("parts").textContent = "";
  if (!report.parts.length)
    document.getElementById("parts").append(element("p", {className: "card",
      textContent: "This function computes and takes neither importance nor a permutation, scores or a selection."}));
  report.parts.forEach(buildPart);
}
