// The handles of the timeline's range: dragged, or moved with the arrow keys. Without script, From and To do the same.
(function () {
  "use strict";
  const form = document.getElementById("filter");
  if (!form) return;
  const fields = [document.getElementById("from"), document.getElementById("to")];

  function make(plot) {
    const bars = Number(plot.dataset.bars), moments = plot.dataset.moments.split("|");
    const value = [Number(plot.dataset.first), Number(plot.dataset.last)], first = [...value];
    const perHour = Math.max(1, Math.round(hour(moments)));
    const brush = document.createElement("div");
    brush.className = "brush";
    const handles = ["Range start", "Range end"].map(function (name, which) {
      const handle = document.createElement("button");
      handle.type = "button";
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", `${name}, Enter shows it`);
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", String(bars));
      handle.addEventListener("keydown", (event) => onKey(event, which));
      handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
      handle.addEventListener("pointermove", function (event) {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        const box = plot.getBoundingClientRect();
        set(which, Math.round(((event.clientX - box.left) / box.width) * bars));
      });
      handle.addEventListener("pointerup", function () { if (value.some((bar, n) => bar !== first[n])) submit(); });
      brush.append(handle);
      return handle;
    });
    plot.append(brush);
    plot.querySelector(".chosen")?.remove();
    draw(false);

    function onKey(event, which) {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -perHour, PageUp: perHour }[event.key];
      if (step) set(which, value[which] + step);
      else if (event.key === "Home") set(which, 0);
      else if (event.key === "End") set(which, bars);
      else if (event.key === "Enter") submit();
      else return;
      event.preventDefault();
    }

    function set(which, bar) {
      value[which] = which ? Math.min(bars, Math.max(value[0] + 1, bar)) : Math.max(0, Math.min(value[1] - 1, bar));
      draw(true);
    }

    // Positions by script are allowed by the policy; written styles are not.
    function draw(moved) {
      brush.style.left = `${(value[0] / bars) * 100}%`;
      brush.style.width = `${((value[1] - value[0]) / bars) * 100}%`;
      brush.classList.toggle("is-whole", value[0] === 0 && value[1] === bars);
      handles.forEach(function (handle, which) {
        handle.setAttribute("aria-valuenow", String(value[which]));
        handle.setAttribute("aria-valuetext", moments[value[which]]);
      });
      if (moved) fields.forEach((field, which) => { field.value = value[which] === (which ? bars : 0) ? "" : moments[value[which]]; });
    }

    function submit() { form.requestSubmit(); }
  }

  // How many bars an hour has, or one.
  function hour(moments) {
    const width = Date.parse(moments[1].slice(0, 16).replace(" ", "T")) - Date.parse(moments[0].slice(0, 16).replace(" ", "T"));
    return width > 0 ? 3600000 / width : 1;
  }

  document.querySelectorAll("[data-brush]").forEach(make);
  document.addEventListener("live:exchanged", (event) => event.detail.querySelectorAll("[data-brush]").forEach(make));
})();
