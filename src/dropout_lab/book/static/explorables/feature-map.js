(() => {
  // The seed probability of Ghiasi, Lin and Le (2018), equation 1.
  const seedChance = (p, block, size) => (1 - p) / block ** 2 * (size / (size - block + 1)) ** 2;
  const range = count => Array.from({ length: count }, (_, k) => k);

  const kept = ({ kind, p, block, draw }, { levels, size }) => levels[draw - 1].map(channel => {
    if (kind === "channel") return range(size * size).map(() => channel[size * size] < p);
    if (kind === "pixel") return range(size * size).map(place => channel[place] < p);
    const side = Number(block), room = size - side + 1, gamma = seedChance(p, side, size), mask = Array(size * size).fill(true);
    range(room).forEach(i => range(room).filter(j => channel[i * size + j] < gamma).forEach(j => {
      range(side).forEach(a => range(side).forEach(b => { mask[(i + a) * size + j + b] = false; }));
    }));
    return mask;
  });

  explorables.register("feature-map", {
    numbers(state, data) {
      const { kind, p } = state, { size } = data, side = Number(state.block), all = kept(state, data).flat();
      const reach = place => Math.min(place + 1, size - place, side, size - side + 1);
      const chance = (i, j) => kind === "block" ? (1 - seedChance(p, side, size)) ** (reach(i) * reach(j)) : p;
      const chances = range(size).flatMap(i => range(size).map(j => chance(i, j)));
      const mean = values => values.reduce((sum, value) => sum + Number(value), 0) / values.length;
      return { kept: mean(all), expected: mean(chances), corner: chance(0, 0), center: chance(size / 2, size / 2) };
    },
    draw({ figure }, state, data) {
      const mask = kept(state, data).flat();
      figure.querySelectorAll(".cell").forEach((cell, place) => cell.classList.toggle("gone", !mask[place]));
    },
  });
})();
