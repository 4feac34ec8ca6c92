(() => {
  const penalties = ({ p, strength }, second) => ({
    dropout: [0, 1].map(k => (1 - p) / p * second[k][k]),
    ridge: [strength, strength],
  });
  const minimum = ([one, other], second, target) => {
    const [[a, b], [, d]] = second, top = a + one, foot = d + other, size = top * foot - b * b;
    return [(foot * target[0] - b * target[1]) / size, (top * target[1] - b * target[0]) / size];
  };
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

  explorables.register("penalty", {
    numbers(state, { second, target, clouds }) {
      const { dropout, ridge } = penalties(state, second), cloud = clouds[String(state.p)];
      const [dropout1, dropout2] = minimum(dropout, second, target);
      const [ridge1, ridge2] = minimum(ridge, second, target);
      return {
        penalty1: dropout[0], penalty2: dropout[1], dropout1, dropout2, ridge1, ridge2,
        sgd1: mean(cloud.map(([one]) => one)), sgd2: mean(cloud.map(([, other]) => other)),
      };
    },
    draw(drawing, state, { second, clouds }, numbers) {
      Object.entries(penalties(state, second)).forEach(([name, parts]) => {
        const level = mean(parts), turns = Array.from({ length: 65 }, (_, step) => 2 * Math.PI * step / 64);
        drawing.line(`${name}-contour`, level ? turns.map(turn => [
          Math.sqrt(level / parts[0]) * Math.cos(turn), Math.sqrt(level / parts[1]) * Math.sin(turn)]) : [[0, 0], [0, 0]]);
      });
      drawing.points("cloud", clouds[String(state.p)]);
      ["dropout", "ridge"].forEach(name => drawing.points(name, [[numbers[`${name}1`], numbers[`${name}2`]]]));
    },
  });
})();
