// Two videos of one prompt, and a person who says which is better. Which model made which, this page does not know.

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const videos = [at("left"), at("right")];
const SMALL = 160; // pixels; smaller videos are enlarged without a blur
const SAID = {left: "left", right: "right", neither: "no difference"};
const answered = new Set(data.answered);
const given = []; // trials in the order in which they were answered here
let current = 0;
let queue = Promise.resolve();

function nextOpen() {
  return data.prompts.findIndex((_, number) => !answered.has(number));
}

function show(number) {
  current = number;
  at("prompt").textContent = data.prompts[number];
  for (const video of videos) video.src = `/trials/${number}/${video.id}.mp4`;
  count();
}

function count() {
  at("progress").textContent = `${answered.size} of ${data.prompts.length} judged`;
  at("undo").disabled = given.length === 0;
}

/** One after the other, so that quick keys judge one pair each. */
function say(side) {
  queue = queue.then(async () => {
    if (at("trial").hidden) return;
    const number = side === "undo" ? given.at(-1) : current;
    if (number === undefined) return;
    if (!(await send(number, side))) return;
    if (side === "undo") {
      given.pop();
      answered.delete(number);
      at("status").textContent = "Taken back.";
      return show(number);
    }
    given.push(number);
    answered.add(number);
    at("status").textContent = `Noted: ${SAID[side]}.`;
    const next = nextOpen();
    if (next === -1) return end();
    show(next);
  });
}

async function send(trial, side) {
  try {
    const answer = await fetch("/answers", {
      method: "POST",
      headers: {"Content-Type": "application/json", "X-Page-Token": data.token},
      body: JSON.stringify({trial, side}),
    });
    if (!answer.ok) throw new Error(await answer.text());
    at("notice").hidden = true;
    return true;
  } catch (error) {
    at("notice").textContent = `Not saved: ${error.message}`;
    at("notice").hidden = false;
    return false;
  }
}

async function end() {
  count();
  const found = await (await fetch("/result")).json();
  at("said").textContent = `${found.second} preferred to ${found.first}: ${found.told}`;
  at("told").textContent = `By these answers: ${found.word}.`;
  at("trial").hidden = true;
  at("outcome").hidden = false;
  at("more").hidden = nextOpen() === -1;
  for (const video of videos) video.pause();
}

function goOn() {
  at("outcome").hidden = true;
  at("trial").hidden = false;
  show(nextOpen());
}

/** Both begin again together, when the longer one has ended. */
function begin() {
  for (const video of videos) {
    video.currentTime = 0;
    video.play().catch(() => {
      // Begun when the person presses a key: browsers may hold videos back until then.
    });
  }
}

for (const video of videos) {
  video.addEventListener("loadeddata", () => {
    video.classList.toggle("small", Math.min(video.videoWidth, video.videoHeight) < SMALL);
    if (videos.every((each) => each.readyState >= 2)) begin();
  });
  video.addEventListener("ended", () => {
    if (videos.every((each) => each.ended || each.error)) begin();
  });
  video.addEventListener("error", () => {
    at("notice").textContent = `The ${video.id} video cannot be shown.`;
    at("notice").hidden = false;
  });
}

const KEYS = {
  ArrowLeft: () => say("left"), ArrowRight: () => say("right"), ArrowDown: () => say("neither"),
  u: () => say("undo"), e: end,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});
for (const button of document.querySelectorAll("[data-side]")) {
  button.addEventListener("click", () => say(button.dataset.side));
}
at("undo").addEventListener("click", () => say("undo"));
at("end").addEventListener("click", end);
at("more").addEventListener("click", goOn);
if (nextOpen() === -1) end();
else show(nextOpen());
