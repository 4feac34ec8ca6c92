// Boxes that scroll sideways can be reached with the Tab key; a formula that is wider than its line gets such a box, and
// so does a figure, whose letters could not be read on a phone if it were as narrow as the page (narrow.css).
// The arrows of the table of contents, which the theme leaves without words, get a name. The cells of a table with four
// columns or more get the name of their column, since on a phone they stand one below the other (narrow.css). Paper is white: a page in
// dark mode is printed in the light one.
(() => {
  "use strict";
  // The boxes around the claims' tables and maps are focusable from the start.
  const BOXES = "pre, .cell_output .output, .pst-scrollable-table-container, .claim-formula, .figure-scroll, mjx-container[display]";
  const INLINE = "mjx-container:not([display])";

  const overflows = box => box.scrollWidth > box.clientWidth + 1;
  // Whether there is more to the right. What stands out by less hides nothing: the text of a formula for screen readers
  // does, by a pixel or two.
  const SLACK = 4;
  const show = box => box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + box.scrollLeft + SLACK);

  const unmark = box => {
    box.classList.remove("scrolls");
    if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
  };

  const mark = box => {
    if (!overflows(box)) return unmark(box);
    show(box);
    box.tabIndex = 0;
  };

  const frame = image => {
    const box = document.createElement("div"), number = image.closest("figure")?.querySelector(".caption-number");
    box.className = "figure-scroll";
    box.style.setProperty("--drawn", image.naturalWidth);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", number?.textContent.trim() || "Figure");
    image.replaceWith(box);
    box.append(image);
  };

  const fit = formula => {
    formula.classList.remove("wide");
    const line = formula.closest("p, li, dd, td, th, figcaption, div");
    const style = getComputedStyle(line);
    const room = line.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    // Only a wide one is a box; the letters of the others may stand out of their line by a pixel or two.
    if (formula.getBoundingClientRect().width > room + 1) {
      formula.classList.add("wide");
      mark(formula);
    } else unmark(formula);
  };

  // A line of a derivation whose formula is wider than its column has its reason below; derivation-lines.html knows the
  // length of the source alone.
  const spread = box => {
    if (overflows(box)) box.parentElement.classList.add("derivation-wide");
  };

  const fitAll = () => {
    const lines = document.querySelectorAll(".derivation-formula");
    lines.forEach(spread);
    document.querySelectorAll(INLINE).forEach(fit);
    lines.forEach(show);
  };
  const boxes = new ResizeObserver(entries => entries.forEach(entry => mark(entry.target)));
  const page = new ResizeObserver(fitAll);

  const nameArrows = () => document.querySelectorAll(".bd-sidebar-primary summary").forEach(arrow => {
    const chapter = arrow.closest("li")?.querySelector("a")?.textContent.trim();
    arrow.setAttribute("aria-label", `Pages of ${chapter}`);
  });

  const nameCells = () => document.querySelectorAll(".bd-article table").forEach(table => {
    const head = [...table.querySelectorAll("thead th")].map(cell => cell.textContent.trim());
    const rows = [...table.querySelectorAll("tbody tr")];
    // Few columns that fit stay; so do tables that spell out their own form on a phone, and cells over several columns.
    if (head.length < 3 || (head.length < 4 && !overflows(table.parentElement)) || table.matches(".claim-ledger, .claim-measured, .claim-map-table, .claim-forest")) return;
    if (rows.some(row => row.cells.length !== head.length)) return;
    table.classList.add("stacks");
    rows.forEach(row => [...row.cells].forEach((cell, column) => { cell.dataset.label = head[column]; }));
  });

  const root = document.documentElement;
  let shown = "";
  addEventListener("beforeprint", () => {
    shown = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => { root.dataset.theme = shown; });

  addEventListener("load", async () => {
    nameArrows();
    nameCells();
    document.querySelectorAll(".bd-article :is(figure, .cell_output) img:not(a img)").forEach(frame);
    addEventListener("scroll", event => { if (event.target.matches?.(".scrolls, [tabindex]")) show(event.target); }, true);
    await window.MathJax?.startup?.promise;
    document.querySelectorAll(BOXES).forEach(box => boxes.observe(box));
    page.observe(document.querySelector("main") ?? document.body);
    fitAll();
  });
})();
