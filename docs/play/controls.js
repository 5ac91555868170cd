"use strict";
// Sliders with their numbers, buttons that run, step and reset, and tabs.

const find = (id) => document.getElementById(id);

/** The number that a slider stands for: its power of ten, to two digits, where its scale is so. */
function read(id) {
  const input = find(id);
  const value = Number(input.value);
  return input.dataset.scale === "log" ? Number((10 ** value).toPrecision(2)) : value;
}

/** Set a slider to a number; what it cannot say is rounded by it. */
function put(id, value) {
  find(id).value = value;
  label(id);
}

/** Write a slider's number beside it, and where a screen reader looks. */
function label(id) {
  const input = find(id);
  const step = Number(input.step);
  const value = read(id);
  const digits = input.dataset.scale === "log"
    ? Math.max(0, 1 - Math.floor(Math.log10(value)))
    : (String(step).split(".")[1] ?? "").length;
  const words = text(value, digits) + (input.dataset.unit ?? "");
  document.querySelector(`output[for="${id}"]`).value = words;
  input.setAttribute("aria-valuetext", words);
}

/** Label every slider of a panel now and when it moves, and tell of every change. */
function listen(panel, changed) {
  for (const input of panel.querySelectorAll("input")) {
    if (input.type === "range") label(input.id);
    input.addEventListener("input", () => {
      if (input.type === "range") label(input.id);
      changed(input.id);
    });
  }
}

/** Show a line of text, or hide it where there is none. */
function say(id, words) {
  const element = find(id);
  element.textContent = words;
  if (element.classList.contains("note")) element.hidden = words === "";
}

/** The buttons of a panel. A model has step, reset, draw, finished and pace, its steps a frame.
 *
 * Where motion is unwelcome a run goes to its end in one go and is drawn there.
 */
function makeRunner(name, model) {
  const button = find(`${name}-run`);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  let running = false;
  let owed = 0;

  function show(now) {
    running = now;
    button.textContent = now ? "Pause" : "Run";
    find(`${name}-step`).disabled = now;
  }
  function frame() {
    if (!running) return;
    const until = performance.now() + (still.matches ? 60 : 12);
    owed = still.matches ? Infinity : Math.min(owed, model.pace()) + model.pace();
    for (; owed >= 1 && !model.finished() && performance.now() < until; owed -= 1) model.step();
    if (model.finished()) show(false);
    if (!running || !still.matches) model.draw();
    if (running) still.matches ? setTimeout(frame) : requestAnimationFrame(frame);
  }
  function stop() {
    if (running) show(false);
  }

  button.addEventListener("click", () => {
    if (running) {
      show(false);
      model.draw();
      return;
    }
    if (model.finished()) model.reset();
    owed = 0;
    show(true);
    frame();
  });
  find(`${name}-step`).addEventListener("click", () => {
    model.step();
    model.draw();
  });
  find(`${name}-reset`).addEventListener("click", () => {
    stop();
    model.reset();
    model.draw();
  });
  return { stop };
}

/** Tabs as the ARIA pattern has them: one in the order of focus, arrow keys between them. */
function makeTabs(opened) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const nameOf = (tab) => tab.id.replace("tab-", "");
  function open(tab) {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      find(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    opened(nameOf(tab));
  }
  for (const [k, tab] of tabs.entries()) {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      open(next);
    });
  }
  // Lesson pages may point to a tab: play/index.html#sphere.
  open(tabs.find((tab) => `#${nameOf(tab)}` === window.location.hash) ?? tabs[0]);
}
