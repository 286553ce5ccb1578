// The rates as lines; the legend tells the values of the latest point, or of the one under the pointer.

const SERIES = [["lines_read", "read"], ["delivered", "delivered"], ["dead_lettered", "dead-lettered"]];
const HEIGHT = 230;
const MARGIN = {top: 12, right: 12, bottom: 40, left: 52};
const MINUTE = 60_000;

const plot = {points: [], width: 0, chosen: null};

function setHistory(history) {
  const chosenAt = plot.chosen === null ? null : plot.points[plot.chosen].at;
  plot.points = history.map((point) => ({...point, at: Date.parse(point.at)}));
  const again = plot.points.findIndex((point) => point.at === chosenAt);
  plot.chosen = again < 0 ? null : again;
  drawPlot();
}

function drawPlot() {
  const {points} = plot;
  show("plot-empty", points.length < 2);
  show("plot", points.length >= 2);
  show("legend", points.length > 0);
  if (points.length) tellPoint();
  plot.width = element("plot").clientWidth;
  if (points.length < 2 || !plot.width) return put("plot-span", "");
  const first = points[0].at, last = points.at(-1).at;
  const top = niceCeiling(Math.max(...points.flatMap((point) => SERIES.map(([key]) => point[key]))));
  plot.x = (time) => MARGIN.left + (time - first) / (last - first || 1) * (plot.width - MARGIN.left - MARGIN.right);
  plot.y = (rate) => HEIGHT - MARGIN.bottom - rate / top * (HEIGHT - MARGIN.top - MARGIN.bottom);
  put("plot-span", `over the last ${toldSpan((last - first) / 1000)}`);
  const picture = element("picture"); // it stays, so that it keeps the focus
  picture.setAttribute("viewBox", `0 0 ${plot.width} ${HEIGHT}`);
  picture.setAttribute("height", HEIGHT);
  picture.setAttribute("aria-label",
    `Lines per second from ${toldClock(first)} to ${toldClock(last)}, on a scale to ${toldRate(top)}. Arrow keys choose a point.`);
  picture.replaceChildren(...rateAxis(top), ...timeAxis(first, last), ...SERIES.map(line), drawn("g", {id: "cursor"}));
  drawCursor();
}

// A quarter of it is a round number too.
function niceCeiling(value) {
  if (value <= 0.4) return 0.4;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}

function toldSpan(seconds) {
  const minutes = Math.round(seconds / 60);
  return minutes === 60 ? "hour" : minutes > 4 && minutes < 120 ? `${minutes} min` : toldDuration(seconds);
}

function rateAxis(top) {
  const marks = [0, 1, 2, 3, 4].map((part) => top * part / 4).flatMap((rate) => [
    drawn("line", {class: "grid", x1: MARGIN.left, x2: plot.width - MARGIN.right, y1: plot.y(rate), y2: plot.y(rate)}),
    drawn("text", {class: "axis", x: MARGIN.left - 6, y: plot.y(rate) + 4, "text-anchor": "end", text: toldRate(rate)}),
  ]);
  const middle = (HEIGHT - MARGIN.bottom + MARGIN.top) / 2;
  return [...marks, drawn("text", {
    class: "axis", x: 0, y: 0, transform: `translate(12 ${middle}) rotate(-90)`, "text-anchor": "middle", text: "lines per second",
  })];
}

function timeAxis(first, last) {
  const most = Math.max(2, Math.floor((plot.width - MARGIN.left) / 80));
  const step = [0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 1440].map((minutes) => minutes * MINUTE)
    .find((each) => (last - first) / each <= most) ?? 2880 * MINUTE;
  const marks = [];
  for (let time = Math.ceil(first / step) * step; time <= last; time += step) {
    const x = plot.x(time), y = HEIGHT - MARGIN.bottom;
    const anchor = x > plot.width - 30 ? "end" : "middle";
    marks.push(drawn("line", {class: "tick", x1: x, x2: x, y1: y, y2: y + 5}));
    marks.push(drawn("text", {class: "axis", x, y: y + 18, "text-anchor": anchor, text: toldClock(time, step < MINUTE)}));
  }
  const middle = (MARGIN.left + plot.width - MARGIN.right) / 2;
  return [...marks, drawn("text", {class: "axis", x: middle, y: HEIGHT - 4, "text-anchor": "middle", text: "time of day, as of this browser"})];
}

function line([key]) {
  const places = plot.points.map((point) => `${plot.x(point.at).toFixed(1)},${plot.y(point[key]).toFixed(1)}`);
  return drawn("polyline", {class: `series ${key}`, points: places.join(" ")});
}

function drawCursor() {
  const point = plot.points[plot.chosen];
  if (!point) return element("cursor")?.replaceChildren();
  const x = plot.x(point.at);
  element("cursor").replaceChildren(
    drawn("line", {class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom}),
    ...SERIES.map(([key]) => drawn("circle", {class: key, cx: x, cy: plot.y(point[key]), r: 3.5})),
  );
}

function tellPoint() {
  const point = plot.points[plot.chosen ?? plot.points.length - 1];
  const values = SERIES.map(([key, name]) => make("div", {of: [
    make("dt", {of: [swatch(key), name]}), make("dd", {id: `rate-${key}`, text: `${toldRate(point[key])}/s`}),
  ]}));
  const when = plot.chosen === null ? "latest" : "at";
  fill("legend", [...values, make("div", {of: [make("dt", {text: when}), make("dd", {id: "rate-at", text: toldClock(point.at)})]})]);
}

function swatch(key) {
  const stroke = drawn("line", {class: `series ${key}`, x1: 0, x2: 22, y1: 5, y2: 5});
  return drawn("svg", {class: "swatch", width: 22, height: 10, "aria-hidden": "true", of: [stroke]});
}

function choose(index) {
  plot.chosen = index;
  tellPoint();
  drawCursor();
}

function watchPlot() {
  const area = element("plot");
  area.addEventListener("pointermove", (event) => {
    if (!plot.points.length) return;
    const x = event.clientX - area.getBoundingClientRect().left;
    const distances = plot.points.map((point) => Math.abs(plot.x(point.at) - x));
    choose(distances.indexOf(Math.min(...distances)));
  });
  area.addEventListener("pointerleave", () => plot.points.length && choose(null));
  area.addEventListener("focusout", () => plot.points.length && choose(null));
  area.addEventListener("keydown", (event) => {
    const last = plot.points.length - 1;
    const now = plot.chosen ?? last;
    const target = {ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last}[event.key];
    if (target === undefined) return;
    event.preventDefault();
    choose(Math.min(Math.max(target, 0), last));
  });
  new ResizeObserver(() => element("plot").clientWidth !== plot.width && drawPlot()).observe(area.parentElement);
}
