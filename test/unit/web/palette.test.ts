/**
 * Workers' colours must stay distinguishable under the common colour blindnesses, and their labels readable.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inProject } from "../../../lab/project.ts";

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

/** Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB. */
const EYES: Readonly<Record<string, Matrix>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const linear = (hex: string): Triple => {
  const parts = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  return parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  ) as unknown as Triple;
};
const times = (matrix: Matrix, [r, g, b]: Triple): Triple =>
  matrix.map(([x, y, z]) => Math.min(1, Math.max(0, x * r + y * g + z * b))) as unknown as Triple;
function lab([r, g, b]: Triple): Triple {
  const bend = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = bend((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = bend(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = bend((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
const distance = (a: Triple, b: Triple) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const luminance = (hex: string) => {
  const [r, g, b] = linear(hex);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: string, b: string) => {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};

const sheet = readFileSync(inProject("lab/report/assets/theme.css"), "utf8").split("@media");
const valuesOf = (css: string) =>
  new Map([...css.matchAll(/--([\w-]+): (#\w+);/g)].map(([, name, value]) => [name, value]));
const workersOf = (css: string) => {
  const values = valuesOf(css);
  return Array.from({ length: 10 }, (_, i) => values.get(`w${i + 1}`) ?? "");
};

describe.each([
  ["light", sheet[0] ?? ""],
  ["dark", sheet[1] ?? ""],
])("workers' colours in %s", (_scheme, css) => {
  const colours = workersOf(css);
  const label = valuesOf(css).get("on-worker") ?? "";

  it.each(Object.entries(EYES))("are apart to eyes with %s", (_eye, matrix) => {
    const seen = colours.map((hex) => lab(times(matrix, linear(hex))));
    const pairs = seen.flatMap((a, i) =>
      seen.slice(i + 1).map((b, j) => [distance(a, b), `w${i + 1}, w${i + j + 2}`] as const),
    );
    const nearest = pairs.toSorted(([a], [b]) => a - b)[0];
    // About seven times the difference that two adjacent patches need.
    expect(nearest?.[0], nearest?.[1]).toBeGreaterThan(15);
  });

  it("carry their label (3:1)", () => {
    expect(colours.filter((hex) => contrast(hex, label) < 3)).toEqual([]);
  });
});
