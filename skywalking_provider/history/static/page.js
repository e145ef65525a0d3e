// Refreshes the page in place. Open entries, the focus and typed text stay.
"use strict";

const REFRESH_MS = 5000;
const MAX_LOAD_MS = 60000; // a page with thousands of measurements takes seconds
const form = document.getElementById("filters");
const refreshStatus = document.getElementById("refresh-status");
const pause = document.getElementById("pause");
let paused = false;
let timer = 0;
let pending = null;

function pageAddress() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

function setStatus(state, text) {
  refreshStatus.dataset.state = state;
  document.getElementById("refresh-text").textContent = text;
}

function schedule() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, REFRESH_MS);
}

function refresh() {
  clearTimeout(timer);
  if (pending) pending.abort();
  const request = (pending = new XMLHttpRequest());
  request.open("GET", pageAddress());
  request.responseType = "document";
  request.timeout = REFRESH_MS;
  request.onprogress = () => (request.timeout = MAX_LOAD_MS);
  request.onload = () => {
    if (request.status === 200 && request.responseXML) update(request.responseXML);
    else setStatus("disconnected", `the service returned status ${request.status}`);
  };
  request.onerror = request.ontimeout = () => setStatus("disconnected", "the service does not respond");
  request.onloadend = () => {
    if (pending === request) schedule();
  };
  request.send();
}

function update(fresh) {
  setStatus("live", fresh.getElementById("refresh-text").textContent);
  document.title = fresh.title;
  for (const count of document.querySelectorAll("[data-count]"))
    count.textContent = fresh.querySelector(`[data-count="${count.dataset.count}"]`).textContent;
  for (const id of ["namespace", "metric"]) updateOptions(document.getElementById(id), fresh.getElementById(id));
  updateEntries(document.getElementById("list"), fresh.getElementById("list"));
}

function updateOptions(current, fresh) {
  if (document.activeElement === current) return;
  const selected = current.value;
  current.replaceChildren(...fresh.children);
  current.value = selected;
}

function updateEntries(current, fresh) {
  const anchor = [...current.children].find((one) => one.getBoundingClientRect().top >= 0 && one.localName === "details");
  const anchorTop = anchor ? anchor.getBoundingClientRect().top : 0;
  const focused = document.activeElement && document.activeElement.id;
  const nodes = [...fresh.children].map((one) => {
    const old = one.id ? document.getElementById(one.id) : null;
    if (!old || old.localName !== one.localName) return one;
    if (one.dataset.version ? old.dataset.version === one.dataset.version : old.isEqualNode(one)) return old;
    one.open = old.open;
    return one;
  });
  current.replaceChildren(...nodes);
  if (focused && document.activeElement.id !== focused) {
    const refocused = document.getElementById(focused);
    if (refocused) refocused.focus({ preventScroll: true });
  }
  const visible = anchor && window.scrollY > 0 ? document.getElementById(anchor.id) : null;
  if (visible) window.scrollBy(0, visible.getBoundingClientRect().top - anchorTop);
}

function applyFilter() {
  history.replaceState(null, "", pageAddress());
  refresh();
}

document.documentElement.classList.add("js-enabled");
pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  if (paused) {
    clearTimeout(timer);
    setStatus("paused", "paused");
  } else refresh();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  applyFilter();
});
form.addEventListener("change", applyFilter);
document.getElementById("name").addEventListener("input", applyFilter);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : !paused && refresh()));
schedule();
