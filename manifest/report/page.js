"use strict";
// Show the panel of the level that is chosen. Without scripts, all panels are shown.
for (const select of document.querySelectorAll(".selector select")) {
  const panels = select.closest(".card").querySelectorAll(".panel");
  const show = () => {
    for (const panel of panels) panel.hidden = panel.dataset.level !== select.value;
  };
  select.addEventListener("change", show);
  show();
}
