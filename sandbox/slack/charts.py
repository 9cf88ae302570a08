"""The data visualization block: line, bar, area and pie."""

from typing import Any

from sandbox.slack.shapes import Check, items, number, rule, shape, string, together, typed

MOST_SERIES, MOST_POINTS, MOST_SEGMENTS = 12, 20, 12

_label = string(20)
_point = shape({"label": _label, "value": number})
_series = shape({"name": _label, "data": items(_point, MOST_POINTS)})
_axes = shape(
    {"categories": items(_label, MOST_POINTS)},
    {"x_label": string(50), "y_label": string(50)},
)


def _points_are_categories(chart: Any) -> bool:
    categories = chart["axis_config"]["categories"]
    return all(
        [point["label"] for point in series["data"]] == categories for series in chart["series"]
    )


def _names_differ(chart: Any) -> bool:
    names = [series["name"] for series in chart["series"]]
    return len(names) == len(set(names))


_drawn = together(
    shape({"series": items(_series, MOST_SERIES), "axis_config": _axes}),
    rule(_names_differ, "two series have the same name"),
    rule(_points_are_categories, "the labels of each series must be the categories, in order"),
)
_segment = shape({"label": _label, "value": number})
_positive = rule(
    lambda chart: all(segment["value"] > 0 for segment in chart["segments"]),
    "segments must be positive",
)
_kinds: dict[str, Check] = {
    "line": _drawn,
    "bar": _drawn,
    "area": _drawn,
    "pie": together(shape({"segments": items(_segment, MOST_SEGMENTS)}), _positive),
}

chart = shape({"title": string(50), "chart": typed(_kinds, "chart")}, {"block_id": string(255)})
