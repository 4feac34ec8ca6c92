// Boxes that scroll sideways can be reached with the Tab key; a formula that is wider than its line gets such a box.
// The arrows of the table of contents, which the theme leaves without words, get a name.
(() => {
  "use strict";
  // The boxes around the claims' tables and maps are focusable from the start.
  const BOXES = "pre, .cell_output .output, .pst-scrollable-table-container, .claim-formula, mjx-container[display]";
  const INLINE = "mjx-container:not([display])";

  const mark = box => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
  };

  const fit = formula => {
    formula.classList.remove("wide");
    const line = formula.closest("p, li, dd, td, th, figcaption, div");
    const style = getComputedStyle(line);
    const room = line.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    formula.classList.toggle("wide", formula.getBoundingClientRect().width > room + 1);
    mark(formula);
  };

  const fitAll = () => document.querySelectorAll(INLINE).forEach(fit);
  const boxes = new ResizeObserver(entries => entries.forEach(entry => mark(entry.target)));
  const page = new ResizeObserver(fitAll);

  const nameArrows = () => document.querySelectorAll(".bd-sidebar-primary summary").forEach(arrow => {
    const chapter = arrow.closest("li")?.querySelector("a")?.textContent.trim();
    arrow.setAttribute("aria-label", `Pages of ${chapter}`);
  });

  addEventListener("load", async () => {
    nameArrows();
    await window.MathJax?.startup?.promise;
    document.querySelectorAll(BOXES).forEach(box => boxes.observe(box));
    page.observe(document.querySelector("main") ?? document.body);
    fitAll();
  });
})();
