"use strict";
// The second tab: points on a sphere under InfoNCE.

function makeSphere() {
  const nt = normtheory;
  const GOAL = nt.even_uniformity();
  const MOST = 1e5; // steps, after which a run that does not come there is stopped
  const root = find("globe");
  const drawChart = makeChart(find("sphere-chart"), "");
  const history = makeHistory();
  const view = { turn: 0.6, tilt: 0.45 };
  let seed = 1;
  let points, steps, count, unitCourse, cacheKey, reach;

  // ---- The start: a cap around the upward axis, the same for the same seed.

  /** Random numbers in [0, 1) from a seed: mulberry32. */
  function randoms(state) {
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Two or three points at equal angles, an umbrella; more are drawn uniformly in the cap. */
  function cap(n, norm, width) {
    const random = randoms(seed);
    return Array.from({ length: n }, (_, k) => {
      const height = n <= 3 ? Math.cos(width) : 1 - random() * (1 - Math.cos(width));
      const around = n <= 3 ? (2 * Math.PI * k) / n : 2 * Math.PI * random();
      const side = Math.sqrt(1 - height * height);
      return nt.times([side * Math.cos(around), side * Math.sin(around), height], norm);
    });
  }

  const chosen = () => ({
    n: read("sphere-n"), norm: read("sphere-norm"), width: radians(read("sphere-width")),
    rate: read("sphere-rate"), temperature: read("sphere-temperature"),
  });

  // ---- What is predicted: time on the unit sphere, stretched by ρ²/γ.

  /** In closed form for an equiangular cloud, for others from the flow, followed once. */
  function course() {
    const { n, width, temperature } = chosen();
    const key = [n, width, temperature, seed].join();
    if (key === cacheKey) return unitCourse;
    const begin = cap(n, 1, width);
    cacheKey = key;
    unitCourse = n <= 3 ? umbrella(begin, n, temperature) : nt.unit_flow(begin, temperature, GOAL, 2);
    return unitCourse;
  }

  function umbrella(begin, n, temperature) {
    const from = nt.mean_cosine(begin);
    const time = (cosine) => nt.simplex_steps(from, cosine, n, 1, 1, temperature);
    const goal = nt.equiangular_cosine(GOAL);
    // Equal parts of the way in ln[(1 − c)/(c + 1/(n − 1))], in which the flow is even.
    const log = (c) => Math.log((1 - c) / (c + 1 / (n - 1)));
    const back = (s) => (1 - Math.exp(s) / (n - 1)) / (1 + Math.exp(s));
    const far = Math.max(log(goal), log(from)) + 4;
    const cosines = Array.from({ length: 121 }, (_, k) => back(log(from) + (k / 120) * (far - log(from))));
    const at = cosines.map((c) => ({ time: time(c), uniformity: -4 * (1 - c) }));
    return { goal: from <= goal ? 0 : time(goal), points: at };
  }

  function predict() {
    const { n, norm, rate, temperature } = chosen();
    const found = course();
    const stretch = (norm * norm) / rate;
    const closed = !Array.isArray(found);
    const path = closed ? found.points : found;
    const time = closed ? found.goal : nt.time_to(found, GOAL);
    const pull = (2 * rate) / (temperature * n * norm * norm) * Math.max(1, 0.25 / temperature);
    return {
      steps: time * stretch,
      path: path.map((point) => [point.time * stretch, point.uniformity]),
      how: closed
        ? "Closed form: an equiangular cloud opens like an umbrella (claim simplex_steps)."
        : "The flow, followed once at norm 1 and stretched by ρ²/γ (claim scale_theorem): twice the norm, four times the steps.",
      note: time === Infinity
        ? "No prediction: the flow is slow here, and was not followed that far."
        : pull > 0.2 ? "A rough guide: steps are large, and the prediction is that of small ones." : "",
    };
  }

  // ---- The run.

  function reset() {
    const { n, norm, width } = chosen();
    points = cap(n, norm, width);
    [steps, count, reach] = [0, null, 0];
    history.clear();
    look();
  }

  function look() {
    const now = nt.uniformity(points);
    if (count === null && now <= GOAL) count = steps;
    history.add(steps, now);
  }

  function step() {
    const { rate, temperature } = chosen();
    points = nt.cloud_step(points, rate, temperature);
    steps += 1;
    look();
  }

  /** A run goes on to the end of the chart, so that one sees where the points come to. */
  const finished = () => steps >= MOST || (count !== null && steps >= Math.floor(span(predict())));

  const span = (forecast) => (Number.isFinite(forecast.steps) ? Math.max(2 * forecast.steps, 5) : forecast.path.at(-1)[0]);

  // ---- The picture.

  function draw() {
    const forecast = predict();
    const now = nt.uniformity(points);
    drawGlobe();
    const most = span(forecast);
    reach = Math.max(reach, most);
    if (steps > reach) reach = 1.4 * steps;
    const low = Math.min(-2.5, Math.floor(Math.min(now, ...forecast.path.filter(([k]) => k <= reach).map(([, u]) => u)) * 2) / 2);
    drawChart({
      steps: reach, low, high: 0,
      marks: Array.from({ length: Math.floor(-low) + 1 }, (_, k) => -k),
      level: { at: GOAL, name: "even" },
      predicted: inside(forecast.path, reach),
      run: history.upTo(steps, now), promise: forecast.steps, count,
    });
    const known = Number.isFinite(forecast.steps);
    find("sphere-predicted").textContent = known ? text(forecast.steps, forecast.steps < 1000 ? 1 : 0) : "–";
    find("sphere-counted").textContent = count === null ? "–" : text(count, 0);
    find("sphere-steps").textContent = text(steps, 0);
    find("sphere-uniformity").textContent = text(now, 4);
    find("sphere-cosine").textContent = text(nt.mean_cosine(points), 4);
    find("sphere-loss").textContent = text(nt.info_nce(points, read("sphere-temperature")).value, 4);
    find("sphere-now-norm").textContent = text(points.reduce((sum, z) => sum + nt.norm(z), 0) / points.length, 4);
    say("sphere-how", forecast.how);
    say("sphere-note", forecast.note);
    say("sphere-status", count === null
      ? steps >= MOST ? `Not there after ${text(MOST, 0)} steps.` : ""
      : `As even as a uniform draw after ${text(count, 0)} steps${known ? `; predicted ${text(forecast.steps, 1)}` : ""}.`);
  }

  /** The part of a curve up to a step, its end put on the border. */
  function inside(path, most) {
    const k = path.findIndex(([step]) => step > most);
    if (k <= 0) return path;
    const [[a, u], [b, v]] = [path[k - 1], path[k]];
    return [...path.slice(0, k), [most, u + ((most - a) / (b - a)) * (v - u)]];
  }

  /** As seen from the view: right, up, and towards the eye. */
  function project([x, y, z]) {
    const [s, c] = [Math.sin(view.turn), Math.cos(view.turn)];
    const [right, away] = [c * x - s * y, s * x + c * y];
    const [t, u] = [Math.sin(view.tilt), Math.cos(view.tilt)];
    return [right, u * z + t * away, t * z - u * away];
  }

  function drawGlobe() {
    const [middle, r] = [240, 205];
    const put = ([x, y]) => [middle + r * x, middle - r * y];
    svg(root, "circle", "ball", { cx: middle, cy: middle, r });
    const lines = svg(root, "g", "graticule");
    // Circles of latitude and longitude; what lies behind is fainter.
    const circles = [];
    for (const height of [-60, -30, 0, 30, 60]) {
      circles.push((s) => [Math.cos(radians(height)) * Math.cos(s), Math.cos(radians(height)) * Math.sin(s), Math.sin(radians(height))]);
    }
    for (const side of [0, 30, 60, 90, 120, 150]) {
      circles.push((s) => [Math.cos(radians(side)) * Math.sin(s), Math.sin(radians(side)) * Math.sin(s), Math.cos(s)]);
    }
    const parts = { front: "", back: "" };
    for (const circle of circles) {
      for (let k = 0; k < 60; k += 1) {
        const [a, b] = [k, k + 1].map((i) => project(circle((i * Math.PI) / 30)));
        parts[a[2] + b[2] > 0 ? "front" : "back"] += `M${put(a).join(" ")}L${put(b).join(" ")}`;
      }
    }
    for (const [side, d] of Object.entries(parts)) svg(lines, "path", side, { d });
    const dots = svg(root, "g", "points");
    dots.replaceChildren();
    const seen = points.map((z) => project(nt.unit(z))).sort((a, b) => a[2] - b[2]);
    for (const [k, z] of seen.entries()) {
      const [cx, cy] = put(z);
      svg(dots, "circle", `point-${k}`, { cx, cy, r: 7 + 2 * z[2], opacity: z[2] < 0 ? 0.35 : 1 });
    }
    const turned = (Math.round(degrees(view.turn)) % 360 + 360) % 360;
    root.setAttribute("aria-valuenow", turned);
    root.setAttribute("aria-valuetext", `seen from ${turned} degrees around and ${Math.round(degrees(view.tilt))} degrees above`);
  }

  function lookFrom(turn, tilt) {
    view.turn += turn;
    view.tilt = Math.min(Math.max(view.tilt + tilt, -Math.PI / 2), Math.PI / 2);
    drawGlobe();
  }
  let held;
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    held = [event.clientX, event.clientY];
  });
  root.addEventListener("pointermove", (event) => {
    if (!root.hasPointerCapture(event.pointerId)) return;
    const per = 2 / root.getBoundingClientRect().width;
    lookFrom((event.clientX - held[0]) * per, (event.clientY - held[1]) * per);
    held = [event.clientX, event.clientY];
  });
  root.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const tilt = { ArrowUp: 1, ArrowDown: -1 }[event.key] ?? 0;
    if (!turn && !tilt) return;
    event.preventDefault();
    lookFrom(radians(5 * turn), radians(5 * tilt));
  });

  const runner = makeRunner("sphere", {
    step, draw, finished, reset,
    pace: () => {
      const { steps: all } = predict();
      return Number.isFinite(all) ? Math.max(all / 180, 1 / 15) : 2;
    },
  });
  const renew = () => {
    runner.stop();
    reset();
    draw();
  };
  listen(find("panel-sphere"), renew);
  find("sphere-draw").addEventListener("click", () => {
    seed += 1;
    renew();
  });
  reset();
  return { draw, stop: runner.stop };
}
