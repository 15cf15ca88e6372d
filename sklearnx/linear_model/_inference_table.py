"""The table of an `Inference`, as text and as HTML."""

from __future__ import annotations

import html


def format_text(inference):
    """A few lines about the model, then a row for each coefficient."""
    return "\n".join(
        [
            *_describe(inference),
            "",
            *_make_rows(inference),
            *_get_notes(inference),
        ]
    )


def format_html(inference):
    """The same as tables of HTML."""
    facts = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in _get_facts(inference)
    )
    header = "".join(f"<th>{html.escape(text)}</th>" for text in _get_header(inference))
    rows = "".join(
        f"<tr><th>{html.escape(row[0])}</th>"
        + "".join(f"<td>{html.escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for row in _get_cells(inference)
    )
    notes = "".join(f"<p>{note}</p>" for note in _get_notes(inference) if note)
    return (
        f"<h4>{html.escape(inference.model)}</h4><table>{facts}</table>"
        f"<table><thead><tr>{header}</tr></thead>"
        f"<tbody>{rows}</tbody></table>{notes}"
    )


def _get_facts(inference):
    """Pairs of a name and a number of the whole model."""
    facts = [
        ("observations", f"{inference.n_observations:.10g}"),
        ("coefficients (effective)", f"{inference.effective_df:.6g}"),
        ("residual df", f"{inference.df_residual:.6g}"),
        ("covariance", inference.covariance_type),
        ("dispersion", f"{inference.dispersion:.6g}"),
        ("deviance", f"{inference.deviance:.6g}"),
        ("null deviance", f"{inference.null_deviance:.6g}"),
        ("R2 of the deviance", f"{inference.r2:.4f}"),
    ]
    for name in ("log_likelihood", "aic", "bic"):
        value = getattr(inference, name)
        text = "-" if value is None else f"{value:.6g}"
        facts.append((name.replace("_", " "), text))
    return facts


def _describe(inference):
    facts = _get_facts(inference)
    half = (len(facts) + 1) // 2
    lines = [inference.model]
    for k in range(half):
        parts = []
        for name, value in facts[k::half]:
            parts.append(f"{name + ':':<26}{value:>14}")
        lines.append("    ".join(parts))
    return lines


def _get_header(inference):
    tail = 100 * (1 - inference.level) / 2
    return [
        "",
        "coef",
        "std err",
        inference.statistic,
        f"P>|{inference.statistic}|",
        f"{tail:.4g} %",
        f"{100 - tail:.4g} %",
    ]


def _get_cells(inference):
    """Texts of the table, a list for each coefficient."""
    cells = []
    for k, name in enumerate(inference.names):
        lower, upper = inference.confidence_intervals[k]
        if inference.is_aliased[k]:
            cells.append([name, f"{inference.coef[k]:.6g}", *["aliased"] + [""] * 4])
            continue
        cells.append(
            [
                name,
                f"{inference.coef[k]:.6g}",
                f"{inference.standard_errors[k]:.4g}",
                f"{inference.statistics[k]:.3f}",
                f"{inference.p_values[k]:.4g}",
                f"{lower:.6g}",
                f"{upper:.6g}",
            ]
        )
    return cells


def _make_rows(inference):
    cells = [_get_header(inference), *_get_cells(inference)]
    widths = [max(len(row[j]) for row in cells) for j in range(7)]
    lines = []
    for row in cells:
        first = row[0].ljust(widths[0])
        lines.append(
            "  ".join(
                [first, *(text.rjust(w) for text, w in zip(row[1:], widths[1:]))]
            ).rstrip()
        )
    rule = "-" * max(len(line) for line in lines)
    return [lines[0], rule, *lines[1:]]


def _get_notes(inference):
    notes = []
    if inference.is_penalized:
        notes.append(
            "Coefficients are shrunken: errors and intervals leave out the bias."
        )
    if inference.is_aliased.any():
        notes.append(
            "Aliased coefficients depend on others: the data do not determine them."
        )
    return ["", *notes] if notes else []
