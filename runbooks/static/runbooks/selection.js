// Makes choosing accounts quicker: the bar appears with a selection and says how many, in which state; one tick takes
// the page; Shift takes a range. Without this script the same boxes and buttons work, the bar always shows, and the
// server says when nothing was ticked.
(function () {
  "use strict";
  const form = document.getElementById("selection");
  const bar = document.getElementById("bulk");
  if (!form || !bar) return;
  const sum = bar.querySelector(".sum");
  const whole = document.getElementById("whole");
  const clear = bar.querySelector("button[type=reset]");
  let last = null;

  const boxes = () => [...form.querySelectorAll("input[name=id]")];
  const pickAll = () => document.getElementById("pick-all");

  function states(chosen) {
    const counted = new Map();
    chosen.forEach((box) => counted.set(box.dataset.state, (counted.get(box.dataset.state) || 0) + 1));
    if (counted.size === 1) return `, all ${[...counted.keys()][0]}`;
    return ": " + [...counted].map(([state, number]) => `${number} ${state}`).join(", ");
  }

  function show() {
    const all = boxes(), chosen = all.filter((box) => box.checked), entire = Boolean(whole && whole.checked);
    const head = pickAll();
    if (head) {
      head.closest("label").hidden = false;
      head.checked = all.length > 0 && chosen.length === all.length;
      head.indeterminate = chosen.length > 0 && chosen.length < all.length;
      head.disabled = entire;
    }
    all.forEach((box) => { box.disabled = entire; });
    bar.hidden = !entire && chosen.length === 0;
    clear.hidden = false;
    const bold = document.createElement("b");
    bold.textContent = `${(entire ? Number(form.dataset.total) : chosen.length).toLocaleString("en-GB")} selected`;
    sum.replaceChildren(bold, entire ? ", also those on other pages" : chosen.length ? states(chosen) : "");
  }

  form.addEventListener("change", function (event) {
    if (event.target === pickAll()) boxes().forEach((box) => { box.checked = event.target.checked; });
    show();
  });
  form.addEventListener("click", function (event) {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.name !== "id") return;
    const all = boxes(), here = all.indexOf(box), there = all.indexOf(last);
    if (event.shiftKey && last && there >= 0) {
      all.slice(Math.min(here, there), Math.max(here, there) + 1).forEach((other) => { other.checked = box.checked; });
      show();
    }
    last = box;
  });
  form.addEventListener("reset", () => setTimeout(show));
  // The table is exchanged when others change it; going back in the browser brings ticks back without an event.
  document.addEventListener("live:exchanged", show);
  addEventListener("pageshow", show);
  show();
})();
