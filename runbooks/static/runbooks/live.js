// Keeps an incident's pages true while they are open.
//
// The stream says only "sequence n". Every element with data-live and an id is then fetched anew from this page's own
// address and exchanged, so what is shown is what the server says after a whole reload. Lost events cost nothing: on
// every (re)connection the stream tells the newest sequence, and a page that is behind fetches. Without a stream the
// page asks every 15 seconds. A region in which somebody types, chooses or has a menu open is left alone until they
// are done; a notice says that something waits. A region with data-live="ask" is never moved under the reader: it is
// kept ready, and a link with data-live-show exchanges it. The request says in X-Live up to which entry the reader has
// seen, so that the page can say how many are new. A region with data-live="whole" stands for its page: where the server
// sends it no longer, the page has become another one, which is then gone to.
(function () {
  "use strict";
  const POLL_MS = 15000, SETTLE_MS = 150, GAP_MS = 1000, RETRY_MS = [500, 1000, 2000, 5000, 10000];
  const STATUS_MS = 30000, SEEN_MS = 3000;
  const room = document.querySelector("[data-live-url]");
  if (!room) return;
  const url = room.dataset.liveUrl;
  let shown = Number(room.dataset.sequence), wanted = shown, seen = shown;
  let timer = 0, fetching = false, lastFetch = 0, failures = 0, source = null, held = null, isOver = false;
  let state = ["off", "Not live"];

  function say(name, words) {
    state = [name, words];
    document.querySelectorAll(".live").forEach(function (mark) {
      mark.dataset.state = name;
      if (mark.textContent !== words) mark.textContent = words;
    });
  }

  // Exchanging regions

  function isBusy(region) {
    if (region.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return true;
    for (const field of region.querySelectorAll("input, textarea, select")) {
      if (field.type === "hidden") continue;
      if (field.matches("[type=checkbox], [type=radio]")) { if (field.checked !== field.defaultChecked) return true; }
      else if (field.tagName === "SELECT") { if ([...field.options].some((o) => o.selected !== o.defaultSelected && o.defaultSelected)) return true; }
      else if (field.value !== field.defaultValue) return true;
    }
    return region.querySelector("details.menu[open]") !== null;
  }

  function swap(region, next) {
    const open = [...region.querySelectorAll("details[open][id]")].map((d) => d.id);
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.replaceWith(document.adoptNode(next));
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (window.htmx) window.htmx.process(next);
    document.dispatchEvent(new CustomEvent("live:exchanged", { detail: next }));
  }

  function exchange(fresh) {
    let heldBack = false;
    document.querySelectorAll("[data-live]").forEach(function (region) {
      const next = fresh.getElementById(region.id);
      if (!next && region.dataset.live === "whole") {
        if (isBusy(region)) heldBack = true; else location.assign(page());
        return;
      }
      if (!next || region.dataset.live === "ask") return;
      if (isBusy(region)) { heldBack = true; return; }
      if (!region.isEqualNode(next)) swap(region, next);
    });
    held = fresh;
    notice(heldBack);
    say(...state);
    announce();
  }

  function notice(heldBack) {
    let box = document.getElementById("held-back");
    if (!heldBack) { box?.remove(); return; }
    if (box) return;
    box = document.createElement("p");
    box.id = "held-back";
    box.className = "held-back notice";
    box.dataset.tone = "wait";
    box.setAttribute("role", "status");
    const link = document.createElement("a");
    link.href = page();
    link.textContent = "Show it";
    box.append("Others changed this page. What you are writing was left alone. ", link);
    document.getElementById("main").append(box);
  }

  // New entries: shown when asked for, marked until seen

  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-live-show]");
    // Another page of the list, or another order: the link goes there.
    if (!link || !held || link.search !== new URL(page(), location.href).search || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const before = seen;
    seen = sequenceOf(held);
    document.querySelectorAll("[data-live=ask]").forEach(function (region) {
      const next = held.getElementById(region.id);
      if (next) swap(region, next);
    });
    held = null;
    link.parentElement.replaceChildren();
    document.querySelectorAll("[data-entry]").forEach((row) => { if (Number(row.dataset.entry) > before) mark(row); });
    document.querySelector("[data-live=ask] .fresh a, [data-live=ask] a")?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  });

  const eye = new IntersectionObserver(function (rows) {
    rows.forEach(function (row) {
      clearTimeout(Number(row.target.dataset.seeing));
      if (row.isIntersecting) row.target.dataset.seeing = String(setTimeout(() => unmark(row.target), SEEN_MS));
    });
  }, { threshold: 0.9 });

  function mark(row) {
    row.classList.add("fresh");
    const word = document.createElement("span");
    word.className = "vh fresh-word";
    word.textContent = "New. ";
    row.querySelector(".body")?.prepend(word);
    eye.observe(row);
  }

  function unmark(row) {
    if (document.hidden) { row.dataset.seeing = String(setTimeout(() => unmark(row), SEEN_MS)); return; }
    row.classList.remove("fresh");
    row.querySelector(".fresh-word")?.remove();
    eye.unobserve(row);
  }

  // Said aloud at most every 30 seconds: a screen reader is not to read along with every entry.
  const status = document.createElement("p");
  status.className = "vh";
  status.setAttribute("role", "status");
  document.body.append(status);
  let lastStatus = -STATUS_MS, statusTimer = 0;

  function announce() {
    const wait = lastStatus + STATUS_MS - performance.now();
    if (wait > 0) { statusTimer ||= setTimeout(() => { statusTimer = 0; announce(); }, wait); return; }
    const words = document.getElementById("new-entries")?.textContent.trim() || "";
    if (words === status.textContent) return;
    status.textContent = words;
    if (words) lastStatus = performance.now();
  }

  // Fetching

  function page() { return document.querySelector("[data-live-page]")?.dataset.livePage || location.href; }

  function sequenceOf(fresh) { return Number(fresh.querySelector("[data-live-url]")?.dataset.sequence || 0); }

  async function refresh() {
    timer = 0;
    if (fetching) return;
    fetching = true;
    lastFetch = performance.now();
    const goal = wanted;
    try {
      const answer = await fetch(page(), { headers: { "X-Live": String(seen) }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown = Math.max(goal, sequenceOf(fresh));
      exchange(fresh);
    } catch {
      // Tried again with the next poll or the next event.
    } finally {
      fetching = false;
      if (wanted > shown) schedule();
    }
  }

  // At once, but a storm of entries fetches the page no more than once a second.
  function schedule() {
    if (!timer) timer = setTimeout(refresh, Math.max(SETTLE_MS, lastFetch + GAP_MS - performance.now()));
  }

  // The stream

  function connect() {
    if (isOver) return;
    let wasOpen = false;
    source = new EventSource(url);
    source.addEventListener("sequence", function (event) {
      wasOpen = true;
      failures = 0;
      const [sequence, people] = event.data.split(" ").map(Number);
      say("on", people > 1 ? `Live, ${people} people here` : "Live");
      wanted = Math.max(wanted, sequence);
      if (wanted > shown) schedule();
    });
    source.addEventListener("ended", function () {
      isOver = true;
      source.close();
      say("lost", "No longer live. Reload the page");
    });
    source.onerror = function () {
      source.close();
      if (isOver) return;
      failures += 1;
      // A server without streams is no fault: then the page asks.
      if (wasOpen || state[0] !== "off") say("lost", navigator.onLine ? "Connection lost, trying again" : "You are offline");
      else if (failures >= RETRY_MS.length) say("off", "Asks every 15 seconds");
      setTimeout(connect, RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]);
    };
  }

  // Polling is what is left while the stream is down: the page itself is asked, so nothing else needs to work.
  setInterval(function () { if (!isOver && source?.readyState !== EventSource.OPEN) schedule(); }, POLL_MS);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { connect(); schedule(); } });
  addEventListener("online", () => { if (source?.readyState === EventSource.CLOSED) { failures = 0; schedule(); } });
  document.addEventListener("focusout", () => setTimeout(() => { if (document.getElementById("held-back")) schedule(); }, 300));
  if ("EventSource" in window) connect();
})();
