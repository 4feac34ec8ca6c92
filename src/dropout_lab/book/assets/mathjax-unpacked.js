// Unpacks MathJax and runs it. The build puts the packed text in place of PACKED, and writes the result to the site.
(() => {
  "use strict";
  const folder = document.currentScript.src.replace(/\/[^/]*$/, "");
  const packed = "PACKED";

  const text = async () => {
    const bytes = Uint8Array.from(atob(packed), letter => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const run = async () => {
    const script = document.createElement("script");
    // A browser from before 2023 cannot unpack; it loads the same text from its own file.
    const ready = typeof DecompressionStream === "undefined"
      ? new Promise(done => { script.onload = done; script.src = `${folder}/PLAIN`; })
      : text().then(code => { script.text = code; });
    if (script.src) document.head.append(script);
    await ready;
    if (!script.src) document.head.append(script);
    return window.MathJax.startup.promise;
  };

  const settings = window.MathJax ??= {};
  // All that is needed from the start is in the packed text; what is loaded later lies beside this script.
  settings.loader = { ...settings.loader, load: [], paths: { ...settings.loader?.paths, mathjax: folder } };
  // Who waits for MathJax before it is there waits for this.
  settings.startup = { ...settings.startup, promise: run() };
})();
