"use strict";
// All mathematics of this page, and nothing else: numbers in, numbers out, no drawing.
//
// A function that the Python library has too bears its name there, and its arguments, options and
// units are the same, so that the two can be laid side by side; the tests do so to 1e-12. Behind
// each stands the claim of the theory page that it comes from. Norms are ρ, the learning rate is γ
// (the rate that one pair sees), λ weight decay, p the power of GradScale, α momentum, τ
// temperature. Angles are in radians.
//
//   cosine_gradient    ∇cos = P ŷ/ρ, P = 1 − ẑẑᵀ                                cosine_gradient
//   pair_step          θ = atan2(γρ^(p−1) sin φ, (1−γλ)ρ), φ' = |φ − θ_i − θ_j|   step_map
//   heavy_ball_step    v' = αv + ρ^p ∇L,  z' = (1−γλ)z − γv'                    norm_growth_momentum
//   flow_angle         tan(φ(t)/2) = tan(φ₀/2) e^(−κt), κ = ρ_i^(p−2) + ρ_j^(p−2)  norm_effect
//   steps_to_converge  K = (1−α)/(γκ) ln[tan(φ₀/2)/tan(φ_ε/2)]                 norm_effect, optimizers
//   info_nce           (1/nτρ_a) P_a Σ_b (p_ab + p_ba) ẑ_b                      info_nce_gradient
//   uniformity         ln of the mean of exp(−t‖ẑ_i − ẑ_j‖²) over i ≠ j
//   simplex_steps      steps of n equiangular points from one cosine to another  simplex_steps
//   unit_flow          any cloud: steps at norm ρ are ρ²/γ times the time at norm 1  scale_theorem

