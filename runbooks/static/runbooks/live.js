// Keeps an incident's pages true while they are open.
//
// The stream says only "sequence n". Every element with data-live and an id is then fetched anew from this page's own
// address and exchanged, so what is shown is what the server says after a whole reload. Lost events cost nothing: on
// every (re)connection the stream tells the newest sequence, and a page that is behind fetches. Without a stream the
// page asks every 15 seconds. A region in which somebody types, chooses or has a menu open is left alone until they
// are done; a notice says that something waits.
(function () {
  "use strict";
  const POLL_MS = 15000, SETTLE_MS = 150, RETRY_MS = [500, 1000, 2000, 5000, 10000];
  const room = document.querySelector("[data-live-url]");
  if (!room) return;
  let shown = Number(room.dataset.sequence), wanted = shown, timer = 0, fetching = false, failures = 0, source = null;

  function say(state, words) {
    document.querySelectorAll(".live").forEach(function (mark) {
      mark.dataset.state = state;
      mark.textContent = words;
    });
  }

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

  function exchange(fresh) {
    let heldBack = false;
    document.querySelectorAll("[data-live]").forEach(function (region) {
      const next = fresh.getElementById(region.id);
      if (!next) return;
      if (isBusy(region)) { heldBack = true; return; }
      const open = [...region.querySelectorAll("details[open][id]")].map((d) => d.id);
      const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
      region.replaceWith(document.adoptNode(next));
      open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      if (window.htmx) window.htmx.process(next);
      document.dispatchEvent(new CustomEvent("live:exchanged", { detail: next }));
    });
    notice(heldBack);
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
    link.href = location.href;
    link.textContent = "Show it";
    box.append("Others changed this page. What you are writing was left alone. ", link);
    document.getElementById("main").append(box);
  }

  async function refresh() {
    timer = 0;
    if (fetching) return;
    fetching = true;
    const goal = wanted;
    try {
      const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown = Math.max(goal, Number(fresh.querySelector("[data-live-url]")?.dataset.sequence || goal));
      exchange(fresh);
    } catch {
      setTimeout(schedule, POLL_MS);
    } finally {
      fetching = false;
      if (wanted > shown) schedule();
    }
  }

  function schedule() { if (!timer) timer = setTimeout(refresh, SETTLE_MS); }

  function heard(sequence) {
    wanted = Math.max(wanted, sequence);
    if (wanted > shown) schedule();
  }

  function connect() {
    source = new EventSource(room.dataset.liveUrl);
    source.addEventListener("sequence", function (event) {
      failures = 0;
      const [sequence, people] = event.data.split(" ").map(Number);
      say("on", people > 1 ? `Live, ${people} people here` : "Live");
      heard(sequence);
    });
    source.onerror = function () {
      source.close();
      say("lost", "Connection lost, trying again");
      setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
    };
  }

  // Polling is what is left while the stream is down: the page itself is asked, so nothing else needs to work.
  setInterval(function () { if (!source || source.readyState !== EventSource.OPEN) schedule(); }, POLL_MS);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { connect(); schedule(); } });
  document.addEventListener("focusout", () => setTimeout(() => { if (document.getElementById("held-back")) schedule(); }, 300));
  if ("EventSource" in window) connect();
})();
