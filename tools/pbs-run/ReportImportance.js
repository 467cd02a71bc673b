// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The importance of keys before and after they are sorted.

const PLOT = {left: 64, right: 26, top: 8, bottom: 22, height: 150};

class ImportanceView {
  constructor(importance) {
    this.importance = importance;
    this.reset();
  }

  reset() {
    this.from = 0;
    this.to = this.importance.keys;
  }

  /// `chooser` is null where another card has it.
  build(chooser) {
    const plot = (title) => {
      const canvas = element("canvas", {className: "plot"});
      canvas.onpointerdown = (event) => { this.dragStart = this.keyAt(event); canvas.setPointerCapture(event.pointerId); };
      canvas.onpointermove = (event) => this.point(event, title);
      canvas.onpointerup = (event) => this.zoom(event);
      canvas.ondblclick = () => { this.reset(); this.draw(); };
      return canvas;
    };
    const hasAfter = this.importance.rows.some((row) => row.after !== null);
    this.before = plot("position");
    this.after = hasAfter ? plot("place") : null;
    this.axis = element("select", {ariaLabel: "axis", onchange: () => this.draw()},
      element("option", {value: "cut", textContent: "linear, up to the 99th percentile"}),
      element("option", {value: "linear", textContent: "linear, up to the largest"}),
      element("option", {value: "logarithmic", textContent: "logarithmic"}));
    this.caption = element("p", {className: "soft small"});
    this.readout = element("div", {className: "readout"});
    return element("div", {className: "card plots"}, chooser,
      element("div", {className: "bar"}, element("h3", {textContent: "Importance of keys"}),
        element("label", {}, "axis ", this.axis),
        element("button", {type: "button", textContent: "show all keys", onclick: () => { this.reset(); this.draw(); }}),
        element("span", {className: "soft small", textContent: "drag over a plot to see some of its keys"})),
      this.caption, this.legend(),
      element("p", {className: "small", textContent: hasAfter ? "Before sorting, by original position"
        : "By original position"}), this.before,
      hasAfter ? element("p", {className: "small", textContent: "After sorting, by place"}) : null, this.after,
      this.readout);
  }

  legend() {
    const {keysPerBin, keyBlock, segment} = this.importance;
    const line = (style, text) => {
      const mark = element("i", {className: "line"});
      mark.style.borderTop = style;
      return element("span", {}, mark, text);
    };
    return element("div", {className: "legend"},
      line("8px solid #7f8c9b", keysPerBin === 1 ? "each key" : `mean of ${keysPerBin} keys; paler, their largest`),
      line(`8px solid ${INK}`, "more than the axis shows"),
      keyBlock ? line(`2px solid ${ACCENT}`, "mean of each key block") : null,
      keyBlock ? line("2px dotted #9aa5b1", "end of a key block") : null,
      segment ? line("2px solid #9aa5b1", "end of a segment") : null);
  }

  show(batch, head, heads) {
    const {rows, heads: ownHeads} = this.importance;
    this.row = rows[batch * ownHeads + Math.floor(head / (heads / ownHeads))];
    const decode = (bins) => bins && {mean: decodeBF16(bins.mean), maximum: decodeBF16(bins.maximum)};
    this.bins = {before: decode(this.row.before), after: decode(this.row.after)};
    const shared = ownHeads < heads ? `Order ${this.row.head} of ${ownHeads}, which its query heads share. ` : "";
    const {before, after} = this.bins;
    const half = (bins) => percent(this.blocksForHalf(bins.mean));
    this.caption.textContent = shared + (this.importance.keyBlock === 0 ? "" : after
      ? `Half of the importance lies in ${half(before)} of the key blocks before sorting, in ${half(after)} after.`
      : `Half of the importance lies in ${half(before)} of the key blocks.`);
    this.draw();
  }

  /// The mean importance of each key block.
  blockMeans(means) {
    const {keyBlock, keysPerBin, keys} = this.importance;
    const result = [];
    for (let first = 0; first < keys; first += keyBlock) {
      const end = Math.min(keys, first + keyBlock);
      let total = 0;
      for (let key = first; key < end; key += keysPerBin)
        total += means[key / keysPerBin] * (Math.min(key + keysPerBin, end) - key);
      result.push(total / (end - first));
    }
    return result;
  }

  /// The share of key blocks, best first, that together hold half of the importance.
  blocksForHalf(means) {
    const {keyBlock, keys} = this.importance;
    const weights = this.blockMeans(means).map((mean, block) => mean * (Math.min(keys, (block + 1) * keyBlock) - block * keyBlock));
    const falling = weights.sort((a, b) => b - a), half = sum(falling) / 2;
    let reached = 0, count = 0;
    while (count < falling.length && reached < half) reached += falling[count++];
    return Number.isFinite(half) ? count / falling.length : NaN;
  }

  draw() {
    const {before, after} = this.bins;
    const quantile = (part, kind) => {
      const positive = [...before[kind], ...(after ? after[kind] : [])]
        .filter((value) => Number.isFinite(value) && value > 0).sort((a, b) => a - b);
      return positive[Math.floor(part * (positive.length - 1))] || 1;
    };
    const largest = quantile(1, "maximum");
    this.top = this.axis.value === "cut" ? Math.min(1.25 * quantile(0.99, "mean"), largest) : largest;
    this.decades = Math.max(2, Math.min(12, Math.ceil(Math.log10(largest / quantile(0.02, "mean")))));
    this.drawPlot(this.before, before, "#7f8c9b");
    if (this.after && after) this.drawPlot(this.after, after, "#3d8fc2");
  }

