/* The page's script: draws the time series with uPlot. One cursor moves through all charts and the timeline. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rootStyle = () => getComputedStyle(document.documentElement);
  const colour = (name) => rootStyle().getPropertyValue(name).trim();
  const pixels = (name) => Number.parseInt(rootStyle().getPropertyValue(name), 10);
  const seconds = (value) => `${value} s`;
  const sync = uPlot.sync("time");
  const charts = [];

  /** The phases' marks as thin lines: they show the cause of a change in the curve. */
  const marks = {
    hooks: {
      draw: (u) => {
        const { ctx } = u;
        ctx.save();
        ctx.strokeStyle = colour("--ink");
        ctx.fillStyle = colour("--ink");
        ctx.lineWidth = devicePixelRatio;
        ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
        for (const mark of data.marks) {
          const x = Math.round(u.valToPos(mark.at, "x", true)) + 0.5;
          ctx.globalAlpha = 0.55;
          ctx.beginPath();
          ctx.moveTo(x, u.bbox.top);
          ctx.lineTo(x, u.bbox.top + u.bbox.height);
          ctx.stroke();
        }
        ctx.restore();
      },
      setCursor: (u) => {
        if (u.cursor.left >= 0 && u.cursor.event) moveTo(u.posToVal(u.cursor.left, "x"), u);
      },
    },
  };

  const axis = () => ({
    stroke: () => colour("--soft"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  });

  function draw(id, height, series, values, options = {}) {
    const place = document.getElementById(id);
    if (!place || values[0].length < 2) return;
    const chart = new uPlot(
      {
        width: place.clientWidth,
        height,
        padding: [8, pixels("--right"), 0, 0],
        legend: { show: false },
        cursor: {
          sync: { key: sync.key, setSeries: false },
          y: false,
          drag: { x: false, y: false },
          points: { show: false },
        },
        scales: {
          x: { time: false, range: () => [0, data.seconds] },
          y: { range: (_u, _low, high) => [0, Math.max(1, high * 1.08)] },
        },
        axes: [
          { ...axis(), size: 24, values: (_u, ticks) => ticks.map(seconds) },
          { ...axis(), size: pixels("--gutter"), gap: 8, ...options.yAxis },
        ],
        series: [{}, ...series],
        plugins: [marks],
      },
      values,
      place,
    );
    charts.push({ chart, place, height });
  }

  /** Lines of equal counts would hide each other, so each worker's line is shifted by a few pixels. */
  const LEASES_HEIGHT = 230;
  const highest = data.leases
    .slice(1)
    .flat()
    .reduce((most, count) => Math.max(most, count ?? 0), 1);
  const apart = (highest / LEASES_HEIGHT) * Math.min(3, 40 / Math.max(1, data.workers.length));
  const sideBySide = [
    ...data.leases.slice(0, 2),
    ...data.leases
      .slice(2)
      .map((counts, i) =>
        counts.map((count) => (count === null ? null : count + apart * ((data.workers.length - 1) / 2 - i))),
      ),
  ];
  const stepped = uPlot.paths.stepped({ align: 1 });
  draw(
    "leases",
    LEASES_HEIGHT,
    [
      {
        label: "even share",
        stroke: () => colour("--soft"),
        dash: [6, 5],
        width: 1.5,
        paths: stepped,
        points: { show: false },
      },
      ...data.workers.map((worker, i) => ({
        label: worker,
        stroke: () => colour(`--w${(i % 10) + 1}`),
        width: 2.25,
        paths: stepped,
        points: { show: false },
      })),
    ],
    sideBySide,
  );
  const fill = (name) => () => `${colour(name)}33`;
  draw(
    "waiting",
    110,
    [
      {
        label: "waiting",
        stroke: () => colour("--w1"),
        fill: fill("--w1"),
        width: 1.5,
        points: { show: false },
      },
    ],
    [data.lag[0], data.lag[1]],
  );
  draw(
    "slowest",
    110,
    [{ label: "slowest", stroke: () => colour("--w8"), width: 1.5, spanGaps: true, points: { show: false } }],
    [data.lag[0], data.lag[2]],
    {
      yAxis: {
        values: (_u, ticks) => ticks.map((tick) => (tick >= 1000 ? `${tick / 1000} s` : `${tick} ms`)),
      },
    },
  );

  const slider = document.getElementById("time");
  const output = document.getElementById("reading");
  const line = document.querySelector(".timeline .cursor");
  let moving = false;

  /** The newest point at or before `at`. */
  function indexAt(times, at) {
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function moveTo(at, from) {
    if (moving) return;
    moving = true;
    const bounded = Math.min(data.seconds, Math.max(0, at));
    const i = indexAt(data.leases[0], bounded);
    const counts = data.workers
      .map((worker, w) => [worker, data.leases[w + 2][i]])
      .filter(([, count]) => count !== null);
    const j = indexAt(data.lag[0], bounded);
    output.textContent = `+${bounded.toFixed(1)} s: ${counts.map(([worker, count]) => `${worker} ${count}`).join(" · ") || "no leases yet"} — ${data.lag[1][j] ?? 0} records waiting`;
    if (line) {
      const track = document.querySelector(".timeline .track");
      line.hidden = false;
      line.style.left = `${track.offsetLeft + (bounded / data.seconds) * track.clientWidth}px`;
    }
    for (const { chart } of charts) {
      if (chart !== from) chart.setCursor({ left: chart.valToPos(bounded, "x"), top: 0 }, false);
    }
    if (from !== slider) slider.value = String(bounded);
    moving = false;
  }

  slider.addEventListener("input", () => moveTo(Number(slider.value), slider));
  document.querySelector(".timeline")?.addEventListener("mousemove", (event) => {
    const box = document.querySelector(".timeline .track").getBoundingClientRect();
    if (event.clientX >= box.left && event.clientX <= box.right)
      moveTo(((event.clientX - box.left) / box.width) * data.seconds);
  });

  const redraw = () => {
    for (const { chart, place, height } of charts) chart.setSize({ width: place.clientWidth, height });
    for (const { chart } of charts) chart.redraw();
  };
  addEventListener("resize", redraw);
  addEventListener("beforeprint", redraw);
  addEventListener("afterprint", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", redraw);
})();
