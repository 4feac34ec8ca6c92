explorables.register("conventions", {
  numbers({ optimizer, p, rate }, { start, target, power }) {
    // The gradient of the mean loss by the effective weight w; by the weight V = w / p it is p times as large.
    const gradient = start / p - target;
    const moved = (size, slope) => optimizer === "sgd" ? size * slope : size * slope / (Math.abs(slope) + 1e-8);
    const own = rate / p ** power[optimizer];
    return {
      start,
      inverted: start - moved(rate, gradient),
      original: start - p * moved(rate, p * gradient),
      translated: start - p * moved(own, p * gradient),
    };
  },
  draw(drawing, state, { rows }, numbers) {
    Object.entries(rows).forEach(([name, row]) => drawing.points(name, [[numbers[name], row]]));
  },
});
