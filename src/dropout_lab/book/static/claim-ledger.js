// Narrows the ledger by verdict, kind of evidence and words. Without this script every claim is shown.
(() => {
  const form = document.getElementById("claim-filter");
  if (!form) return;
  const rows = Array.from(document.querySelectorAll("table.claim-ledger tbody tr"), (row) => ({
    row,
    section: row.closest("section"),
    words: row.textContent.toLowerCase(),
    evidence: row.dataset.evidence.split(" "),
  }));
  const sections = new Set(rows.map(({ section }) => section));
  const count = form.querySelector("output");

  const narrow = () => {
    const { verdict, evidence, words } = form.elements;
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of rows) {
      const keep =
        (!verdict.value || entry.row.dataset.verdict === verdict.value) &&
        (!evidence.value || entry.evidence.includes(evidence.value)) &&
        wanted.every((word) => entry.words.includes(word));
      entry.row.hidden = !keep;
      shown += keep;
    }
    for (const section of sections) {
      section.hidden = !section.querySelector("table.claim-ledger tbody tr:not([hidden])");
    }
    count.value = `${shown} of ${rows.length} claims`;
  };

  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A link to a claim that the filter hides has to show it.
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.closest("[hidden]")) {
      form.reset();
      narrow();
      target.scrollIntoView();
    }
  });
  form.hidden = false;
  narrow();
})();
