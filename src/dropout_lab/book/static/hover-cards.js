// Shows, beside a link, the card of the place to which it leads: on hover, on keyboard focus, and at the first tap.
// Escape takes it away, and so does leaving both the link and the card. The cards lie in the page, in #hover-cards.
(() => {
  "use strict";
  const SHOW_AFTER = 200, HIDE_AFTER = 300, GAP = 6;
  const main = document.querySelector("article") ?? document.querySelector("main") ?? document.body;
  const store = document.getElementById("hover-cards");
  if (!store) return;

  const cards = new Map();
  for (const card of store.content.children)
    for (const href of card.dataset.for.split(" ")) cards.set(href, card);

  const box = document.createElement("div");
  box.id = "hover-card";
  box.className = "hover-card mathjax_ignore";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  main.append(box);

  let current = null, timer = 0, pointer = "mouse";

  const linkAt = target => {
    const link = target instanceof Element ? target.closest("a[href]") : null;
    const without = !link || !main.contains(link) || link.closest("#hover-card, [data-no-card]");
    return without || !cards.has(link.getAttribute("href")) ? null : link;
  };

  // Below the link, or above it where there is more room; never beyond the window.
  const place = () => {
    const [first] = current.getClientRects();
    if (!first) return;
    box.style.maxHeight = "";
    const above = first.top - 2 * GAP, below = innerHeight - first.bottom - 2 * GAP;
    const up = below < box.offsetHeight && above > below;
    box.style.maxHeight = `${Math.max(up ? above : below, 80)}px`;
    const top = up ? first.top - GAP - box.offsetHeight : first.bottom + GAP;
    const left = Math.min(first.left, document.documentElement.clientWidth - box.offsetWidth - 2 * GAP);
    box.style.top = `${Math.round(top)}px`;
    box.style.left = `${Math.round(Math.max(left, 2 * GAP))}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    if (!current) return;
    const before = current.dataset.describedBefore;
    if (before) current.setAttribute("aria-describedby", before);
    else current.removeAttribute("aria-describedby");
    delete current.dataset.describedBefore;
    current = null;
    box.hidden = true;
    window.MathJax?.typesetClear?.([box]);
    box.replaceChildren();
  };

  const show = async link => {
    clearTimeout(timer);
    if (link === current) return;
    hide();
    current = link;
    // The browser's own tip would lie over the card and say less.
    link.removeAttribute("title");
    const card = cards.get(link.getAttribute("href"));
    const go = document.createElement("a");
    go.href = link.getAttribute("href");
    go.className = "hover-card-go";
    // With the keyboard, Enter on the link itself leads there.
    go.tabIndex = -1;
    go.textContent = `Go to ${card.dataset.what}`;
    const content = document.importNode(card, true);
    content.append(go);
    box.replaceChildren(content);
    box.hidden = false;
    link.dataset.describedBefore = link.getAttribute("aria-describedby") ?? "";
    link.setAttribute("aria-describedby", box.id);
    place();
    await window.MathJax?.startup?.promise;
    if (current !== link) return;
    await window.MathJax?.typesetPromise?.([content]);
    if (current === link) place();
  };

  const later = (act, wait) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };

  addEventListener("pointerdown", event => {
    pointer = event.pointerType;
    if (!box.contains(event.target) && linkAt(event.target) !== current) hide();
  }, true);
  addEventListener("pointerover", event => {
    if (event.pointerType === "touch") return;
    const link = linkAt(event.target);
    if (link && link !== current) later(() => show(link), SHOW_AFTER);
    else if (link || box.contains(event.target)) clearTimeout(timer);
    else if (current && current !== document.activeElement) later(hide, HIDE_AFTER);
    else clearTimeout(timer);
  });
  addEventListener("focusin", event => {
    const link = linkAt(event.target);
    if (link?.matches(":focus-visible")) show(link);
  });
  addEventListener("focusout", event => {
    if (event.target === current && !box.matches(":hover")) hide();
  });
  addEventListener("keydown", event => {
    pointer = "keyboard";
    if (event.key === "Escape" && current) hide();
    if (event.key === "Escape") clearTimeout(timer);
  });
  // A finger cannot hover: its first tap shows the card, and the card's own link, or a second tap, leads on.
  addEventListener("click", event => {
    const link = linkAt(event.target);
    if (!link || pointer !== "touch" || link === current) return;
    event.preventDefault();
    show(link);
  }, true);
  addEventListener("scroll", () => current && place(), { passive: true, capture: true });
  addEventListener("resize", () => current && place());
})();
