// A clip moving, as a strip of frames, and the distances that its cuts come from.

const SVG = "http://www.w3.org/2000/svg";
const STRIP_GAP = 3;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Player {
  constructor({canvas, strip, problem, series, legend}) {
    Object.assign(this, {canvas, strip, problem, series, legend});
    this.sheets = new Map();
    this.playing = false;
    this.crop = true;
    this.shown = null;
    this.frame = 0;
    strip.addEventListener("click", (event) => this.#jump(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    requestAnimationFrame((time) => this.#tick(time));
  }

  /** Fetch a clip's sheet ahead of time. */
  prepare(clip) {
    if (!this.sheets.has(clip.clip_id)) this.sheets.set(clip.clip_id, load(clip.clip_id));
    return this.sheets.get(clip.clip_id);
  }

  async show(clip) {
    this.shown = {clip, sheet: null, frames: clip.preview.indices.filter((index) => !beside(clip, index))};
    this.frame = this.playing ? 0 : Math.floor(this.shown.frames.length / 2);
    this.began = null;
    this.problem.hidden = true;
    this.canvas.setAttribute("aria-label", `Frames ${clip.start_frame} to ${clip.end_frame - 1} of ${clip.path}`);
    this.strip.setAttribute("aria-label", stripLabel(clip));
    drawSeries(this.series, this.legend, clip);
    this.draw();
    const shown = this.shown;
    try {
      shown.sheet = await this.prepare(clip);
    } catch (error) {
      this.sheets.delete(clip.clip_id);
      if (shown !== this.shown) return;
      this.problem.textContent = error.message;
      this.problem.hidden = false;
    }
    if (shown === this.shown) this.draw();
  }

  play(on) {
    this.playing = on;
    this.began = null;
    this.draw();
  }

  draw() {
    if (!this.shown) return;
    this.canvas.dataset.ready = String(this.shown.sheet !== null);
    this.#drawScreen();
    this.#drawStrip();
  }

  #tick(time) {
    requestAnimationFrame((next) => this.#tick(next));
    if (!this.playing || !this.shown?.sheet) return;
    const {clip, frames} = this.shown;
    const each = clip.seconds * 1000 / frames.length;
    this.began ??= time - this.frame * each;
    const frame = Math.floor((time - this.began) / each) % frames.length;
    if (frame === this.frame) return;
    this.frame = frame;
    this.#drawScreen();
  }

  #drawScreen() {
    const {pen, width, height} = prepared(this.canvas);
    const {sheet, clip, frames} = this.shown;
    if (!sheet) return;
    const [wide, tall] = clip.preview.tile;
    const scale = Math.min(width / wide, height / tall);
    const box = [(width - wide * scale) / 2, (height - tall * scale) / 2, wide * scale, tall * scale];
    this.#tile(pen, frames[this.frame], box, 2);
  }

  #drawStrip() {
    const {pen, width, height} = prepared(this.strip);
    const {sheet, clip, frames} = this.shown;
    this.places = [];
    if (!sheet) return;
    const {before, after, tile: [wide, tall]} = clip.preview;
    const each = Math.min(wide * height / tall, width / 3);
    const around = [before, after].filter((index) => index !== null).length;
    const fits = Math.max(1, Math.min(frames.length, Math.floor((width + STRIP_GAP) / (each + STRIP_GAP)) - around));
    const chosen = Array.from({length: fits}, (_, k) => Math.floor((k + 0.5) * frames.length / fits));
    const cells = chosen.map((number) => ({index: frames[number], number}));
    if (before !== null) cells.unshift({index: before, cut: "end"});
    if (after !== null) cells.push({index: after, cut: "start"});
    let left = (width - cells.length * each - (cells.length - 1) * STRIP_GAP) / 2;
    for (const cell of cells) {
      pen.globalAlpha = cell.cut ? 0.45 : 1;
      this.#tile(pen, cell.index, [left, 0, each, height], 1);
      pen.globalAlpha = 1;
      if (cell.cut) cutMark(pen, cell.cut === "end" ? left + each + STRIP_GAP / 2 : left - STRIP_GAP / 2, height);
      else this.places.push({left, right: left + each, number: cell.number});
      left += each + STRIP_GAP;
    }
  }

  #tile(pen, index, [x, y, width, height], line) {
    const {tile: [wide, tall], columns, indices, size, crop} = this.shown.clip.preview;
    const place = indices.indexOf(index);
    const from = [(place % columns) * wide, Math.floor(place / columns) * tall, wide, tall];
    pen.drawImage(this.shown.sheet, ...from, x, y, width, height);
    if (!crop || !this.crop || beside(this.shown.clip, index)) return;
    const [x0, x1, y0, y1] = crop;
    const across = width / size[0], down = height / size[1];
    const inner = [x + x0 * across, y + y0 * down, (x1 - x0) * across, (y1 - y0) * down];
    pen.fillStyle = "rgba(8, 9, 14, .62)";
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.rect(...inner);
    pen.fill("evenodd");
    pen.strokeStyle = "#ffd166";
    pen.lineWidth = line;
    pen.strokeRect(inner[0] + line / 2, inner[1] + line / 2, inner[2] - line, inner[3] - line);
  }

  #jump(event) {
    const x = event.offsetX;
    const found = (this.places ?? []).find((place) => place.left <= x && x <= place.right);
    if (!found) return;
    this.frame = found.number;
    this.began = null;
    this.#drawScreen();
  }
}

