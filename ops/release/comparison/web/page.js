// The page of a comparison: the videos of a prompt play together, and prompts are put in order.

const at = (id) => document.getElementById(id);
const rows = [...document.querySelectorAll(".row")];
const videosOf = (row) => [...row.querySelectorAll("video")];
const SMALL = 160; // pixels; smaller videos are enlarged without a blur
const seen = new Set();
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Begin all videos of a row at once; the longest says when it is time to begin again. */
function begin(row) {
  for (const video of videosOf(row)) {
    video.currentTime = 0;
    video.play().catch(() => {
      // The browser holds it back until somebody presses Play.
    });
  }
}

function show() {
  at("play").textContent = playing ? "Pause" : "Play";
  at("play").setAttribute("aria-pressed", String(playing));
  for (const row of rows) {
    if (playing && seen.has(row) && !row.hidden) begin(row);
    else videosOf(row).forEach((video) => video.pause());
  }
}

function toggle() {
  playing = !playing;
  show();
}

/** Those with a figure by it, then the others; of equal ones the order of the prompts. */
function sort() {
  const metric = at("metric")?.value, way = at("order").value;
  const gain = (row) => JSON.parse(row.dataset.gains)[metric];
  const ranks = {
    prompt: () => 0, difference: (gained) => -Math.abs(gained),
    better: (gained) => -gained, worse: (gained) => gained, best: (gained) => -gained, worst: (gained) => gained,
  };
  const rank = (row) => (way !== "prompt" && gain(row) === undefined ? Infinity : ranks[way](gain(row)));
  const order = (row) => Number(row.dataset.order);
  const sorted = rows.map((row) => [rank(row), order(row), row]);
  sorted.sort(([a, m], [b, n]) => (a === b ? m - n : a - b));
  at("rows").append(...sorted.map(([, , row]) => row));
  show(); // a video that is moved in the page stops
}

/** Below each video stands what the chosen metric says of it. */
function tell() {
  const metric = at("metric").value;
  for (const figure of document.querySelectorAll("figure[data-values]")) {
    const value = JSON.parse(figure.dataset.values)[metric];
    figure.querySelector(".value").textContent = value === undefined ? "" : `${metric} ${value}`;
  }
}

function filter() {
  const words = at("filter").value.trim().toLowerCase();
  for (const row of rows) row.hidden = !row.getAttribute("aria-label").toLowerCase().includes(words);
  const left = rows.filter((row) => !row.hidden).length;
  at("shown").textContent = left === rows.length ? "" : `${left} of ${rows.length}`;
  show();
}

function go(step) {
  const there = [...document.querySelectorAll(".row:not([hidden])")];
  const here = there.findIndex((row) => row.contains(document.activeElement));
  there[Math.min(there.length - 1, Math.max(0, here + step))]?.focus();
}

function enlarge(row) {
  const large = row.classList.toggle("large"), button = row.querySelector(".enlarge");
  button.textContent = large ? "Reduce" : "Enlarge";
  button.setAttribute("aria-pressed", String(large));
}

const KEYS = {" ": toggle, j: () => go(1), k: () => go(-1)};

if (rows.length) {
  for (const row of rows) {
    for (const video of videosOf(row)) {
      video.addEventListener("loadedmetadata", () => {
        video.classList.toggle("small", Math.min(video.videoWidth, video.videoHeight) < SMALL);
        video.playbackRate = Number(at("speed").value);
      });
      video.addEventListener("ended", () => {
        if (playing && videosOf(row).every((each) => each.ended || each.error)) begin(row);
      });
    }
    row.querySelector(".enlarge").addEventListener("click", () => enlarge(row));
  }
  const watch = new IntersectionObserver((entries) => {
    for (const {target, isIntersecting} of entries) {
      if (isIntersecting) seen.add(target);
      else seen.delete(target);
      if (isIntersecting && playing) begin(target);
      else videosOf(target).forEach((video) => video.pause());
    }
  }, {rootMargin: "100px"});
  rows.forEach((row) => watch.observe(row));
  at("play").addEventListener("click", toggle);
  at("speed").addEventListener("change", () => {
    for (const video of document.querySelectorAll("video")) video.playbackRate = Number(at("speed").value);
  });
  at("order").addEventListener("change", sort);
  at("metric")?.addEventListener("change", () => {
    tell();
    sort();
  });
  at("filter").addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (["INPUT", "SELECT", "BUTTON", "SUMMARY"].includes(event.target.tagName)) return;
    const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  show();
}
