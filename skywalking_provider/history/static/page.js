// Keeps the page as it would be if it were loaded anew, without losing what is open, focused or typed.
"use strict";

const EVERY = 5000;
const LONGEST = 60000; // for a page of thousands of measurements
const form = document.getElementById("filters");
const live = document.getElementById("live");
const pause = document.getElementById("pause");
let paused = false;
let timer = 0;
let asking = null;

function address() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

function say(state, text) {
  live.dataset.state = state;
  document.getElementById("live-text").textContent = text;
}

function schedule() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, EVERY);
}

function refresh() {
  clearTimeout(timer);
  if (asking) asking.abort();
  const request = (asking = new XMLHttpRequest());
  request.open("GET", address());
  request.responseType = "document";
  request.timeout = EVERY;
  request.onprogress = () => (request.timeout = LONGEST);
  request.onload = () => {
    if (request.status === 200 && request.responseXML) show(request.responseXML);
    else say("lost", `the service answered ${request.status}`);
  };
  request.onerror = request.ontimeout = () => say("lost", "the service does not answer");
  request.onloadend = () => {
    if (asking === request) schedule();
  };
  request.send();
}

function show(fresh) {
  say("live", fresh.getElementById("live-text").textContent);
  document.title = fresh.title;
  for (const count of document.querySelectorAll("[data-count]"))
    count.textContent = fresh.querySelector(`[data-count="${count.dataset.count}"]`).textContent;
  for (const id of ["namespace", "metric"]) options(document.getElementById(id), fresh.getElementById(id));
  entries(document.getElementById("list"), fresh.getElementById("list"));
}

function options(mine, fresh) {
  if (document.activeElement === mine) return;
  const chosen = mine.value;
  mine.replaceChildren(...fresh.children);
  mine.value = chosen;
}

function entries(mine, fresh) {
  const anchor = [...mine.children].find((one) => one.getBoundingClientRect().top >= 0 && one.localName === "details");
  const before = anchor ? anchor.getBoundingClientRect().top : 0;
  const focused = document.activeElement && document.activeElement.id;
  const nodes = [...fresh.children].map((one) => {
    const old = one.id ? document.getElementById(one.id) : null;
    if (!old || old.localName !== one.localName) return one;
    if (one.dataset.version ? old.dataset.version === one.dataset.version : old.isEqualNode(one)) return old;
    one.open = old.open;
    return one;
  });
  mine.replaceChildren(...nodes);
  if (focused && document.activeElement.id !== focused) {
    const again = document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  }
  const still = anchor && window.scrollY > 0 ? document.getElementById(anchor.id) : null;
  if (still) window.scrollBy(0, still.getBoundingClientRect().top - before);
}

function filtered() {
  history.replaceState(null, "", address());
  refresh();
}

document.documentElement.classList.add("scripted");
pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  if (paused) {
    clearTimeout(timer);
    say("paused", "paused");
  } else refresh();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  filtered();
});
form.addEventListener("change", filtered);
document.getElementById("name").addEventListener("input", filtered);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : !paused && refresh()));
schedule();