async function load(clipId) {
  const answer = await fetch(`/clips/${encodeURIComponent(clipId)}.jpg`);
  if (!answer.ok) throw new Error(await answer.text());
  return createImageBitmap(await answer.blob());
}

function beside(clip, index) {
  return index === clip.preview.before || index === clip.preview.after;
}

function stripLabel(clip) {
  const {before, after, crop} = clip.preview;
  const parts = ["Frames of the clip in order"];
  if (before !== null) parts.push(`a jump cut before it, after frame ${before}`);
  if (after !== null) parts.push(`a jump cut after it, before frame ${after}`);
  if (crop) parts.push(`cropped to x ${crop[0]} to ${crop[1]}, y ${crop[2]} to ${crop[3]}`);
  return parts.join("; ");
}

/** A clean canvas at the screen's resolution, with sizes in CSS pixels. */
function prepared(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.imageSmoothingQuality = "high";
  return {pen, width, height};
}

function cutMark(pen, x, height) {
  pen.strokeStyle = colour("--limit");
  pen.lineWidth = 3;
  pen.setLineDash([7, 4]);
  pen.beginPath();
  pen.moveTo(x, 0);
  pen.lineTo(x, height);
  pen.stroke();
  pen.setLineDash([]);
}

export function shape(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

/** Bars of the distances over the slice, this clip's part of it, and the cuts. */
function drawSeries(svg, legend, clip) {
  svg.parentElement.hidden = !clip.series;
  svg.replaceChildren();
  if (!clip.series) return;
  const {frames, distances, cuts, sure} = clip.series;
  const first = Math.min(frames[0], clip.start_frame), last = Math.max(frames.at(-1), clip.end_frame);
  const across = (frame) => (frame - first) / (last - first) * 1000;
  const top = Math.max(sure, ...distances) * 1.08, down = (value) => 100 - value / top * 100;
  svg.setAttribute("viewBox", "0 0 1000 100");
  const span = across(clip.end_frame) - across(clip.start_frame);
  shape("rect", {x: across(clip.start_frame), y: 0, width: span, height: 100, fill: "var(--good-pale)"}, svg);
  distances.forEach((distance, k) => {
    const left = across(frames[k]), width = Math.max(1, across(frames[k + 1]) - left - 1.5);
    const fill = cuts.includes(k) ? "var(--limit)" : "var(--good)";
    shape("rect", {x: left, y: down(distance), width, height: 100 - down(distance), fill}, svg);
  });
  const dashed = {stroke: "var(--limit)", "stroke-dasharray": "4 4", "vector-effect": "non-scaling-stroke"};
  shape("line", {x1: 0, x2: 1000, y1: down(sure), y2: down(sure), ...dashed}, svg);
  for (const cut of cuts) {
    const edge = [clip.start_frame, clip.end_frame].find((frame) => frames[cut] < frame && frame <= frames[cut + 1]);
    const x = edge === undefined ? (across(frames[cut]) + across(frames[cut + 1])) / 2 : across(edge);
    shape("line", {x1: x, x2: x, y1: 0, y2: 100, ...dashed, "stroke-width": 2, class: "cut"}, svg);
  }
  const told = cuts.length === 1 ? "1 jump cut" : `${cuts.length || "no"} jump cuts`;
  legend.textContent = `Distances of sampled frames along the slice, ${told}; dashed: sure cut above ${sure}; shaded: this clip`;
  svg.setAttribute("aria-label", legend.textContent);
}
