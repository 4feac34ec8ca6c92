// On the search page: the claims, assumptions, rules, terms and figures that a query names, above the pages that hold it.
(() => {
  "use strict";
  const MOST = 25;
  const results = document.getElementById("search-results");
  const query = (new URLSearchParams(location.search).get("q") ?? "").trim().toLowerCase();
  if (!results || !query || !window.bookObjects) return;

  const plain = html => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content.textContent.toLowerCase();
  };
  const words = query.split(/[\s"'“”]+/).filter(Boolean);
  const starts = word => new RegExp(`(^|[^\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`, "u");
  const patterns = words.map(starts);
  const all = text => patterns.every(pattern => pattern.test(text));
  const id = query.match(/^(?:claim\s+)?([a-z]?\d+(?:\.\d+)?)$/)?.[1];

  // An id and a whole term say exactly what is meant; words of a title say more than words of a text.
  const rank = ([, title, text]) => {
    const named = plain(title);
    if (id && named.startsWith(`claim ${id}:`)) return 4;
    if (named === query || named.endsWith(`: ${query}`)) return 3;
    if (id) return 0;
    return all(named) ? 2 : all(`${named} ${plain(text)}`) ? 1 : 0;
  };

  const ranked = window.bookObjects.map(found => [rank(found), found]).filter(([value]) => value > 0);
  // Sorting keeps the order of the book among equals.
  ranked.sort(([one], [other]) => other - one);
  if (!ranked.length) return;

  const section = document.createElement("section");
  section.className = "found-objects mathjax_process";
  section.setAttribute("aria-label", "Claims, terms and figures");
  const list = document.createElement("ul");
  for (const [, [href, title, text, verdict]] of ranked.slice(0, MOST)) {
    const item = document.createElement("li"), link = document.createElement("a"), said = document.createElement("p");
    // Addresses are given from the start of the site, where the search page lies.
    link.href = href;
    link.innerHTML = title;
    said.innerHTML = text;
    item.append(link, verdict ? ` (${verdict})` : "", said);
    list.append(item);
  }
  const heading = document.createElement("h2"), more = document.createElement("p");
  heading.textContent = "Claims, terms and figures";
  more.textContent = ranked.length > MOST ? `The first ${MOST} of ${ranked.length}.` : "";
  section.append(heading, list, more);
  results.before(section);
  window.MathJax?.startup?.promise?.then(() => window.MathJax.typesetPromise?.([section]));
})();
