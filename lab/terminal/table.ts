/** Plain tables for 80 columns. Pure: cells in, lines out. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const pad = (cell: string, width: number, align: "left" | "right" = "left"): string =>
  align === "right" ? cell.padStart(width) : cell.padEnd(width);

export const shorten = (text: string, width: number): string =>
  text.length <= width ? text : width <= 1 ? text.slice(0, width) : `${text.slice(0, width - 1)}…`;

/**
 * Columns are as wide as their widest cell. If the table is wider than `width`, the widest column shrinks.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = 80,
): string[] {
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  const total = () => widths.reduce((sum, w) => sum + w, 0) + 2 * (widths.length - 1);
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= 8) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const line = (cells: readonly string[]) =>
    columns
      .map((column, i) => pad(shorten(cells[i] ?? "", widths[i] ?? 0), widths[i] ?? 0, column.align))
      .join("  ")
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...rows.map(line)];
}

/** `12.3 s`, `480 ms`, `2 min 5 s`. */
export function duration(millis: number): string {
  if (millis < 1_000) return `${Math.round(millis)} ms`;
  if (millis < 100_000) return `${(millis / 1_000).toFixed(1)} s`;
  const seconds = Math.round(millis / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `12:00:59`, in the local time zone. */
export const timeText = (epochMillis: number): string => new Date(epochMillis).toTimeString().slice(0, 8);
