"""The data visualization block: line, bar, area and pie."""

from typing import Any

from sandbox.slack.shapes import Check, all_of, items, number, rule, shape, string, typed

MAX_SERIES, MAX_POINTS, MAX_SEGMENTS = 12, 20, 12

_label = string(20)
_point = shape({"label": _label, "value": number})
_series = shape({"name": _label, "data": items(_point, MAX_POINTS)})
_axes = shape(
    {"categories": items(_label, MAX_POINTS)},
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


_axis_chart = all_of(
    shape({"series": items(_series, MAX_SERIES), "axis_config": _axes}),
    rule(_names_differ, "two series have the same name"),
    rule(_points_are_categories, "the labels of each series must be the categories, in order"),
)
_segment = shape({"label": _label, "value": number})
_positive = rule(
    lambda chart: all(segment["value"] > 0 for segment in chart["segments"]),
    "segments must be positive",
)
_kinds: dict[str, Check] = {
    "line": _axis_chart,
    "bar": _axis_chart,
    "area": _axis_chart,
    "pie": all_of(shape({"segments": items(_segment, MAX_SEGMENTS)}), _positive),
}

chart = shape({"title": string(50), "chart": typed(_kinds, "chart")}, {"block_id": string(255)})
