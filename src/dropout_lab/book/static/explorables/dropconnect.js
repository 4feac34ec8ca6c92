(() => {
  const dot = (one, other) => one.reduce((sum, value, k) => sum + value * other[k], 0);
  const ellipse = (one, both, other) => {
    const wide = Math.sqrt(one), lean = both / wide, rest = Math.sqrt(Math.max(other - lean * lean, 0));
    return Array.from({ length: 65 }, (_, step) => 2 * Math.PI * step / 64).map(
      turn => [2 * wide * Math.cos(turn), 2 * (lean * Math.cos(turn) + rest * Math.sin(turn))]);
  };

  explorables.register("dropconnect", {
    numbers({ angle, p }, { first, across }) {
      const turn = angle * Math.PI / 180;
      const second = first.map((value, k) => Math.cos(turn) * value + Math.sin(turn) * across[k]);
      const noise = p * (1 - p), one = noise * dot(first, first), other = noise * dot(second, second);
      return {
        "first-dropout": one, "first-dropconnect": one,
        "second-dropout": other, "second-dropconnect": other,
        "together-dropout": noise * dot(first, second), "together-dropconnect": 0,
      };
    },
    draw(drawing, state, data, numbers) {
      ["dropout", "dropconnect"].forEach(name => drawing.line(
        name, ellipse(numbers[`first-${name}`], numbers[`together-${name}`], numbers[`second-${name}`])));
    },
  });
})();
