// The theme the person chose. Without script the system's preference applies.
(function (root) {
  "use strict";
  let saved = null;
  try { saved = localStorage.getItem("theme"); } catch { /* storage may be closed to us: the preference applies */ }
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it holds for this page */ }
  });
})(document.documentElement);
