import { h, s } from "./dom.js";

const COLOURS = Array.from({ length: 12 }, (_, index) => `var(--series-${index + 1})`);
// Narrow enough to be read in a thread, where it is shown at three quarters of its size.
const BOX = { width: 440, height: 210, left: 48, right: 12, top: 12, bottom: 44 };
const INNER = { width: BOX.width - BOX.left - BOX.right, height: BOX.height - BOX.top - BOX.bottom };

export function chart(block) {
  const spec = block.chart;
  const body = spec.type === "pie" ? pie(spec) : axes(spec);
  return h(
    "figure",
    { class: "chart", data: { chart: spec.type } },
    h("figcaption", {}, block.title),
    body,
    legend(spec),
  );
}

function legend(spec) {
  const names =
    spec.type === "pie" ? spec.segments.map((part) => part.label) : spec.series.map((one) => one.name);
  if (spec.type !== "pie" && names.length < 2) return null;
  return h(
    "ul",
    { class: "legend" },
    names.map((name, index) => h("li", { style: `--dot:${COLOURS[index]}` }, name)),
  );
}

function canvas(label, height, ...children) {
  return s("svg", { viewBox: `0 0 ${BOX.width} ${height}`, role: "img", "aria-label": label }, ...children);
}

function niceStep(range) {
  const rough = range / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= rough);
}

function short(value) {
  return Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

function scale(spec) {
  const values = spec.series.flatMap((one) => one.data.map((point) => point.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const step = niceStep(high - low);
  const [first, last] = [Math.floor(low / step), Math.max(1, Math.ceil(high / step))];
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return {
    ticks,
    y: (value) => BOX.top + INNER.height * (1 - (value - ticks[0]) / (ticks.at(-1) - ticks[0])),
  };
}

function axes(spec) {
  const labels = spec.axis_config?.categories ?? spec.series[0].data.map((point) => point.label);
  const measure = scale(spec);
  const slot = INNER.width / labels.length;
  const x = (index) => BOX.left + slot * (index + 0.5);
  const draw = { bar: bars, line: lines, area: areas }[spec.type];
  return canvas(
    describe(spec, labels),
    spec.axis_config?.x_label ? BOX.height : BOX.height - 18,
    grid(measure),
    labels.map((label, index) => tick(label, x(index), slot, index, labels.length)),
    draw(spec.series, measure, x, slot),
    titles(spec.axis_config ?? {}),
  );
}

function describe(spec, labels) {
  return spec.series
    .map(
      (one) =>
        `${one.name}: ${labels.map((label, index) => `${label} ${one.data[index]?.value ?? ""}`).join(", ")}`,
    )
    .join("; ");
}

function grid(measure) {
  return measure.ticks.map((value) => [
    s("line", {
      class: value === 0 ? "axis" : "gridline",
      x1: BOX.left,
      x2: BOX.width - BOX.right,
      y1: measure.y(value),
      y2: measure.y(value),
    }),
    s(
      "text",
      { class: "tick", x: BOX.left - 8, y: measure.y(value) + 4, "text-anchor": "end" },
      short(value),
    ),
  ]);
}

function tick(label, x, slot, index, count) {
  const every = Math.ceil(count / 10);
  if (index % every) return null;
  const room = Math.max(4, Math.floor((slot * every) / 7.6));
  const words = label.length > room ? `${label.slice(0, room - 1)}…` : label;
  return s("text", { class: "tick", x, y: BOX.height - BOX.bottom + 16, "text-anchor": "middle" }, words);
}

function titles({ x_label: across, y_label: up }) {
  const middle = BOX.top + INNER.height / 2;
  return [
    across &&
      s(
        "text",
        { class: "axis-title", x: BOX.left + INNER.width / 2, y: BOX.height - 6, "text-anchor": "middle" },
        across,
      ),
    up &&
      s(
        "text",
        {
          class: "axis-title",
          x: 12,
          y: middle,
          "text-anchor": "middle",
          transform: `rotate(-90 12 ${middle})`,
        },
        up,
      ),
  ];
}

function tip(name, point) {
  return s("title", {}, `${name} · ${point.label}: ${point.value}`);
}

function bars(series, measure, x, slot) {
  const width = Math.min(44, (slot * 0.7) / series.length);
  return series.map((one, which) =>
    one.data.map((point, index) => {
      const left = x(index) - (width * series.length) / 2 + width * which;
      const [from, to] = [measure.y(Math.max(0, point.value)), measure.y(Math.min(0, point.value))];
      return s(
        "rect",
        {
          x: left + 1,
          y: from,
          width: width - 2,
          height: Math.max(1, to - from),
          rx: 2,
          fill: COLOURS[which],
        },
        tip(one.name, point),
      );
    }),
  );
}

function path(one, measure, x) {
  return one.data
    .map((point, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${measure.y(point.value).toFixed(1)}`)
    .join("");
}

function lines(series, measure, x) {
  return series.map((one, which) => line(one, COLOURS[which], measure, x));
}

function line(one, colour, measure, x) {
  const dots = one.data.map((point, index) =>
    s("circle", { cx: x(index), cy: measure.y(point.value), r: 3, fill: colour }, tip(one.name, point)),
  );
  return [s("path", { class: "line", d: path(one, measure, x), stroke: colour }), dots];
}

function areas(series, measure, x) {
  const floor = measure.y(0).toFixed(1);
  return series.map((one, which) => [
    s("path", {
      class: "area",
      d: `${path(one, measure, x)}L${x(one.data.length - 1)} ${floor}L${x(0)} ${floor}Z`,
      fill: COLOURS[which],
    }),
    line(one, COLOURS[which], measure, x),
  ]);
}

function pie({ segments }) {
  const total = segments.reduce((sum, part) => sum + part.value, 0) || 1;
  const centre = { x: BOX.width / 2, y: BOX.height / 2, r: BOX.height / 2 - 10 };
  let turned = 0;
  const drawn = segments.map((part, index) => {
    const share = part.value / total;
    const slice = sector(
      centre,
      turned,
      share,
      COLOURS[index],
      `${part.label}: ${part.value} (${Math.round(share * 100)}%)`,
    );
    turned += share;
    return slice;
  });
  return canvas(
    segments.map((part) => `${part.label} ${part.value}`).join(", "),
    BOX.height,
    drawn,
    s("circle", { class: "pie-hole", cx: centre.x, cy: centre.y, r: centre.r * 0.55 }),
  );
}

function sector({ x, y, r }, from, share, fill, words) {
  if (share >= 0.9999) return s("circle", { cx: x, cy: y, r, fill }, s("title", {}, words));
  const at = (turn) =>
    `${(x + r * Math.sin(turn * 2 * Math.PI)).toFixed(2)} ${(y - r * Math.cos(turn * 2 * Math.PI)).toFixed(2)}`;
  return s(
    "path",
    {
      class: "slice",
      fill,
      d: `M${x} ${y}L${at(from)}A${r} ${r} 0 ${share > 0.5 ? 1 : 0} 1 ${at(from + share)}Z`,
    },
    s("title", {}, words),
  );
}
