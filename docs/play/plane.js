"use strict";
// The first tab: two vectors in the plane.

function makePlane() {
  const nt = normtheory;
  const TOLERANCE = 1e-3;
  const MOST = 1e6; // steps, after which a run that does not settle is stopped
  const FAR = 1e9; // a norm at which it is stopped, too, as at 1/FAR: it grows or shrinks without end
  const SIZE = 480;
  const [SHORTEST, LONGEST] = ["min", "max"].map((end) => Number(find("pair-norm-1")[end]));
  const root = find("plane");
  const drawChart = makeChart(find("pair-chart"), "°");
  const history = makeHistory();
  const start = [[0, 0], [0, 0]];
  let pair, exact, apart, steps, count, reach;

  // ---- What was chosen.

  const options = () => ({
    gradscale: read("pair-gradscale"),
    weight_decay: read("pair-decay"),
    momentum: read("pair-momentum"),
    repel: find("pair-repel").checked,
    stop_gradient: find("pair-one").checked,
  });
  const stateOf = (z) => ({
    angle: nt.angle(z[0], z[1]), norm_i: nt.norm(z[0]), norm_j: nt.norm(z[1]),
  });
  const direction = (z) => Math.atan2(z[1], z[0]);
  const polar = (length, at) => [length * Math.cos(at), length * Math.sin(at)];

  /** Put a vector somewhere by hand: the other one stays where the run has brought it. */
  function place(k, z) {
    runner.stop();
    start.splice(0, 2, ...pair.z);
    const length = Math.min(Math.max(nt.norm(z), SHORTEST), LONGEST);
    start[k] = polar(length, direction(z));
    if (find("pair-equal").checked) start[1 - k] = polar(length, direction(start[1 - k]));
    put("pair-norm-1", nt.norm(start[0]));
    put("pair-norm-2", nt.norm(start[1]));
    put("pair-angle", degrees(nt.angle(start[0], start[1])));
    reset();
    draw();
  }

  /** Take the start from the sliders: z₁ keeps its direction, and z₂ its side of it. */
  function fromSliders() {
    const at = direction(start[0]);
    const side = start[0][0] * start[1][1] - start[0][1] * start[1][0] < 0 ? -1 : 1;
    start[0] = polar(read("pair-norm-1"), at);
    start[1] = polar(read("pair-norm-2"), at + side * radians(read("pair-angle")));
  }

  // ---- The run.

  function reset() {
    pair = { z: start.map((z) => [...z]), v: [[0, 0], [0, 0]] };
    exact = stateOf(start);
    [apart, steps, count, reach] = [0, 0, null, 0];
    history.clear();
    look();
  }

  /** Count and record before an update, as the library does. */
  function look() {
    const { angle } = stateOf(pair.z);
    const cosine = Math.cos(angle) * (find("pair-repel").checked ? -1 : 1);
    if (count === null && cosine >= 1 - TOLERANCE) count = steps;
    history.add(steps, degrees(angle));
  }

  function step() {
    const [rate, chosen] = [read("pair-rate"), options()];
    pair = nt.heavy_ball_step(pair, rate, chosen);
    steps += 1;
    if (chosen.momentum === 0) {
      // The same step by the closed form, and how far the vectors have come from it.
      exact = nt.pair_step(exact, rate, chosen);
      const now = stateOf(pair.z);
      apart = Math.max(
        apart,
        Math.abs(now.angle - exact.angle),
        Math.abs(now.norm_i / exact.norm_i - 1),
        Math.abs(now.norm_j / exact.norm_j - 1),
      );
    }
    look();
  }

  const lost = () => steps >= MOST || pair.z.some((z) => nt.norm(z) > FAR || nt.norm(z) < 1 / FAR);
  const finished = () => count !== null || lost();

  /** What the closed form says of the start: steps, course, and where it cannot be trusted. */
  function predict() {
    const [rate, chosen, { angle, norm_i, norm_j }] = [read("pair-rate"), options(), stateOf(start)];
    const kappa = rate * nt.flow_rate(norm_i, norm_j, chosen);
    const alone = (1 - Math.sqrt(chosen.momentum)) ** 2;
    const beyond = chosen.momentum > 0 && kappa > alone;
    const time = (k) => (rate * k) / (1 - chosen.momentum);
    return {
      steps: beyond ? NaN : nt.steps_to_converge(angle, norm_i, norm_j, rate, { ...chosen, tolerance: TOLERANCE }),
      angle: (k) => (beyond ? NaN : nt.flow_angle(angle, norm_i, norm_j, time(k), chosen)),
      note: trust(chosen, kappa, alone, rate * Math.max(...[norm_i, norm_j].map((r) => r ** (chosen.gradscale - 2)))),
    };
  }

  function trust({ gradscale, momentum, weight_decay }, kappa, alone, largest) {
    const notes = [];
    if (momentum > 0 && kappa > alone) {
      notes.push("No prediction: at this rate momentum alone sets the pace.");
    } else if (momentum > 0 && kappa > alone / 3) {
      notes.push("A rough guide: close to the rate at which momentum alone sets the pace.");
    } else if (kappa > 2) {
      notes.push(`Each step overshoots by more than it mends${gradscale < 2 ? ", until the norms have grown" : ""}.`);
    } else if (momentum === 0 && largest > 0.1) {
      notes.push("A rough guide: steps are large, and the closed form is that of small ones.");
    }
    if (weight_decay > 0) notes.push("The closed form leaves decay out: shorter vectors turn faster.");
    return notes.join(" ");
  }

  // ---- The picture.

  function draw() {
    const now = stateOf(pair.z);
    const chosen = options();
    const forecast = predict();
    drawPlane(chosen);
    const most = Number.isFinite(forecast.steps) ? Math.max(forecast.steps * 1.3, 5) : 100;
    reach = Math.max(reach, most);
    if (steps > reach) reach = 1.4 * steps;
    const course = Array.from({ length: 201 }, (_, k) => [(k * reach) / 200, degrees(forecast.angle((k * reach) / 200))]);
    drawChart({
      steps: reach, low: 0, high: 180, marks: [0, 45, 90, 135, 180], level: null,
      predicted: Number.isNaN(course[0][1]) ? [] : course,
      run: history.upTo(steps, degrees(now.angle)),
      promise: forecast.steps, count,
    });
    find("pair-goal").textContent = `cos φ ${chosen.repel ? "≤ −" : "≥ "}${1 - TOLERANCE}`;
    find("pair-predicted").textContent = Number.isNaN(forecast.steps) ? "–" : text(forecast.steps, forecast.steps < 1000 ? 1 : 0);
    find("pair-counted").textContent = count === null ? "–" : text(count, 0);
    find("pair-steps").textContent = text(steps, 0);
    find("pair-now-angle").textContent = `${text(degrees(now.angle), 2)}°`;
    const flow = forecast.angle(steps);
    find("pair-now-flow").textContent = Number.isNaN(flow) ? "–" : `${text(degrees(flow), 2)}°`;
    find("pair-now-norm-1").textContent = text(now.norm_i, 4);
    find("pair-now-norm-2").textContent = text(now.norm_j, 4);
    find("pair-now-rate").textContent = text(read("pair-rate") * now.norm_i ** (chosen.gradscale - 2), 5);
    find("pair-exact").textContent = apart === 0 ? "equal" : `off by ${power(apart)}`;
    find("pair-exact-row").hidden = chosen.momentum > 0;
    say("pair-note", forecast.note);
    say("pair-status", verdict(forecast.steps));
  }

  function verdict(predicted) {
    if (count !== null) {
      return `There after ${text(count, 0)} steps` + (Number.isFinite(predicted) ? `; predicted ${text(predicted, 1)}.` : ".");
    }
    return lost() ? `Stopped after ${text(steps, 0)} steps: it does not settle.` : "";
  }

  /** Half the width of what is seen: 3.5, doubled as often as the vectors need. */
  function radius() {
    const longest = Math.max(...pair.z.map(nt.norm));
    return 3.5 * 2 ** Math.max(0, Math.ceil(Math.log2(longest / 3.4)));
  }

  function drawPlane(chosen) {
    const scale = SIZE / 2 / radius();
    const at = (z) => [SIZE / 2 + scale * z[0], SIZE / 2 - scale * z[1]];
    const middle = SIZE / 2;
    const grid = svg(root, "g", "grid");
    grid.replaceChildren();
    const every = radius() / 3.5;
    for (let k = 1; k <= 3; k += 1) {
      const r = k * every * scale;
      svg(grid, "circle", `ring-${k}`, { cx: middle, cy: middle, r });
      svg(grid, "text", `radius-${k}`, { x: middle + r - 4, y: middle + 18 }).textContent = text(k * every, 0);
    }
    svg(grid, "line", "axis-1", { x1: 0, x2: SIZE, y1: middle, y2: middle });
    svg(grid, "line", "axis-2", { y1: 0, y2: SIZE, x1: middle, x2: middle });

    const gradients = nt.pair_gradients(pair.z, chosen);
    const moves = [true, !chosen.stop_gradient];
    for (const k of [0, 1]) {
      const norms = { cx: middle, cy: middle };
      svg(root, "circle", `before-${k}`, { ...norms, r: scale * nt.norm(start[k]), "data-of": k });
      svg(root, "circle", `norm-${k}`, { ...norms, r: scale * nt.norm(pair.z[k]), "data-of": k });
    }
    drawArc(at, scale);
    for (const k of [0, 1]) {
      const [x, y] = at(pair.z[k]);
      const tip = at(nt.plus(pair.z[k], gradients[k], moves[k] ? -1 : 0));
      svg(root, "path", `pull-${k}`, { d: arrow([x, y], tip, 8) });
      svg(root, "path", `vector-${k}`, { d: arrow([middle, middle], [x, y], 0), "data-of": k });
      drawHandle(k, [x, y], beside(k));
    }
  }

  /** The angle φ as an arc near the middle. */
  function drawArc(at, scale) {
    const [from, to] = pair.z.map(direction);
    const turn = Math.atan2(Math.sin(to - from), Math.cos(to - from));
    const r = 44 / scale;
    const points = Array.from({ length: 41 }, (_, k) => at(polar(r, from + (turn * k) / 40)));
    svg(root, "path", "arc", { d: points.map(([x, y], k) => `${k ? "L" : "M"}${x} ${y}`).join("") });
    const [x, y] = at(polar(r * 1.45, from + turn / 2));
    svg(root, "text", "phi", { x, y: y + 6 }).textContent = "φ";
  }

  /** A line with a head of the given size; nothing where it is shorter than two pixels. */
  function arrow([x, y], [u, v], head) {
    const length = Math.hypot(u - x, v - y);
    if (length < 2) return "";
    const [dx, dy] = [(u - x) / length, (v - y) / length];
    const h = Math.min(head, length / 2);
    const wing = (side) => `M${u} ${v}L${u - h * (dx + side * dy * 0.6)} ${v - h * (dy - side * dx * 0.6)}`;
    return `M${x} ${y}L${u} ${v}` + (h ? wing(1) + wing(-1) : "");
  }

  /** Where a name stands: beyond its tip, on the side away from the other vector. */
  function beside(k) {
    const [own, other] = [direction(pair.z[k]), direction(pair.z[1 - k])];
    const away = own + (Math.sin(other - own) > 0 || (k === 0 && other === own) ? -1 : 1);
    return { x: 26 * Math.cos(away), y: 6 - 26 * Math.sin(away) };
  }

  function drawHandle(k, [x, y], name) {
    const handle = svg(root, "g", `handle-${k}`, { transform: `translate(${x} ${y})` });
    const z = pair.z[k];
    const turned = (Math.round(degrees(direction(z))) + 360) % 360;
    handle.setAttribute("aria-valuenow", turned);
    handle.setAttribute("aria-valuetext", `direction ${turned} degrees, norm ${text(nt.norm(z), 2)}, angle between the two ${text(degrees(stateOf(pair.z).angle), 0)} degrees`);
    svg(handle, "circle", "reach", { r: 30 });
    svg(handle, "circle", "dot", { r: 9 });
    svg(handle, "text", "label", name).textContent = "z" + "₁₂"[k];
    if (handle.id) return;
    for (const [key, value] of Object.entries({
      id: `handle-${k + 1}`, role: "slider", tabindex: 0, "data-of": k,
      "aria-label": `Vector z ${k + 1}: left and right turn it, up and down change its norm`,
      "aria-valuemin": 0, "aria-valuemax": 359,
    })) handle.setAttribute(key, value);
    drag(handle, k);
  }

  function drag(handle, k) {
    const move = (event) => {
      const box = root.getBoundingClientRect();
      const per = (2 * radius()) / box.width;
      const [x, y] = [event.clientX - box.left - box.width / 2, box.top + box.height / 2 - event.clientY];
      if (x || y) place(k, [x * per, y * per]);
    };
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    // touch-action is not heeded inside a drawing, and the page would scroll.
    handle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) move(event);
    });
    handle.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: 1, ArrowRight: -1 }[event.key] ?? 0;
      const longer = { ArrowUp: 1, ArrowDown: -1 }[event.key] ?? 0;
      if (!turn && !longer) return;
      event.preventDefault();
      const many = event.shiftKey ? 10 : 1;
      const length = nt.norm(pair.z[k]) + 0.05 * many * longer;
      place(k, polar(Math.max(length, SHORTEST), direction(pair.z[k]) + radians(many * turn)));
    });
  }

  const runner = makeRunner("pair", {
    step, draw, finished,
    reset,
    pace: () => {
      const { steps: all } = predict();
      return Number.isFinite(all) ? Math.max(all / 240, 1 / 15) : 2;
    },
  });
  start.splice(0, 2, [1, 0.25], [0, 1]);
  listen(find("panel-pair"), (id) => {
    runner.stop();
    if (find("pair-equal").checked && id !== "pair-norm-2") put("pair-norm-2", read("pair-norm-1"));
    if (find("pair-equal").checked && id === "pair-norm-2") put("pair-norm-1", read("pair-norm-2"));
    if (/norm|angle|equal/.test(id)) fromSliders();
    reset();
    draw();
  });
  fromSliders();
  reset();
  return { draw, stop: runner.stop };
}