  /// From 0 at the bottom to 1.
  level(value) {
    if (this.axis.value !== "logarithmic") return Math.min(1, value / this.top);
    return value > 0 ? Math.max(0, Math.min(1, 1 + Math.log10(value / this.top) / this.decades)) : 0;
  }

  drawPlot(canvas, bins, color) {
    const {keys, keysPerBin, keyBlock, segment} = this.importance;
    const total = canvas.parentElement.clientWidth - 36 || 800;
    const context = prepare(canvas, total, PLOT.height + PLOT.top + PLOT.bottom);
    const width = total - PLOT.left - PLOT.right, bottom = PLOT.top + PLOT.height;
    this.width = width;
    const scale = width / (this.to - this.from), xOf = (key) => PLOT.left + (key - this.from) * scale;
    const clip = new Path2D();
    clip.rect(PLOT.left, PLOT.top, width, PLOT.height);

    context.fillStyle = SOFT;
    context.textAlign = "right";
    const lines = this.axis.value === "logarithmic" ? [0, 0.5, 1].map((x) => 10 ** (-x * this.decades)) : [0, 0.5, 1];
    for (const part of lines) {
      const y = bottom - this.level(part * this.top) * PLOT.height;
      context.fillText(part === 0 ? "0" : (part * this.top).toExponential(1), PLOT.left - 6, y + 4);
      context.fillRect(PLOT.left, Math.round(y), width, 0.5);
    }
    context.textAlign = "center";
    let step = segment || 1;
    while (step * scale < 80) step *= 2;
    for (let key = Math.ceil(this.from / step) * step; key <= this.to; key += step)
      context.fillText(number(key), xOf(key), bottom + 15);

    context.save();
    context.clip(clip);
    this.boundaries(context, keyBlock, xOf, scale, bottom, LINE, [2, 3]);
    this.boundaries(context, segment, xOf, scale, bottom, "#9aa5b1", []);
    const first = Math.floor(this.from / keysPerBin), end = Math.ceil(this.to / keysPerBin);
    const bar = (values, alpha) => {
      context.globalAlpha = alpha;
      context.fillStyle = color;
      for (let i = first; i < end && i < values.length; ++i) {
        const x = xOf(i * keysPerBin), right = xOf(Math.min(keys, (i + 1) * keysPerBin));
        if (Number.isNaN(values[i])) {
          context.fillStyle = ACCENT;
          context.fillRect(x, bottom - 8, Math.max(1, right - x), 8);
          context.fillStyle = color;
        } else {
          const height = this.level(values[i]) * PLOT.height;
          context.fillRect(x, bottom - height, Math.max(0.6, right - x), height);
        }
      }
    };
    if (keysPerBin > 1) bar(bins.maximum, 0.25);
    bar(bins.mean, 0.85);
    context.globalAlpha = 1;
    // What the axis cuts off has a dark end.
    context.fillStyle = INK;
    for (let i = first; i < end && i < bins.mean.length; ++i)
      if (bins.mean[i] > this.top * 1.001)
        context.fillRect(xOf(i * keysPerBin), PLOT.top, Math.max(1.5, scale * keysPerBin), 4);
    if (keyBlock > 0) {
      context.strokeStyle = ACCENT;
      context.lineWidth = keyBlock * scale < 4 ? 0.75 : 1.5;
      context.beginPath();
      this.blockMeans(bins.mean).forEach((mean, block) => {
        const y = bottom - this.level(mean) * PLOT.height;
        context.lineTo(xOf(block * keyBlock), y);
        context.lineTo(xOf(Math.min(keys, (block + 1) * keyBlock)), y);
      });
      context.stroke();
    }
    context.restore();
    context.strokeStyle = "#9aa5b1";
    context.lineWidth = 1;
    context.strokeRect(PLOT.left - 0.5, PLOT.top - 0.5, width + 1, PLOT.height + 1);
  }

  /// Vertical lines every `step` keys, unless they would stand too close.
  boundaries(context, step, xOf, scale, bottom, style, dash) {
    if (!step || step * scale < 7) return;
    context.strokeStyle = style;
    context.setLineDash(dash);
    context.beginPath();
    for (let key = Math.ceil(this.from / step) * step; key <= this.to; key += step) {
      context.moveTo(xOf(key), PLOT.top);
      context.lineTo(xOf(key), bottom);
    }
    context.stroke();
    context.setLineDash([]);
  }

  keyAt(event) {
    const part = Math.max(0, Math.min(1, (event.offsetX - PLOT.left) / this.width));
    return this.from + part * (this.to - this.from);
  }

  point(event, unit) {
    const {keysPerBin, keys, segment} = this.importance;
    const key = Math.min(keys - 1, Math.floor(this.keyAt(event))), bin = Math.floor(key / keysPerBin);
    const bins = unit === "place" ? this.bins.after : this.bins.before;
    const where = keysPerBin === 1 ? `${unit} ${key}`
      : `${unit}s ${bin * keysPerBin}–${Math.min(keys, (bin + 1) * keysPerBin) - 1}`;
    const values = keysPerBin === 1 ? bins.mean[bin].toExponential(2)
      : `mean ${bins.mean[bin].toExponential(2)}, largest ${bins.maximum[bin].toExponential(2)}`;
    this.readout.textContent = `${where}${segment ? `, segment ${Math.floor(key / segment)}` : ""}: ${values}`;
  }

  zoom(event) {
    const [from, to] = [this.dragStart, this.keyAt(event)].sort((a, b) => a - b);
    const {keys, keysPerBin} = this.importance;
    if ((to - from) / (this.to - this.from) < 0.01) return;
    this.from = Math.max(0, Math.floor(from / keysPerBin) * keysPerBin);
    this.to = Math.min(keys, Math.ceil(to / keysPerBin) * keysPerBin);
    this.draw();
  }
}