const normtheory = (() => {
  // ---- Vectors: arrays of numbers, of the plane or of space.

  function dot(a, b) {
    let sum = 0;
    for (let k = 0; k < a.length; k += 1) sum += a[k] * b[k];
    return sum;
  }
  const norm = (a) => Math.hypot(...a);
  const times = (a, factor) => a.map((x) => x * factor);
  const plus = (a, b, factor = 1) => a.map((x, k) => x + factor * b[k]);
  const unit = (a) => times(a, 1 / norm(a));

  /** Angle between two vectors in [0, π], accurate near both ends. */
  function angle(z, y) {
    const [u, v] = [unit(z), unit(y)];
    return 2 * Math.atan2(norm(plus(u, v, -1)), norm(plus(u, v)));
  }

  /** Gradient of cos(z, y) with respect to z: at a right angle to z, and as 1/‖z‖. */
  function cosine_gradient(z, y) {
    const [u, v] = [unit(z), unit(y)];
    return times(plus(v, u, -dot(u, v)), 1 / norm(z));
  }

  // ---- A pair: two vectors under the loss −cos φ, or +cos φ where they repel.

  const OPTIONS = { gradscale: 0, weight_decay: 0, repel: false, stop_gradient: false };

  /** One exact step of SGD in the closed form of the theory: angle and norms alone. */
  function pair_step(state, learning_rate, options = {}) {
    const { gradscale, weight_decay, repel, stop_gradient } = { ...OPTIONS, ...options };
    // At π exactly the gradient is zero; the sine of the nearest float is not.
    const pull = state.angle >= Math.PI ? 0 : learning_rate * Math.sin(state.angle);
    const turn = (norm) => {
      const across = pull * norm ** (gradscale - 1);
      const along = (1 - learning_rate * weight_decay) * norm;
      return { theta: Math.atan2(across, along), norm: Math.hypot(across, along) };
    };
    const i = turn(state.norm_i);
    const j = stop_gradient ? { theta: 0, norm: state.norm_j } : turn(state.norm_j);
    const total = i.theta + j.theta;
    const after = Math.abs(repel ? state.angle + total : state.angle - total);
    return {
      angle: after > Math.PI ? 2 * Math.PI - after : after,
      norm_i: i.norm,
      norm_j: j.norm,
    };
  }

  /** The same step on the vectors themselves, with heavy-ball momentum; this is what is drawn.
   *
   * A pair is { z: [z_i, z_j], v: [v_i, v_j] }; v starts at zero.
   */
  function heavy_ball_step(pair, learning_rate, options = {}) {
    const { momentum = 0, weight_decay, stop_gradient } = { ...OPTIONS, ...options };
    const gradients = pair_gradients(pair.z, options);
    const move = (k) => {
      if (k === 1 && stop_gradient) return { z: pair.z[k], v: pair.v[k] };
      const v = plus(gradients[k], pair.v[k], momentum);
      return { z: plus(times(pair.z[k], 1 - learning_rate * weight_decay), v, -learning_rate), v };
    };
    const [i, j] = [move(0), move(1)];
    return { z: [i.z, j.z], v: [i.v, j.v] };
  }

  /** Gradients of the loss at both vectors, as GradScale hands them on: times ρ^p. */
  function pair_gradients(z, options = {}) {
    const { gradscale, repel } = { ...OPTIONS, ...options };
    // As in pair_step: at π exactly there is none, and rounding must not make one.
    if (angle(z[0], z[1]) >= Math.PI) return z.map((own) => times(own, 0));
    return z.map((own, k) => {
      const gradient = times(cosine_gradient(own, z[1 - k]), norm(own) ** gradscale);
      return repel ? gradient : times(gradient, -1);
    });
  }

  /** κ = ρ_i^(p−2) + ρ_j^(p−2), without the second where it does not move. */
  function flow_rate(norm_i, norm_j, { gradscale, stop_gradient }) {
    const other = stop_gradient ? 0 : norm_j ** (gradscale - 2);
    return norm_i ** (gradscale - 2) + other;
  }

  /** Angle after following the gradient flow for a time γ · steps; norms as at the start. */
  function flow_angle(angle, norm_i, norm_j, time, options = {}) {
    const all = { ...OPTIONS, ...options };
    if (angle >= Math.PI) return angle;
    const left = Math.exp(-time * flow_rate(norm_i, norm_j, all));
    const [sine, cosine] = [Math.sin(angle / 2), Math.cos(angle / 2)];
    return 2 * (all.repel ? Math.atan2(sine, cosine * left) : Math.atan2(sine * left, cosine));
  }

  /** Steps until cos φ ≥ 1 − tolerance by the flow, or cos φ ≤ tolerance − 1 for a pair that repels.
   *
   * Repulsion from φ is attraction from π − φ. Infinite where the start is at rest.
   */
  function steps_to_converge(angle, norm_i, norm_j, learning_rate, options = {}) {
    const { tolerance = 1e-3, momentum = 0, ...rest } = options;
    const all = { ...OPTIONS, ...rest };
    const from = all.repel ? Math.PI - angle : angle;
    if (from >= Math.PI) return Infinity;
    const goal = Math.sqrt(tolerance / (2 - tolerance)); // tan(φ_ε/2)
    const way = Math.log(Math.max(Math.tan(from / 2), goal) / goal);
    return ((1 - momentum) * way) / (learning_rate * flow_rate(norm_i, norm_j, all));
  }

  // ---- A cloud: points under InfoNCE, each of them anchor and key at once.

  /** Value and gradients of InfoNCE of a cloud with itself: the mean of −ln p_aa over its points.
   *
   * p_ab is the softmax over b of ẑ_a·ẑ_b/τ. The own key is the positive, and stands still: what is
   * left of the loss is repulsion from all others. ``given`` is Σ_b (p_ab + p_ba) without b = a.
   */
  function info_nce(points, temperature) {
    const n = points.length;
    const units = points.map(unit);
    const shares = units.map(() => new Array(n));
    for (let a = 0; a < n; a += 1) {
      for (let b = 0; b <= a; b += 1) {
        shares[a][b] = shares[b][a] = Math.exp((dot(units[a], units[b]) - 1) / temperature);
      }
    }
    const totals = shares.map((row) => row.reduce((sum, x) => sum + x));
    const given = new Array(n).fill(0);
    const gradients = points.map((z, a) => {
      const pull = z.map(() => 0);
      for (let b = 0; b < n; b += 1) {
        if (b === a) continue;
        const weight = shares[a][b] * (1 / totals[a] + 1 / totals[b]); // p_ab + p_ba
        given[a] += weight;
        for (let k = 0; k < pull.length; k += 1) pull[k] += weight * units[b][k];
      }
      const across = plus(pull, units[a], -dot(pull, units[a]));
      return times(across, 1 / (n * temperature * norm(z)));
    });
    const value = totals.reduce((sum, x) => sum + Math.log(x), 0) / n;
    return { value, gradients, given };
  }

  /** One step of SGD on that loss. */
  function cloud_step(points, learning_rate, temperature) {
    const { gradients } = info_nce(points, temperature);
    return points.map((z, a) => plus(z, gradients[a], -learning_rate));
  }

  /** Mean of f(ẑ_i, ẑ_j) over pairs of different points. */
  function mean_over_pairs(points, f) {
    const units = points.map(unit);
    let sum = 0;
    for (let i = 0; i < units.length; i += 1) {
      for (let j = 0; j < i; j += 1) sum += f(units[i], units[j]);
    }
    return (2 * sum) / (units.length * (units.length - 1));
  }

  /** Uniformity of Wang and Isola: 0 at collapse, the lower the more even. */
  function uniformity(points, sharpness = 2) {
    const near = (u, v) => Math.exp(-sharpness * (2 - 2 * dot(u, v)));
    return Math.log(mean_over_pairs(points, near));
  }

  const mean_cosine = (points) => mean_over_pairs(points, dot);

  /** Uniformity of a sphere of space covered evenly: what independent uniform points have on average. */
  function even_uniformity(sharpness = 2) {
    return Math.log(-Math.expm1(-4 * sharpness) / (4 * sharpness));
  }

  /** Cosine of equiangular points with this uniformity: ln exp(−2t(1 − c)). */
  const equiangular_cosine = (uniformity, sharpness = 2) => 1 + uniformity / (2 * sharpness);

  /** w = ∂L/∂c of one pair of points of an equiangular cloud, counted once. */
  function slope(cosine, n, temperature) {
    return 2 / (temperature * n * (Math.exp((1 - cosine) / temperature) + n - 1));
  }

  /** Steps of SGD that take n equiangular points from one cosine to a smaller one.
   *
   * With m = 1 + (n−1)c the flow is dm/dt = −2wm(n − m)/ρ². In s = ln[(n − m)/m] that is
   * ds/dt = 2nw/ρ², so that K = (ρ²/2nγ) ∫ ds/w: the integral of a smooth function.
   */
  function simplex_steps(start, end, n, norm, learning_rate, temperature) {
    const place = (cosine) => Math.log(((n - 1) * (1 - cosine)) / (1 + (n - 1) * cosine));
    const cosine = (s) => (n / (1 + Math.exp(s)) - 1) / (n - 1);
    const integral = integrate((s) => 1 / slope(cosine(s), n, temperature), place(start), place(end));
    return ((norm * norm) / (2 * n * learning_rate)) * integral;
  }

  /** Integral of a smooth function, by Gauss and Legendre's five nodes on each of 200 panels. */
  function integrate(f, from, to) {
    const [inner, outer] = [-1, 1].map((sign) => Math.sqrt(5 + sign * 2 * Math.sqrt(10 / 7)) / 3);
    const [heavy, light] = [1, -1].map((sign) => (322 + sign * 13 * Math.sqrt(70)) / 900);
    const nodes = [[0, 128 / 225], [inner, heavy], [-inner, heavy], [outer, light], [-outer, light]];
    const half = (to - from) / 400;
    let sum = 0;
    for (let panel = 0; panel < 200; panel += 1) {
      const middle = from + (2 * panel + 1) * half;
      for (const [node, weight] of nodes) sum += weight * f(middle + node * half);
    }
    return sum * half;
  }

  /** The gradient flow of a cloud on the unit sphere: a list of { time, uniformity }.
   *
   * Steps at norm ρ and rate γ are ρ²/γ times this time while steps are small. Ends at ``beyond``
   * times the time at which uniformity comes to ``goal``, or after 4000 steps of Runge and Kutta.
   */
  function unit_flow(points, temperature, goal, beyond = 1.5) {
    const n = points.length;
    const velocity = (x) => info_nce(x, temperature).gradients.map((g) => times(g, -1));
    const move = (x, v, h) => x.map((z, a) => plus(z, v[a], h));
    let x = points.map(unit);
    const course = [{ time: 0, uniformity: uniformity(x) }];
    let [time, last] = [0, Infinity];
    for (let k = 1; k <= 4000; k += 1) {
      const { gradients, given } = info_nce(x, temperature);
      // A part of the time in which pulls change, which are over nτ and as steep as 1/τ, and no more
      // than the fastest point needs for 0.01 radians.
      const steep = (n * temperature) / ((4 + 1 / temperature) * Math.max(...given));
      const h = Math.min(steep, 0.01 / Math.max(...gradients.map(norm)));
      const a = gradients.map((g) => times(g, -1));
      const b = velocity(move(x, a, h / 2));
      const c = velocity(move(x, b, h / 2));
      const d = velocity(move(x, c, h));
      x = x.map((z, i) =>
        unit(z.map((_, m) => z[m] + (h / 6) * (a[i][m] + 2 * b[i][m] + 2 * c[i][m] + d[i][m]))),
      );
      time += h;
      course.push({ time, uniformity: uniformity(x) });
      if (last === Infinity && course[k].uniformity <= goal) last = beyond * time;
      if (time >= last) break;
    }
    return course;
  }

  /** Time at which a course comes down to ``goal``, between its points by a straight line. */
  function time_to(course, goal) {
    const k = course.findIndex((point) => point.uniformity <= goal);
    if (k < 0) return Infinity;
    if (k === 0) return 0;
    const [before, after] = [course[k - 1], course[k]];
    const share = (before.uniformity - goal) / (before.uniformity - after.uniformity);
    return before.time + share * (after.time - before.time);
  }

  return {
    dot, norm, times, plus, unit, angle, cosine_gradient,
    pair_step, heavy_ball_step, pair_gradients, flow_rate, flow_angle, steps_to_converge,
    info_nce, cloud_step, uniformity, mean_cosine, even_uniformity, equiangular_cosine, slope,
    simplex_steps, unit_flow, time_to,
  };
})();
