explorables.register("two-means", {
  numbers({ p, scale }, { parts, bias }) {
    const logits = mask => bias.map((start, c) => start + parts.reduce((sum, part, k) => sum + mask[k] * scale * part[c], 0));
    const members = explorables.masks(parts.length).map(mask => {
      const kept = mask.reduce((sum, bit) => sum + bit, 0);
      return { chance: p ** kept * (1 - p) ** (parts.length - kept), says: explorables.softmax(logits(mask)) };
    });
    const mean = read => bias.map((_, c) => members.reduce((sum, { chance, says }) => sum + chance * read(says[c]), 0));
    const found = {
      arithmetic: mean(value => value),
      geometric: explorables.softmax(mean(Math.log)),
      pass: explorables.softmax(logits(parts.map(() => p))),
    };
    const numbers = {};
    Object.entries(found).forEach(([name, says]) => says.forEach((value, c) => { numbers[name + (c + 1)] = value; }));
    ["arithmetic", "geometric"].forEach(name => {
      numbers[`to-${name}`] = Math.max(...found.pass.map((value, c) => Math.abs(value - found[name][c])));
    });
    return numbers;
  },
  draw(drawing, state, data, numbers) {
    ["arithmetic", "geometric", "pass"].forEach((name, which) => drawing.bars(
      name, [1, 2, 3].map(c => numbers[name + c]), [0, 1, 2].map(place => 4 * place + 0.5 + which), 0.9));
  },
});
