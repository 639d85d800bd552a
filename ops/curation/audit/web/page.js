// The page: one clip after another, verdicts by key, the filter's precision, and limits to try out.

import {KEPT, UNMEASURED, estimate, outcome, retention, weights} from "./numbers.js";
import {Player} from "./player.js";
import {buildSliders, element, short} from "./sliders.js";

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const words = (step) => step.replaceAll("_", " ");
const percent = (share) => `${(share * 100).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
const verdicts = new Map(data.verdicts);
const initial = data.limits.map((limit) => limit.value);
const SAID = {accept: "accepted", reject: "rejected", undo: "undone"};
const player = new Player({
  canvas: at("player"), strip: at("strip"), problem: at("problem"), series: at("series"), legend: at("legend"),
});
let current = Math.max(0, data.clips.findIndex((clip) => !verdicts.has(clip.clip_id)));
let queue = Promise.resolve();
let sliders = null;

function go(index) {
  current = (index + data.clips.length) % data.clips.length;
  player.show(data.clips[current]);
  for (let ahead = 1; ahead <= 2; ahead++) {
    player.prepare(data.clips[(current + ahead) % data.clips.length]).catch(() => {
      // Shown with its reason as soon as the clip itself is.
    });
  }
  renderClip();
}

/** One after the other, so that quick keys judge one clip each. */
function judge(entry) {
  queue = queue.then(async () => {
    const clip = entry === "undo" ? lastJudged() : data.clips[current];
    if (!clip) return say("There is nothing to undo.");
    try {
      await send(clip.clip_id, entry);
    } catch (error) {
      at("notice").textContent = `Not saved: ${error.message}`;
      at("notice").hidden = false;
      return;
    }
    verdicts.delete(clip.clip_id);
    if (entry !== "undo") verdicts.set(clip.clip_id, entry);
    const number = data.clips.indexOf(clip);
    const filter = entry === "undo" ? "" : ` The filter ${decision(clip)}.`;
    const all = verdicts.size === data.clips.length ? " All clips are judged." : "";
    say(`Clip ${number + 1} ${SAID[entry]}.${filter}${all}`);
    renderVerdicts();
    go(entry === "undo" || all ? number : nextOpen(number));
  });
}

async function send(clipId, verdict) {
  const answer = await fetch("/verdicts", {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-Page-Token": data.token},
    body: JSON.stringify({clip_id: clipId, verdict}),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

function lastJudged() {
  const id = [...verdicts.keys()].at(-1);
  return data.clips.find((clip) => clip.clip_id === id);
}

function nextOpen(from) {
  const order = data.clips.map((_, k) => (from + 1 + k) % data.clips.length);
  return order.find((index) => !verdicts.has(data.clips[index].clip_id)) ?? from;
}

function say(text) {
  at("said").textContent = text;
}

function decision(clip) {
  return clip.rejected_by === null ? "kept it" : `rejected it at ${words(clip.rejected_by)}: ${clip.reason}`;
}

function renderClip() {
  const clip = data.clips[current], verdict = verdicts.get(clip.clip_id);
  at("which").textContent = `Clip ${current + 1} of ${data.clips.length}`;
  const [width, height] = clip.preview.size;
  const frames = `frames ${clip.start_frame}–${clip.end_frame - 1}`;
  at("place").textContent = `${clip.path} · ${frames} · ${clip.seconds.toFixed(1)} s · ${width}×${height}`;
  at("place").title = `${clip.path}, clip ${clip.clip_id}`;
  at("verdict").textContent = verdict ? SAID[verdict] : "not judged";
  at("verdict").className = `badge ${verdict ?? ""}`;
  at("undo").disabled = verdicts.size === 0;
  renderFilter(clip, verdict);
  [...at("dots").children].forEach((dot, k) => {
    if (k === current) dot.setAttribute("aria-current", "true");
    else dot.removeAttribute("aria-current");
  });
}

function renderFilter(clip, verdict) {
  const box = at("filter");
  box.replaceChildren();
  if (at("blind").checked && !verdict) {
    element("span", {textContent: "What the filter decided shows once you have judged."}, box);
    return;
  }
  const text = `The filter ${decision(clip)}`;
  element("b", {className: clip.rejected_by === null ? "accept" : "reject", textContent: text}, box);
  data.scored.forEach((step, k) => {
    const score = clip.measured[2 + k], again = step === "motion_recheck" && !clip.preview.crop;
    if (score !== null && !again) element("span", {textContent: `${words(step)} ${short(score)}`}, box);
  });
}

function renderVerdicts() {
  const judged = verdicts.size, total = data.clips.length;
  at("progress").textContent = `${judged} of ${total} judged`;
  at("bar").setAttribute("aria-valuenow", judged);
  at("bar").setAttribute("aria-valuemax", total);
  at("bar").firstElementChild.style.width = `${judged / total * 100}%`;
  data.clips.forEach((clip, k) => {
    const dot = at("dots").children[k], verdict = verdicts.get(clip.clip_id);
    dot.className = verdict ?? "";
    dot.setAttribute("aria-label", `Clip ${k + 1}, ${verdict ? SAID[verdict] : "not judged"}`);
  });
  renderPrecision();
  renderAtLimits();
}

/** [clip, weight] of each judged clip of the sample. */
function weighed() {
  const judged = data.clips.filter((clip) => verdicts.has(clip.clip_id));
  const weight = weights(data.strata, judged.map((clip) => clip.stratum));
  return judged.map((clip) => [clip, weight[clip.stratum]]);
}

function agrees(clip) {
  return (verdicts.get(clip.clip_id) === "accept") === (clip.stratum === KEPT);
}

function renderPrecision() {
  const pairs = weighed();
  const of = (wanted) => estimate(pairs.filter(([clip]) => wanted(clip)).map(([clip, w]) => [w, agrees(clip)]));
  const sizes = data.strata, rejected = data.total - (sizes[KEPT] ?? 0);
  card(at("kept-card"), "kept, judged good", of((clip) => clip.stratum === KEPT), sizes[KEPT] ?? 0);
  card(at("rejected-card"), "rejected, judged bad", of((clip) => clip.stratum !== KEPT), rejected);
  const steps = Object.keys(sizes).filter((name) => name !== KEPT);
  const body = at("by-step").tBodies[0];
  body.replaceChildren();
  at("by-step").hidden = steps.length === 0;
  for (const step of steps) {
    const found = of((clip) => clip.stratum === step), row = element("tr", {}, body);
    element("td", {textContent: words(step)}, row);
    element("td", {textContent: `${found.right} of ${found.judged}`}, row);
    element("td", {textContent: found.share === null ? "–" : interval(found)}, row);
  }
}

function interval(found) {
  return `${percent(found.low)} to ${percent(found.high)}`;
}

function card(box, name, found, size) {
  box.replaceChildren();
  element("div", {className: "name", textContent: name}, box);
  element("div", {className: "share", textContent: found.share === null ? "–" : percent(found.share)}, box);
  const whisker = element("div", {className: "whisker"}, box);
  if (found.share !== null) {
    const range = element("i", {}, whisker), point = element("b", {}, whisker);
    range.style.left = `${found.low * 100}%`;
    range.style.width = `${(found.high - found.low) * 100}%`;
    point.style.left = `${found.share * 100}%`;
  }
  const told = found.share === null ? "none judged yet" : interval(found);
  element("div", {className: "interval", textContent: told}, box);
  const counts = `${found.right} of ${found.judged} judged; ${size.toLocaleString("en")} in all`;
  element("div", {className: "counts", textContent: counts}, box);
}

function renderLimits() {
  const {clips, seconds} = retention(data.rows, data.limits, data.steps, data.scored);
  const total = data.rows.length, sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
  const kept = clips[KEPT] ?? 0, open = clips[UNMEASURED] ?? 0;
  at("retained").textContent = `${kept.toLocaleString("en")} of ${total.toLocaleString("en")} clips`;
  const time = `${duration(seconds[KEPT] ?? 0)} of ${duration(sum(seconds))}`;
  at("of").textContent = `kept, ${percent(kept / total)} · ${time}`;
  const names = [KEPT, UNMEASURED, ...data.steps, ...Object.keys(clips)];
  const shown = [...new Set(names)].filter((name) => clips[name]);
  at("stack").replaceChildren();
  for (const name of shown) {
    const part = element("span", {title: `${words(name)}: ${clips[name]}`}, at("stack"));
    part.style.flexGrow = clips[name];
    part.style.background = {[KEPT]: "var(--good)", [UNMEASURED]: "var(--wait)"}[name] ?? "var(--bad)";
    if (name !== KEPT && name !== UNMEASURED) part.style.borderLeft = "1px solid var(--card)";
  }
  const out = shown.filter((name) => name !== KEPT && name !== UNMEASURED);
  const losses = out.map((name) => `${words(name)} ${clips[name]}`).join(", ");
  at("stack").setAttribute("aria-label", `${kept} kept, ${open} not measured${losses ? `, out: ${losses}` : ""}`);
  const parts = [losses ? `Out: ${losses}.` : "Nothing is out."];
  if (open) parts.push(`Up to ${open} more may stay: they were out before a later score was taken.`);
  if (total < data.total) parts.push(`Estimated from ${total.toLocaleString("en")} clips, drawn at random.`);
  at("unmeasured").textContent = parts.join(" ");
  const altered = data.limits.filter((limit, k) => limit.value !== initial[k]);
  at("reset").disabled = altered.length === 0;
  at("apply").hidden = altered.length === 0;
  const settings = altered.map((limit) => `--set ${limit.key}=${limit.value}`);
  at("command").textContent = `soraflow run --select '+curated_clips' ${settings.join(" ")}`;
  sliders?.refresh();
  renderAtLimits();
}

/** What the judged clips say about the limits that the sliders show. */
function renderAtLimits() {
  const kept = weighed().filter(([clip]) => outcome(clip.measured, data.limits, data.steps, data.scored) === KEPT);
  const found = estimate(kept.map(([clip, weight]) => [weight, verdicts.get(clip.clip_id) === "accept"]));
  at("at-limits").textContent = found.share === null
    ? "Judge clips to see how good what these limits keep would be."
    : `Of what these limits keep, you accept ${percent(found.share)} (${interval(found)}; ${found.judged} judged).`;
}

function duration(seconds) {
  if (seconds >= 7200) return `${(seconds / 3600).toFixed(1)} h`;
  return seconds >= 120 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(0)} s`;
}

