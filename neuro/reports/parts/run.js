"use strict";
for (const figure of DATA.figures) draw(figure.id, () => figure);
document.documentElement.dataset.ready = "yes";
