"""Tables as plain text, and the versions that a figure depends on."""

import importlib.metadata
import os
import platform


def format_cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"
    return str(value)


def format_table(rows):
    """Aligned columns from a list of dicts that share their keys; text to the left."""
    columns = []
    for name in rows[0]:
        cells = [name, *(format_cell(row[name]) for row in rows)]
        width = max(map(len, cells))
        is_text = all(isinstance(row[name], str) for row in rows)
        columns.append(
            [cell.ljust(width) if is_text else cell.rjust(width) for cell in cells]
        )
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns))


def find_versions(distributions):
    """Versions of what is installed, and the machine with what else it is doing."""
    versions = {"python": platform.python_version()}
    for name in distributions:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    if hasattr(os, "getloadavg"):
        machine += f", load {os.getloadavg()[0]:.1f}"
    return {"machine": machine, **versions}


def format_versions(versions):
    installed = (f"{name} {version}" for name, version in versions.items() if version)
    return ", ".join(installed)
