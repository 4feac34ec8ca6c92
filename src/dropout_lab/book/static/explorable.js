// Figures that the reader moves. Each file of an explorable registers under its id what it computes and what it draws;
// this one reads the controls, writes the numbers, and gives the drawings their marks.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const round = value => String(Math.round(value * 100) / 100);

  const area = group => {
    const [x0, x1, y0, y1, left, top, width, height] = group.dataset.area.split(" ").map(Number);
    return (x, y) => [left + (x - x0) / (x1 - x0) * width, top + (y1 - y) / (y1 - y0) * height];
  };
  const make = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  };

  // The groups of a drawing: what stands in them is drawn anew, in the area that the group names.
  const marks = figure => {
    const group = name => figure.querySelector(`[data-marks="${name}"]`);
    return {
      figure,
      group,
      line(name, points) {
        const at = area(group(name));
        const steps = points.map(point => at(...point).map(round).join(" "));
        group(name).querySelector("path").setAttribute("d", "M" + steps.join("L"));
      },
      bars(name, heights, lefts, width) {
        const host = group(name), at = area(host), kind = host.querySelector("rect").getAttribute("class");
        host.replaceChildren(...heights.map((height, place) => {
          const [x, y] = at(lefts[place], Math.max(height, 0));
          const [right, foot] = at(lefts[place] + width, Math.min(height, 0));
          return make("rect", { x: round(x), y: round(y), width: round(right - x), height: round(foot - y), class: kind });
        }));
      },
      points(name, points) {
        const host = group(name), at = area(host), first = host.querySelector("circle");
        const kind = { r: first.getAttribute("r"), class: first.getAttribute("class") };
        host.replaceChildren(...points.map(point => {
          const [cx, cy] = at(...point).map(round);
          return make("circle", { cx, cy, ...kind });
        }));
      },
    };
  };

  const read = form => {
    const state = {};
    form.querySelectorAll("input[type=range]").forEach(slider => { state[slider.name] = Number(slider.value); });
    form.querySelectorAll("select").forEach(choice => { state[choice.name] = choice.value; });
    form.querySelectorAll("fieldset[data-switches]").forEach(units => {
      state[units.dataset.switches] = [...units.querySelectorAll("input")].map(unit => Number(unit.checked)).join("");
    });
    return state;
  };

  const written = (value, digits) => {
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace("-", "") : text;
  };

  const start = (figure, parts) => {
    const form = figure.querySelector("form"), data = JSON.parse(figure.querySelector("script").textContent);
    const drawing = marks(figure);
    const show = () => {
      const state = read(form), numbers = parts.numbers(state, data);
      figure.querySelectorAll("output").forEach(shown => {
        shown.value = written(numbers[shown.name], Number(shown.dataset.digits));
      });
      form.querySelectorAll("input[type=range]").forEach(slider => {
        slider.parentElement.querySelector(".explorable-value").textContent = slider.value.replace("-", "−");
      });
      parts.draw(drawing, state, data, numbers);
    };
    form.addEventListener("input", show);
    form.addEventListener("submit", event => event.preventDefault());
    // The form is as it was only after this event.
    form.addEventListener("reset", () => setTimeout(show));
    // A part of the drawing that stands for a switch is one: by pointer here, by keyboard in the form.
    figure.querySelectorAll("[data-switch]").forEach(part => part.addEventListener("click", () => {
      const unit = form.elements[part.dataset.switch];
      unit.checked = !unit.checked;
      show();
    }));
    form.hidden = false;
    figure.classList.add("explorable-moves");
    show();
  };

  window.explorables = {
    register(id, parts) {
      document.querySelectorAll(`[data-explorable="${id}"]`).forEach(figure => start(figure, parts));
    },
    // The normal distribution function, to 1e-10: a continued fraction in the tails, a series between them.
    normal(x) {
      const size = Math.abs(x), density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
      let tail;
      if (size < 3) {
        let term = size, sum = size;
        for (let k = 1; k < 100 && term > 1e-17; k += 1) sum += term *= size * size / (2 * k + 1);
        tail = 0.5 - density * sum;
      } else {
        let below = 0;
        for (let k = 60; k > 0; k -= 1) below = k / (size + below);
        tail = density / (size + below);
      }
      return x > 0 ? 1 - tail : tail;
    },
    // All masks of n units, as arrays of 0 and 1.
    masks: n => Array.from({ length: 2 ** n }, (_, code) => Array.from({ length: n }, (_, k) => code >> k & 1)),
    softmax(logits) {
      const most = Math.max(...logits), parts = logits.map(value => Math.exp(value - most));
      const sum = parts.reduce((one, other) => one + other);
      return parts.map(part => part / sum);
    },
  };
})();
