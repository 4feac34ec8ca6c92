(() => {
  const training = (mean, p) => 1 + (1 - p) / p * (1 + mean * mean);

  explorables.register("variance-shift", {
    numbers({ mean, p }) {
      const ratio = 1 / training(mean, p);
      return { training: training(mean, p), test: 1, ratio, sd: Math.sqrt(ratio) };
    },
    draw(drawing, { mean, p }, { places }, { ratio }) {
      drawing.line("ratio", places.map(place => [place, 1 / training(mean, place)]));
      drawing.points("here", [[p, ratio]]);
    },
  });
})();
