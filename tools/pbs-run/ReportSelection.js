// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The selection of one part: its maps, its overview and its table.

//===--- Maps -------------------------------------------------------------===//

/// Paints rows x columns states into the device pixels of a rectangle given in CSS pixels. Where blocks are smaller than
/// pixels, a pixel has their mean color.
function paintStates(context, states, rows, columns, x, y, width, height) {
  const ratio = context.getTransform().a;
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  const image = context.createImageData(w, h), data = image.data;
  for (let j = 0, at = 0; j < h; ++j) {
    const top = Math.floor(j * rows / h), bottom = Math.max(top + 1, Math.floor((j + 1) * rows / h));
    for (let i = 0; i < w; ++i, at += 4) {
      const left = Math.floor(i * columns / w), right = Math.max(left + 1, Math.floor((i + 1) * columns / w));
      let red = 0, green = 0, blue = 0;
      for (let a = top; a < bottom; ++a)
        for (let c = left; c < right; ++c) {
          const color = COLORS[states[a * columns + c]];
          red += color[0];
          green += color[1];
          blue += color[2];
        }
      const count = (bottom - top) * (right - left);
      data[at] = red / count;
      data[at + 1] = green / count;
      data[at + 2] = blue / count;
      data[at + 3] = 255;
    }
  }
  context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
}

/// Lines between blocks where they are large, and between segments where those are.
function paintGrid(context, selection, x, y, width, height) {
  const {queryBlocks, keyBlocks, queryBlock, keyBlock, segment, queryLength, keyLength} = selection;
  const cellWidth = width / keyBlocks, cellHeight = height / queryBlocks;
  const lines = (positions, vertical) => {
    context.beginPath();
    for (const at of positions) {
      context.moveTo(vertical ? x + at : x, vertical ? y : y + at);
      context.lineTo(vertical ? x + at : x + width, vertical ? y + height : y + at);
    }
    context.stroke();
  };
  context.strokeStyle = "#fff";
  context.lineWidth = 1;
  if (cellWidth >= 6) lines(Array.from({length: keyBlocks - 1}, (_, c) => (c + 1) * cellWidth), true);
  if (cellHeight >= 6) lines(Array.from({length: queryBlocks - 1}, (_, a) => (a + 1) * cellHeight), false);
  if (segment === null) return;
  context.strokeStyle = "rgba(28,36,48,.45)";
  const keyStep = segment / keyBlock;
  if (keyStep * cellWidth >= 12) {
    const columns = [];
    for (let c = keyStep; c < keyBlocks; c += keyStep) columns.push(c * cellWidth);
    lines(columns, true);
  }
  if (queryLength === null || keyLength === null || segment / queryBlock * cellHeight < 12) return;
  const rows = [], offset = keyLength - queryLength;
  for (let p = (Math.floor(offset / segment) + 1) * segment; p < keyLength; p += segment)
    rows.push((p - offset) / queryBlock * cellHeight);
  lines(rows, false);
}

const MAP = {left: 58, top: 30, gap: 22, bars: 150, right: 24, bottom: 12};

