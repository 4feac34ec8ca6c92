explorables.register("tied-masks", {
  numbers({ steps, p }) {
    return {
      fresh: p ** steps,
      tied: p,
      "lasted-fresh": p * (1 - p ** steps) / (1 - p),
      "lasted-tied": p * steps,
    };
  },
  draw(drawing, { steps, p }) {
    const times = Array.from({ length: steps + 1 }, (_, time) => time);
    drawing.line("fresh", times.map(time => [time, p ** time]));
    drawing.line("tied", times.map(time => [time, time ? p : 1]));
  },
});
