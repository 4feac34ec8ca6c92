(() => {
  // Mean over the first seeds, and Student's interval.
  const ends = (values, quantile) => {
    const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
    const half = quantile * Math.sqrt(square / n);
    return [mean, mean - half, mean + half];
  };

  explorables.register("error-against-p", {
    numbers({ sweep, p, other, seeds }, { sweeps, quantiles }) {
      const chosen = sweeps[sweep][p].slice(0, seeds), compared = sweeps[sweep][other].slice(0, seeds);
      const [mean, low, high] = ends(chosen, quantiles[seeds]), [against] = ends(compared, quantiles[seeds]);
      const [change, least, most] = ends(chosen.map((error, seed) => error - compared[seed]), quantiles[seeds]);
      return { mean, low, high, against, change, least, most };
    },
    draw(drawing, { sweep, p, other, seeds }, { sweeps, quantiles, keeps, top }) {
      const all = keeps.map(keep => ends(sweeps[sweep][keep].slice(0, seeds), quantiles[seeds]));
      ["mean", "low", "high"].forEach((name, part) => drawing.line(
        name, keeps.map((keep, place) => [Number(keep), Math.min(all[place][part], top)])));
      [["chosen", p], ["other", other]].forEach(([name, keep]) => drawing.points(
        name, [[Number(keep), Math.min(all[keeps.indexOf(keep)][0], top)]]));
    },
  });
})();
