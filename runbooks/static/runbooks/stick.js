// Tells the stylesheet how high the room's header really is, so that what sticks below it is never covered: its title
// may wrap, its banner may be long. Without this script a usual height is assumed.
(function () {
  "use strict";
  const root = document.documentElement;

  function measure() {
    const room = document.querySelector(".room");
    const sticks = room && getComputedStyle(room).position === "sticky";
    if (sticks) root.style.setProperty("--stick", `${Math.floor(room.getBoundingClientRect().height)}px`);
    else root.style.removeProperty("--stick");
  }

  addEventListener("resize", measure);
  document.addEventListener("live:exchanged", measure);
  measure();
})();
