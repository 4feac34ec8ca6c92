// The map of the claims: draws the arrows between chips, and shows for one claim or assumption what it rests on and
// what falls with it; first for the one that the page names. What is used by what is read from the chips. Words narrow
// the chips. Without this script the tables say the same.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const words = text => text.split(" ").filter(Boolean);

  // Arrows from the lower edge of a chip to the upper edge of each chip that uses it, behind all of them.
  const drawArrows = rows => {
    rows.querySelector("svg")?.remove();
    const chips = new Map([...rows.querySelectorAll("[data-node]")].map(chip => [chip.dataset.node, chip]));
    const frame = rows.getBoundingClientRect(), svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    chips.forEach(chip => words(`${chip.dataset.uses} ${chip.dataset.needs}`).forEach(name => {
      // What a claim above needs already has its arrow there.
      const said = words(chip.dataset.uses).some(used => chips.has(used) && words(chips.get(used).dataset.needs).includes(name));
      if (!chips.has(name) || said) return;
      const from = chips.get(name).getBoundingClientRect(), to = chip.getBoundingClientRect();
      const x = from.left + from.width / 2 - frame.left, y = from.bottom - frame.top;
      const right = to.left + to.width / 2 - frame.left, down = to.top - frame.top, middle = (y + down) / 2;
      const arrow = document.createElementNS(SVG, "path");
      arrow.setAttribute("d", `M${x} ${y}C${x} ${middle} ${right} ${middle} ${right} ${down - 1}m-3 -6l3 6l3 -6`);
      svg.append(arrow);
    }));
    rows.prepend(svg);
  };
  const watcher = new ResizeObserver(entries => entries.forEach(entry => drawArrows(entry.target)));
  document.querySelectorAll(".claim-map-rows").forEach(rows => watcher.observe(rows));

  const map = document.getElementById("claim-map");
  if (!map) return;
  const form = map.querySelector("form"), chosen = map.querySelector(".claim-map-chosen");
  const chips = new Map([...map.querySelectorAll(".claim-map-all [data-node]")].map(chip => [chip.dataset.node, chip]));
  const names = [...chips.keys()];
  const uses = name => words(chips.get(name).dataset.uses), needs = name => words(chips.get(name).dataset.needs);
  const isAssumption = name => chips.get(name).classList.contains("claim-verdict-assumption");
  const users = name => names.filter(other => uses(other).includes(name));
  const closure = (name, next) => {
    const found = new Set(), queue = [...next(name)];
    while (queue.length) {
      const step = queue.pop();
      if (found.has(step)) continue;
      found.add(step);
      queue.push(...next(step));
    }
    return names.filter(other => found.has(other));
  };

  // Assumptions stand in the first row, each claim in a later one than all that it uses.
  const layers = shown => {
    const known = new Map();
    const layer = name => {
      if (isAssumption(name)) return 0;
      if (!known.has(name)) known.set(name, 1 + Math.max(0, ...uses(name).filter(used => shown.includes(used)).map(layer)));
      return known.get(name);
    };
    const rows = [];
    shown.forEach(name => (rows[layer(name)] ??= []).push(name));
    return rows.filter(Boolean);
  };

  const label = name => isAssumption(name)
    ? `the assumption “${chips.get(name).textContent}”` : `claim ${name}, ${chips.get(name).dataset.title}`;
  const counted = (number, noun) => `${number || "no"} ${noun}${number === 1 ? "" : "s"}`;
  const copy = (name, role) => {
    const item = document.createElement("li"), chip = chips.get(name).cloneNode(true);
    chip.dataset.role = role;
    item.append(chip);
    return item;
  };

  const show = (name, opening = "You chose") => {
    const rests = name ? [...closure(name, uses), ...needs(name)] : [];
    const falls = name ? (isAssumption(name) ? names.filter(other => needs(other).includes(name)) : closure(name, users)) : [];
    const role = other => other === name ? "chosen" : rests.includes(other) ? "rests" : falls.includes(other) ? "falls" : "";
    chips.forEach((chip, other) => {
      chip.dataset.role = name ? role(other) : "";
      chip.toggleAttribute("aria-current", other === name);
    });
    form.elements.claim.value = name && !isAssumption(name) ? name : "";
    form.elements.assumption.value = name && isAssumption(name) ? name : "";
    chosen.hidden = !name;
    if (!name) return;
    const [claims, assumptions] = [false, true].map(kind => rests.filter(other => isAssumption(other) === kind).length);
    const said = isAssumption(name) ? "" : ` It rests on ${counted(claims, "claim")} and needs ${counted(assumptions, "assumption")}.`;
    chosen.querySelector(".claim-map-said").textContent =
      `${opening} ${label(name)}.${said} What falls with it, crossed out below: ${counted(falls.length, "claim")}.`;
    const rows = chosen.querySelector(".claim-map-rows");
    rows.replaceChildren(...layers(names.filter(other => role(other))).map(row => {
      const list = document.createElement("ul");
      list.className = "claim-chips";
      list.append(...row.map(other => copy(other, role(other))));
      return list;
    }));
    const examples = isAssumption(name)
      ? [...document.querySelectorAll(`#${CSS.escape(chips.get(name).hash.slice(1))} .claim-falsifier`)] : [];
    chosen.querySelector(".claim-map-falsifiers").replaceChildren(...examples.map(example => {
      const opened = example.cloneNode(true);
      opened.open = true;
      return opened;
    }));
    drawArrows(rows);
  };

  const choose = name => {
    show(name);
    history.replaceState(null, "", name ? chips.get(name).hash : location.pathname + location.search);
  };
  map.addEventListener("click", event => {
    const chip = event.target.closest("[data-node]");
    if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const inside = chosen.contains(chip);
    choose(chip.dataset.node);
    chosen.scrollIntoView({ block: "nearest" });
    if (inside) chosen.querySelector("[data-role=chosen]").focus();
  });

  // Chips with all the words, in the groups that have any, with their titles; the assumptions unfold for it.
  const texts = new Map([...chips].map(([name, chip]) => [name, `${name} ${chip.title} ${chip.textContent}`.toLowerCase()]));
  const groups = [...map.querySelectorAll(".claim-map-group")], folded = map.querySelector("details.claim-map-group");
  const narrow = () => {
    const wanted = words(form.elements.words.value.toLowerCase().replace(/\s+/g, " "));
    chips.forEach((chip, name) => { chip.closest("li").hidden = !wanted.every(word => texts.get(name).includes(word)); });
    groups.forEach(group => { group.hidden = !group.querySelector("li:not([hidden])"); });
    if (folded) folded.open = wanted.length > 0;
    map.classList.toggle("claim-map-searched", wanted.length > 0);
    map.querySelector(".claim-map-none").hidden = groups.some(group => !group.hidden);
  };

  form.addEventListener("change", event => { if (event.target.matches("select")) choose(event.target.value); });
  form.elements.words.addEventListener("input", narrow);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => {
    choose("");
    setTimeout(narrow);
  });
  const fromAddress = () => {
    const named = names.find(name => location.hash && chips.get(name).hash === location.hash);
    if (named || location.hash) show(named ?? "");
    else show(map.dataset.start, "For example,");
  };
  addEventListener("hashchange", fromAddress);
  form.hidden = false;
  narrow();
  fromAddress();
})();
