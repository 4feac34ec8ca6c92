explorables.register("thinned-network", {
  numbers({ first, second, p }, { layers }) {
    const count = bits => [...bits].filter(bit => bit === "1").length;
    const kept = count(first) + count(second), units = layers[1] + layers[2];
    return {
      kept,
      probability: p ** kept * (1 - p) ** (units - kept),
      paths: layers[0] * count(first) * count(second) * layers[3],
      members: 2 ** units,
      // One function for each choice of units in both layers, and the constant 0 for all masks that empty a layer.
      functions: (2 ** layers[1] - 1) * (2 ** layers[2] - 1) + 1,
    };
  },
  draw({ figure }, { first, second }, { layers }) {
    const kept = ["1".repeat(layers[0]), first, second, "1".repeat(layers[3])];
    const isKept = (layer, unit) => kept[layer][unit] === "1";
    figure.querySelectorAll("[data-part]").forEach(part => {
      const [kind, layer, i, j] = part.dataset.part.split("-");
      const stays = isKept(Number(layer), i) && (kind === "unit" || isKept(Number(layer) + 1, j));
      part.classList.toggle("gone", !stays);
    });
  },
});
