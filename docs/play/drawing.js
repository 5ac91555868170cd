"use strict";
// Drawing in SVG: elements, numbers as text, and the one chart that both tabs have.

/** Create or find an SVG element under a parent by its class, and set its attributes. */
function svg(parent, tag, name, attributes = {}) {
  let element = parent.querySelector(`:scope > [data-name="${name}"]`);
  if (!element) {
    element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    element.dataset.name = name;
    element.setAttribute("class", name.replace(/-?\d+$/, ""));
    parent.append(element);
  }
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** A number as text: a real minus sign, spaces between thousands, ∞ in words. */
function text(x, digits = 3) {
  if (!Number.isFinite(x)) return "never";
  const rounded = Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x;
  const [whole, part] = Math.abs(rounded).toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return (rounded < 0 ? "−" : "") + grouped + (part ? `.${part}` : "");
}

/** A small number as text, to one digit: 3·10⁻¹⁶. */
function power(x) {
  const [digit, exponent] = x.toExponential(0).split("e");
  return `${digit}·10${[...exponent].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)] ?? "").join("")}`;
}

const degrees = (radians) => (radians * 180) / Math.PI;
const radians = (degrees) => (degrees * Math.PI) / 180;

/** Numbers from 0 to the largest of 1, 2 or 5 times a power of ten that make about five ticks. */
function ticks(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, k) => k * step);
}

/** A chart against steps. Its curves hold the data themselves: the picture is a change of units.
 *
 * draw({ steps, low, high, marks, level, predicted, run, promise, count }): the largest step; range and
 * tick marks upwards; height of the level line, with its name, or null; the two curves as lists of
 * [step, value]; steps predicted and counted, or Infinity and null.
 */
function makeChart(root, unit) {
  const [width, height, left, right, top, bottom] = [480, 400, 52, 14, 14, 44];
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const curve = (points) => points.map(([x, y], k) => `${k ? "L" : "M"}${x} ${y}`).join("");

  return function draw({ steps, low, high, marks, level, predicted, run, promise, count }) {
    const x = (step) => left + (step / steps) * (width - left - right);
    const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
    const axes = svg(root, "g", "axes");
    axes.replaceChildren();
    const write = (name, at, words) => { svg(axes, "text", name, at).textContent = words; };
    for (const [k, mark] of marks.entries()) {
      svg(axes, "line", `grid-${k}`, { x1: left, x2: width - right, y1: y(mark), y2: y(mark) });
      write(`value-${k}`, { x: left - 8, y: y(mark) + 5 }, text(mark, 0) + unit);
    }
    for (const [k, mark] of ticks(steps).entries()) {
      write(`step-${k}`, { x: x(mark), y: height - bottom + 20 }, text(mark, mark % 1 ? 1 : 0));
    }
    write("name", { x: width - right, y: height - 4 }, "steps");
    if (level) {
      svg(axes, "line", "level", { x1: left, x2: width - right, y1: y(level.at), y2: y(level.at) });
      write("level-name", { x: left + 6, y: y(level.at) + 16 }, level.name);
    }
    const shown = Number.isFinite(promise) && promise <= steps;
    svg(axes, "line", "promise", {
      x1: x(shown ? promise : 0), x2: x(shown ? promise : 0), y1: top, y2: height - bottom,
      visibility: shown ? "visible" : "hidden",
    });
    // From data to picture: the curves keep their numbers.
    const [sx, sy] = [x(1) - x(0), y(1) - y(0)];
    const transform = `matrix(${sx} 0 0 ${sy} ${x(0)} ${y(0)})`;
    svg(root, "path", "run", { d: curve(run), transform });
    svg(root, "path", "predicted", { d: curve(predicted), transform });
    const end = run[run.length - 1];
    svg(root, "circle", "end", { cx: x(end[0]), cy: y(end[1]), r: 4.5 });
    const counted = count !== null && count <= steps;
    svg(root, "path", "counted", {
      d: counted ? `M${x(count)} ${height - bottom}l-6 9h12z` : "",
    });
  };
}

/** What a run has passed through, thinned so that a chart never holds more than 2000 points. */
function makeHistory() {
  let points = [];
  let every = 1;
  return {
    clear() { points = []; every = 1; },
    add(step, value) {
      if (step % every === 0) points.push([step, value]);
      if (points.length < 2000) return;
      every *= 2;
      points = points.filter(([at]) => at % every === 0);
    },
    upTo: (step, value) => (points.at(-1)?.[0] === step ? points : [...points, [step, value]]),
  };
}
