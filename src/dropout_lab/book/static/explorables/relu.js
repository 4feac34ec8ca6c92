(() => {
  const sum = values => values.reduce((one, other) => one + other, 0);
  const both = (bias, p, terms) => ({
    mean: sum(explorables.masks(terms.length).map(mask => {
      const kept = sum(mask), reached = sum(terms.map((term, k) => term * mask[k])) + bias;
      return p ** kept * (1 - p) ** (terms.length - kept) * Math.max(reached, 0);
    })),
    pass: Math.max(p * sum(terms) + bias, 0),
  });

  explorables.register("relu", {
    numbers({ bias, p }, { terms }) {
      const found = both(bias, p, terms);
      return { ...found, missing: found.mean - found.pass };
    },
    draw(drawing, { bias, p }, { terms, places, top }, numbers) {
      const curves = places.map(place => both(place, p, terms));
      ["mean", "pass"].forEach(name => drawing.line(
        name, curves.map((curve, k) => [places[k], Math.min(curve[name], top)])));
      drawing.points("here", [[bias, Math.min(numbers.mean, top)], [bias, Math.min(numbers.pass, top)]]);
    },
  });
})();
