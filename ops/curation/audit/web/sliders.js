// Limits to try out: a histogram of each score with its sliders, and what they would keep.

import {beyond} from "./numbers.js";
import {shape} from "./player.js";

const POSITIONS = 1000;
const BARS = 44;
const [WIDTH, HEIGHT] = [360, 54];

export const short = (value, digits = 4) => String(Number(value.toPrecision(digits)));

/** Build the sliders into `parent`; `changed` is called after each change of a limit's `value`. */
export function buildSliders(parent, limits, rows, scored, changed) {
  const scores = [...new Set(limits.map((limit) => limit.score))];
  const groups = scores.map((score) => {
    const members = limits.filter((limit) => limit.score === score);
    const column = 2 + scored.indexOf(members[0].steps[0]);
    return new Group(parent, score, members, rows.map((row) => row[column]).filter((value) => value !== null), changed);
  });
  return {refresh: () => groups.forEach((group) => group.refresh())};
}

class Group {
  constructor(parent, score, limits, values, changed) {
    this.limits = limits;
    this.values = values;
    this.scale = new Scale([...values, ...limits.map((limit) => limit.value)], limits[0].logarithmic);
    const box = element("div", {className: "limit"}, parent);
    element("h3", {textContent: score}, box);
    this.svg = shape("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img"}, box);
    this.bars = this.#histogram();
    const ends = element("div", {className: "ends"}, box);
    const told = [short(this.scale.value(0), 2), this.scale.logarithmic ? "logarithmic" : "", short(this.scale.value(1), 2)];
    for (const textContent of told) element("span", {textContent}, ends);
    const ranges = element("div", {className: "ranges"}, box), numbers = element("div", {className: "numbers"}, box);
    this.rows = limits.map((limit) => this.#row(ranges, numbers, limit, changed));
    this.refresh();
  }

  refresh() {
    for (const {bar, middle} of this.bars) {
      const out = this.limits.some((limit) => beyond(middle, limit));
      bar.setAttribute("fill", out ? "var(--bad)" : "var(--good)");
      bar.setAttribute("opacity", out ? "0.55" : "1");
    }
    for (const {limit, range, number, line} of this.rows) {
      const place = this.scale.place(limit.value);
      range.value = Math.round(place * POSITIONS);
      range.setAttribute("aria-valuetext", short(limit.value));
      if (document.activeElement !== number) number.value = short(limit.value);
      for (const end of ["x1", "x2"]) line.setAttribute(end, place * WIDTH);
    }
    const told = this.limits.map((limit) => `${limit.bound} ${short(limit.value)}`).join(", ");
    const out = this.values.filter((value) => this.limits.some((limit) => beyond(value, limit))).length;
    this.svg.setAttribute("aria-label", `Histogram of ${this.values.length} clips; ${told}: ${out} are beyond`);
  }

  #histogram() {
    const counts = new Array(BARS).fill(0);
    for (const value of this.values) counts[Math.min(BARS - 1, Math.floor(this.scale.place(value) * BARS))] += 1;
    const most = Math.max(1, ...counts), each = WIDTH / BARS;
    shape("line", {x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5, stroke: "var(--line)"}, this.svg);
    return counts.map((count, k) => {
      const height = count ? Math.max(2, count / most * (HEIGHT - 6)) : 0;
      const place = {x: k * each + 0.5, y: HEIGHT - 1 - height, width: each - 1, height};
      return {bar: shape("rect", place, this.svg), middle: this.scale.value((k + 0.5) / BARS)};
    });
  }

  #row(ranges, numbers, limit, changed) {
    const range = element("input", {type: "range", min: 0, max: POSITIONS, step: 1}, ranges);
    const label = element("label", {textContent: limit.bound}, numbers);
    const number = element("input", {type: "number", step: "any"}, label);
    const name = `${limit.bound} of ${limit.score}`;
    range.setAttribute("aria-label", name);
    range.dataset.key = number.dataset.key = limit.key;
    number.setAttribute("aria-label", `${name}, as a number`);
    const line = shape("line", {y1: 0, y2: HEIGHT, stroke: "var(--limit)", "stroke-width": 2}, this.svg);
    range.addEventListener("input", () => {
      limit.value = Number(this.scale.value(range.value / POSITIONS).toPrecision(3));
      changed();
    });
    number.addEventListener("input", () => {
      if (number.value.trim() === "" || !Number.isFinite(number.valueAsNumber)) return;
      limit.value = number.valueAsNumber;
      changed();
    });
    number.addEventListener("change", () => this.refresh());
    return {limit, range, number, line};
  }
}

/** Places in [0, 1] of a score's values, with a little room at both ends. */
class Scale {
  constructor(values, logarithmic) {
    const positive = values.filter((value) => value > 0);
    this.logarithmic = logarithmic && positive.length > 0;
    const known = (this.logarithmic ? positive : values).map((value) => this.#bend(value));
    const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
    const room = (high - low || 1) / 25;
    [this.low, this.high] = [low - room, high + room];
  }

  place(value) {
    const bent = this.logarithmic && value <= 0 ? this.low : this.#bend(value);
    return Math.min(1, Math.max(0, (bent - this.low) / (this.high - this.low)));
  }

  value(place) {
    const bent = this.low + place * (this.high - this.low);
    return this.logarithmic ? 10 ** bent : bent;
  }

  #bend(value) {
    return this.logarithmic ? Math.log10(value) : value;
  }
}

export function element(name, properties, parent) {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
}
