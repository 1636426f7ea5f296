// Draws the figures of a page again from their data, as curves that answer to a pointer. Where this cannot run, and in
// print, the drawings are there.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Whole numbers are steps and counts, whose every digit counts.
  const number = (value, digits) => {
    if (value == null) return "–";
    if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
    const short = Number(value.toPrecision(digits));
    const size = Math.abs(short);
    return short !== 0 && (size < 1e-3 || size >= 1e6) ? short.toExponential().replace("e+", "e") : String(short);
  };

  // As many digits as tell ticks of this distance apart.
  const digits = (tick, distance) => Math.min(16, Math.max(1, Math.ceil(Math.log10(Math.abs(tick) / distance)) + 1));

  // Of a logarithmic axis over many decades, the powers of ten alone.
  const main = (_, ticks) => {
    const shown = ticks.filter((tick) => tick != null);
    const wide = shown.length > 60;
    return ticks.map((tick) => (wide && tick != null && !/^-?1(e|$)/.test(tick.toExponential()) ? null : tick));
  };

  const axis = (label, logarithmic, more) => ({
    label,
    labelSize: 24,
    stroke: color("--ink"),
    grid: { stroke: color("--line"), width: 1, ...(logarithmic && { filter: main }) },
    ticks: { stroke: color("--line"), width: 1, ...(logarithmic && { filter: main }) },
    font: "13px system-ui, sans-serif",
    labelFont: "14px system-ui, sans-serif",
    values: (_, ticks, _axis, _space, distance) =>
      ticks.map((tick) => (tick == null ? "" : number(tick, logarithmic ? 4 : digits(tick, distance)))),
    ...more,
  });

  const series = (curve, data) => ({
    label: curve.name || data.y,
    stroke: curve.color,
    width: 2,
    dash: curve.dashed ? [7, 4] : undefined,
    spanGaps: true,
    points: { show: curve.x.length < 30, fill: color("--card") },
    value: (_, value) => number(value, 6),
  });

  const size = (figure) => {
    const width = Math.max(240, figure.clientWidth - 34);
    return { width, height: Math.max(230, Math.round(0.58 * width)) };
  };

  function draw(place, figure, data, logarithmic) {
    const options = {
      ...size(figure),
      scales: { x: { time: false, distr: data.logX ? 3 : 1 }, y: { distr: logarithmic ? 3 : 1 } },
      axes: [axis(data.x, data.logX), axis(data.y, logarithmic, { size: 58 })],
      series: [{ label: data.x, value: (_, value) => number(value, 6) }, ...data.curves.map((one) => series(one, data))],
      cursor: { drag: { x: true, y: true, uni: 30 } },
    };
    // One row of places for all curves, empty where a curve has none.
    return new uPlot(options, uPlot.join(data.curves.map(({ x, y }) => [x, y])), place);
  }

  for (const figure of document.querySelectorAll("figure")) {
    const script = figure.querySelector('script[type="application/json"]');
    if (!script) continue;
    const data = JSON.parse(script.textContent);
    const place = document.createElement("div");
    place.className = "plot";
    script.before(place);
    figure.classList.add("live");
    let logarithmic = data.logY;
    let plot = draw(place, figure, data, logarithmic);
    const again = () => {
      plot.destroy();
      plot = draw(place, figure, data, logarithmic);
    };
    if (data.curves.every(({ y }) => y.every((value) => value > 0))) {
      const button = document.createElement("button");
      button.type = "button";
      const name = () => (button.textContent = logarithmic ? "linear" : "logarithmic");
      button.addEventListener("click", () => {
        logarithmic = !logarithmic;
        name();
        again();
      });
      name();
      place.after(button);
    }
    dark.addEventListener("change", again);
    new ResizeObserver(() => plot.setSize(size(figure))).observe(figure);
  }

  const first = document.querySelector("figure.live");
  if (first) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent =
      "Point at a figure for its values; drag to zoom in, double-click to zoom out; a curve's name hides and shows it.";
    (first.closest(".figures, .claim") ?? first).before(hint);
  }
})();
