(() => {
  const values = ({ n, p }, { terms }) => {
    const own = terms.slice(0, n), size = Math.sqrt(own.reduce((sum, term) => sum + term * term, 0));
    return explorables.masks(n).map(mask => {
      const kept = mask.reduce((sum, bit) => sum + bit, 0);
      return {
        value: own.reduce((sum, term, k) => sum + term * (mask[k] - p), 0) / size,
        chance: p ** kept * (1 - p) ** (n - kept),
      };
    });
  };
  const mean = (members, of) => members.reduce((sum, member) => sum + member.chance * of(member.value), 0);

  explorables.register("preactivation", {
    numbers(state, data) {
      const members = values(state, data), center = mean(members, value => value);
      const sd = Math.sqrt(mean(members, value => (value - center) ** 2));
      let below = 0, gap = 0;
      members.sort((one, other) => one.value - other.value).forEach(({ value, chance }) => {
        const normal = explorables.normal((value - center) / sd);
        gap = Math.max(gap, Math.abs(below - normal), Math.abs(below + chance - normal));
        below += chance;
      });
      const skewness = mean(members, value => (value - center) ** 3) / sd ** 3;
      return { masks: members.length, mean: center, sd, skewness, gap };
    },
    draw(drawing, state, data, numbers) {
      const [low, high] = data.range, width = (high - low) / data.bins;
      const heights = Array(data.bins).fill(0);
      values(state, data).forEach(({ value, chance }) => {
        const bin = Math.floor((value - low) / width);
        if (bin >= 0 && bin < data.bins) heights[bin] += chance / width;
      });
      const shown = heights.map(height => Math.min(height, data.top));
      drawing.bars("histogram", shown, heights.map((_, bin) => low + bin * width), width);
      const density = x => Math.exp(-(((x - numbers.mean) / numbers.sd) ** 2) / 2) / numbers.sd / Math.sqrt(2 * Math.PI);
      const places = Array.from({ length: 129 }, (_, k) => low + (high - low) * k / 128);
      drawing.line("normal", places.map(x => [x, Math.min(density(x), data.top)]));
    },
  });
})();