function toggle(id) {
  at(id).checked = !at(id).checked;
  at(id).dispatchEvent(new Event("change"));
}

const KEYS = {
  a: () => judge("accept"), r: () => judge("reject"), u: () => judge("undo"),
  ArrowLeft: () => go(current - 1), ArrowRight: () => go(current + 1),
  b: () => toggle("blind"), c: () => toggle("crop"), " ": () => toggle("play"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const {type, tagName} = event.target;
  if (type === "number" || (type === "range" && event.key.startsWith("Arrow"))) return;
  if (event.key === " " && ["BUTTON", "INPUT"].includes(tagName)) return;
  const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});
at("accept").addEventListener("click", () => judge("accept"));
at("reject").addEventListener("click", () => judge("reject"));
at("undo").addEventListener("click", () => judge("undo"));
at("previous").addEventListener("click", () => go(current - 1));
at("next").addEventListener("click", () => go(current + 1));
at("blind").addEventListener("change", renderClip);
at("crop").addEventListener("change", () => {
  player.crop = at("crop").checked;
  player.draw();
});
at("play").addEventListener("change", () => player.play(at("play").checked));
at("reset").addEventListener("click", () => {
  data.limits.forEach((limit, k) => (limit.value = initial[k]));
  renderLimits();
});
at("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(at("command").textContent);
  say("The command is copied.");
});

at("about").textContent = `preset ${data.preset} · table ${data.version.slice(0, 10)} · seed ${data.seed}`;
at("about").title = `curated_clips, version ${data.version}`;
if (data.changed) {
  at("notice").textContent = `params.yaml holds other limits than this table was made with: ${data.changed} clips ` +
    "would be judged otherwise. Run soraflow run --select '+curated_clips', and start the audit again.";
  at("notice").hidden = false;
}
data.clips.forEach((_, k) => {
  element("button", {type: "button"}, at("dots")).addEventListener("click", () => go(k));
});
at("play").checked = !matchMedia("(prefers-reduced-motion: reduce)").matches;
player.play(at("play").checked);
sliders = buildSliders(at("sliders"), data.limits, data.rows, data.scored, renderLimits);
renderLimits();
renderVerdicts();
go(current);
