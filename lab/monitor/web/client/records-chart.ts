/** Waiting records over the time window, drawn by uPlot. */
import uPlot from "uplot";
import { type DashboardState, shownMillis } from "../dashboard-state.ts";
import { timeText } from "../panels.ts";
import { byId, theme } from "./elements.ts";

const HEIGHT = 130;

export class RecordsChart {
  readonly #place = byId("records");
  #chart: uPlot | undefined;
  /** Epoch milliseconds. */
  #shown = { from: 0, until: 0 };

  show(dashboard: DashboardState, now: number): void {
    const chosen = Number((byId("span") as HTMLSelectElement).value) * 1_000;
    this.#shown = { from: now - shownMillis(dashboard, now, chosen), until: now };
    const { samples } = dashboard;
    const data: uPlot.AlignedData = [
      samples.map(({ t }) => t / 1_000),
      samples.map(({ waiting }) => waiting),
      samples.map(({ outPerSecond }) => Math.round(outPerSecond)),
    ];
    if (this.#chart === undefined) this.#chart = this.#make(data);
    else this.#chart.setData(data);
  }

  /** Call when the width or the colours changed. */
  repaint(): void {
    this.#chart?.setSize({ width: this.#place.clientWidth, height: HEIGHT });
    this.#chart?.redraw();
  }

  #make(data: uPlot.AlignedData): uPlot {
    const axis = (): uPlot.Axis => ({
      stroke: () => theme("--soft"),
      grid: { stroke: () => theme("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    });
    const width = Number.parseInt(theme("--gutter"), 10);
    const line = (label: string, colour: string): uPlot.Series => ({
      label,
      stroke: () => theme(colour),
      width: 1.75,
      points: { show: false },
    });
    return new uPlot(
      {
        width: this.#place.clientWidth,
        height: HEIGHT,
        padding: [8, Number.parseInt(theme("--right"), 10), 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: () => [this.#shown.from / 1_000, this.#shown.until / 1_000] },
          y: { range: (_chart, _low, high) => [0, Math.max(10, (high ?? 0) * 1.1)] },
        },
        axes: [
          {
            ...axis(),
            size: 24,
            values: (_chart, ticks) => ticks.map((t) => timeText(t * 1_000)),
            space: 80,
          },
          { ...axis(), size: width, gap: 8 },
        ],
        series: [
          {},
          { ...line("waiting", "--w1"), fill: () => `${theme("--w1")}33` },
          { ...line("handled a second", "--w2"), dash: [5, 4] },
        ],
      },
      data,
      this.#place,
    );
  }
}
