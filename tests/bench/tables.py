"""The tables that the benchmark prints."""

from attrs import define, field, frozen
from rich.console import Console
from rich.table import Table as RichTable


@frozen
class Row:
    """One line; a goal is for its last number, which is to be no larger."""

    cells: tuple[object, ...]
    goal: float | None

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached, where there is one."""
        last = self.cells[-1]
        return self.goal is None or (isinstance(last, (int, float)) and last <= self.goal)


@define
class Table:
    """A titled table of numbers and words."""

    title: str
    columns: list[str]
    rows: list[Row] = field(factory=list)

    def add(self, *cells: object, goal: float | None = None) -> None:
        """Add a line."""
        self.rows.append(Row(cells, goal))

    def print(self, console: Console) -> None:
        """Print it, goals in a column of their own where there are any."""
        shown = RichTable(title=self.title, title_justify="left", title_style="bold")
        for name in self.columns:
            shown.add_column(name)
        has_goals = any(row.goal is not None for row in self.rows)
        if has_goals:
            shown.add_column("goal")
        for row in self.rows:
            cells = [_shown(cell) for cell in row.cells]
            if has_goals:
                verdict = "" if row.is_met else " missed"
                cells.append("" if row.goal is None else f"<= {row.goal:g}{verdict}")
            shown.add_row(*cells)
        console.print(shown)
        console.print()


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
