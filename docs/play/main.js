"use strict";
// Both tabs, and which of them is seen: the other one rests.

const panels = { pair: makePlane(), sphere: makeSphere() };
makeTabs((name) => {
  for (const panel of Object.values(panels)) panel.stop();
  panels[name].draw();
});