/// The map of a head with the share of each query block beside it. Returns where the map is.
function drawMap(canvas, selection, states, counts) {
  const {queryBlocks, keyBlocks, reach} = selection;
  const available = canvas.parentElement.clientWidth || 800;
  const width = Math.max(120, Math.min(640, available - MAP.left - MAP.gap - MAP.bars - MAP.right));
  const height = Math.max(Math.min(width, 90), Math.min(width, Math.round(width * queryBlocks / keyBlocks)));
  const total = MAP.left + width + MAP.gap + MAP.bars + MAP.right;
  canvas.style.width = total + "px";
  const context = prepare(canvas, total, MAP.top + height + MAP.bottom);
  const x = MAP.left, y = MAP.top;

  context.fillStyle = SOFT;
  context.textAlign = "center";
  context.fillText("key block", x + width / 2, 12);
  context.save();
  context.translate(12, y + height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText("query block", 0, 0);
  context.restore();
  for (const c of ticks(keyBlocks - 1, 8)) context.fillText(c, x + (c + 0.5) * width / keyBlocks, y - 5);
  context.textAlign = "right";
  for (const a of ticks(queryBlocks - 1, Math.max(1, Math.min(8, Math.floor(height / 24)))))
    context.fillText(a, x - 6, y + (a + 0.5) * height / queryBlocks + 4);

  if (states) {
    paintStates(context, states, queryBlocks, keyBlocks, x, y, width, height);
    paintGrid(context, selection, x, y, width, height);
  } else {
    context.fillStyle = "#f0f3f6";
    context.fillRect(x, y, width, height);
    context.fillStyle = SOFT;
    context.textAlign = "center";
    context.fillText("left out, to keep the page small", x + width / 2, y + height / 2);
  }
  context.strokeStyle = "#9aa5b1";
  context.strokeRect(x - 0.5, y - 0.5, width + 1, height + 1);

  const barLeft = x + width + MAP.gap;
  context.fillStyle = SOFT;
  context.textAlign = "center";
  context.fillText("share of the query block", barLeft + MAP.bars / 2, 12);
  for (const part of [0, 0.5, 1])
    context.fillText(100 * part + (part === 1 ? " %" : ""), barLeft + part * MAP.bars, y - 5);
  const lanes = Math.min(queryBlocks, Math.max(1, Math.floor(height)));
  const lane = height / lanes, thick = lane >= 5 ? lane - 1 : lane;
  for (let i = 0; i < lanes; ++i) {
    const first = Math.floor(i * queryBlocks / lanes), end = Math.floor((i + 1) * queryBlocks / lanes);
    let whole = 0, masked = 0, reachable = 0;
    for (let a = first; a < end; ++a) {
      whole += counts[2 * a];
      masked += counts[2 * a + 1];
      reachable += reach[a];
    }
    const top = y + i * lane + (lane - thick) / 2;
    const bar = (color, from, to) => {
      context.fillStyle = css(COLORS[color]);
      context.fillRect(barLeft + from / reachable * MAP.bars, top, (to - from) / reachable * MAP.bars, thick);
    };
    bar(UNLISTED, 0, reachable);
    bar(WHOLE, 0, whole);
    bar(MASKED, whole, whole + masked);
  }
  context.fillStyle = "rgba(28,36,48,.3)";
  for (const part of [0, 0.5, 1]) context.fillRect(Math.round(barLeft + part * MAP.bars) - 0.5, y, 1, height);
  return {x, y, width, height, barLeft};
}

function legend(hasUnreachable, segment) {
  return element("div", {className: "legend"}, ...[WHOLE, MASKED, UNLISTED, UNREACHABLE]
    .filter((state) => state !== UNREACHABLE || hasUnreachable)
    .map((state) => {
      const swatch = element("i");
      swatch.style.background = css(COLORS[state]);
      const reason = state !== UNREACHABLE ? "" : segment === null ? " (beyond the last row)" : " (beyond the last own segment)";
      return element("span", {}, swatch, STATE_NAMES[state] + reason);
    }));
}

//===--- Selection --------------------------------------------------------===//

const headName = (row, batch) => (batch > 1 ? `batch ${row.batch}, ` : "") + `head ${row.head}`;

class SelectionView {
  constructor(selection, choose) {
    this.selection = selection;
    this.reachable = sum(selection.reach);
    this.hasUnreachable = selection.reach.some((end) => end < selection.keyBlocks);
    for (const row of selection.rows) row.share = (row.whole + row.masked) / this.reachable;
    this.choose = choose;
    this.maps = new Map();
  }

  states(index) {
    // A few maps are kept; a page may have many and large ones.
    if (!this.maps.has(index)) {
      if (this.maps.size >= 4) this.maps.delete(this.maps.keys().next().value);
      this.maps.set(index, decodeMap(this.selection, this.selection.rows[index]));
    }
    return this.maps.get(index);
  }

  tiles() {
    const {rows} = this.selection;
    const whole = sum(rows.map((row) => row.whole)), masked = sum(rows.map((row) => row.masked));
    const shares = rows.map((row) => row.share), all = rows.length * this.reachable;
    const tile = (value, label, className = "tile") =>
      element("div", {className}, element("b", {textContent: value}), element("span", {textContent: label}));
    const result = [
      tile(percent((whole + masked) / all), "of the reachable blocks are computed", "tile main"),
      tile(number(whole + masked), `blocks listed, of ${number(all)} reachable`),
      tile(number(whole), "whole blocks, without a mask"),
      tile(number(masked), "masked blocks"),
    ];
    const [lowest, highest] = [Math.min(...shares), Math.max(...shares)];
    if (lowest < highest)
      result.push(tile(`${(100 * lowest).toFixed(1)} – ${percent(highest)}`, "share per head, lowest to highest"));
    if (rows.some((row) => row.cut !== null))
      result.push(tile(number(sum(rows.map((row) => row.cut))),
        `query blocks cut by the capacity, of ${number(rows.length * this.selection.queryBlocks)}`));
    return element("div", {className: "tiles"}, ...result);
  }

  overview() {
    const {rows, batch, queryBlocks, keyBlocks} = this.selection;
    const width = 84, height = Math.max(16, Math.min(width, Math.round(width * queryBlocks / keyBlocks)));
    this.thumbnails = rows.map((row, index) => {
      const canvas = element("canvas");
      canvas.style.width = width + "px";
      prepare(canvas, width, height);
      const button = element("button", {className: "thumbnail", type: "button", onclick: () => this.choose(index)},
        canvas, headName(row, batch), element("br"), element("b", {textContent: percent(row.share)}));
      return {button, canvas};
    });
    const paint = (index) => {
      if (index >= rows.length) return;
      const states = decodeMap(this.selection, rows[index]);
      if (states)
        paintStates(this.thumbnails[index].canvas.getContext("2d"), states, queryBlocks, keyBlocks, 0, 0, width, height);
      setTimeout(paint, 0, index + 1);
    };
    setTimeout(paint, 0, 0);
    return element("div", {className: "card"}, element("h3", {textContent: "All heads"}),
      element("div", {className: "thumbnails"}, ...this.thumbnails.map((thumbnail) => thumbnail.button)));
  }

  table() {
    const {rows, batch} = this.selection;
    const hasCut = rows.some((row) => row.cut !== null), hasScore = rows.some((row) => row.keptScore !== null);
    const heading = [batch > 1 ? "batch, head" : "head", "listed", "whole", "masked", "share"]
      .concat(hasScore ? ["score kept"] : [], hasCut ? ["cut"] : []);
    const line = (name, row, properties) => {
      const share = element("td", {className: "share", textContent: percent(row.share)});
      share.style.setProperty("--part", row.share);
      const cells = [row.whole + row.masked, row.whole, row.masked].map((x) => element("td", {textContent: number(x)}));
      return element("tr", properties, element("td", {textContent: name}), ...cells, share,
        hasScore ? element("td", {textContent: row.keptScore === null ? "–" : percent(row.keptScore)}) : null,
        hasCut ? element("td", {textContent: row.cut === null ? "–" : number(row.cut)}) : null);
    };
    this.lines = rows.map((row, index) => line(batch > 1 ? `${row.batch}, ${row.head}` : `head ${row.head}`, row, {onclick: () => this.choose(index)}));
    const total = (key) => sum(rows.map((row) => row[key] || 0));
    const scores = rows.map((row) => row.keptScore).filter((score) => score !== null);
    const all = line("all", {
      whole: total("whole"), masked: total("masked"), cut: total("cut"), share: total("share") / rows.length,
      keptScore: scores.length ? sum(scores) / scores.length : null,
    }, {className: "total"});
    const table = element("table", {},
      element("thead", {}, element("tr", {}, ...heading.map((name) => element("th", {textContent: name})))),
      element("tbody", {}, all, ...this.lines));
    const hint = hasScore ? "Score kept: the share of the candidates' scores in listed blocks, as a mean over query blocks." : "";
    return element("div", {}, element("div", {className: "tablebox"}, table),
      element("p", {className: "soft small", textContent: hint}));
  }

  map() {
    this.canvas = element("canvas", {className: "map"});
    this.readout = element("div", {className: "readout"});
    this.canvas.onmousemove = (event) => this.point(event);
    this.canvas.onmouseleave = () => { this.readout.textContent = this.summary; };
    return element("div", {}, legend(this.hasUnreachable, this.selection.segment), element("div", {}, this.canvas), this.readout);
  }

  show(index) {
    this.index = index;
    const row = this.selection.rows[index];
    this.counts = decodeU16(row.counts);
    this.summary = `${number(row.whole + row.masked)} of ${number(this.reachable)} blocks listed, ${percent(row.share)}; ` +
      "point at the map for a block";
    this.readout.textContent = this.summary;
    this.place = drawMap(this.canvas, this.selection, this.states(index), this.counts);
    this.thumbnails.forEach(({button}, i) => button.classList.toggle("chosen", i === index));
    this.lines.forEach((line, i) => line.classList.toggle("chosen", i === index));
  }

  point(event) {
    const {queryBlocks, keyBlocks, queryBlock, keyBlock, queryLength, keyLength, reach} = this.selection;
    const {x, y, width, height, barLeft} = this.place;
    const a = Math.floor((event.offsetY - y) / height * queryBlocks);
    const c = Math.floor((event.offsetX - x) / width * keyBlocks);
    if (a < 0 || a >= queryBlocks) {
      this.readout.textContent = this.summary;
      return;
    }
    const range = (block, size, length) => `${block * size}–${Math.min((block + 1) * size, length || Infinity) - 1}`;
    let text = `query block ${a} (queries ${range(a, queryBlock, queryLength)})`;
    const states = this.states(this.index);
    if (c >= 0 && c < keyBlocks && states)
      text += `, key block ${c} (places ${range(c, keyBlock, keyLength)}): ${STATE_NAMES[states[a * keyBlocks + c]]}`;
    else if (event.offsetX >= barLeft - 4)
      text += `: ${this.counts[2 * a]} whole and ${this.counts[2 * a + 1]} masked of ${reach[a]} reachable blocks`;
    this.readout.textContent = text;
  }
}
