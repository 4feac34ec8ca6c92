(() => {
  const keepProbs = ({ depth, last, rule }) => Array.from(
    { length: depth }, (_, block) => rule === "same" ? last : 1 - (block + 1) / depth * (1 - last));
  // One block after another: each leaves the number as it is, or makes it one more.
  const chances = (state, most) => keepProbs(state).reduce(
    (before, p) => before.map((chance, blocks) => chance * (1 - p) + (blocks ? before[blocks - 1] * p : 0)),
    Array.from({ length: most + 1 }, (_, blocks) => Number(blocks === 0)));

  explorables.register("depth", {
    numbers(state, { most }) {
      const found = chances(state, most), all = keepProbs(state);
      return {
        first: all[0],
        mean: all.reduce((sum, p) => sum + p, 0),
        sd: Math.sqrt(all.reduce((sum, p) => sum + p * (1 - p), 0)),
        all: found[state.depth],
      };
    },
    draw(drawing, state, { most }) {
      const found = chances(state, most);
      drawing.bars("depths", found, found.map((_, blocks) => blocks - 0.4), 0.8);
    },
  });
})();
