// Great circles, as lines that a flat map can draw across the antimeridian.
import type { Position } from 'geojson';

type Vector = [number, number, number];
const rad = Math.PI / 180;

const vector = ([x, y]: Position): Vector => [
  Math.cos(y! * rad) * Math.cos(x! * rad), Math.cos(y! * rad) * Math.sin(x! * rad), Math.sin(y! * rad),
];
const position = ([x, y, z]: Vector): Position => [Math.atan2(y, x) / rad, Math.atan2(z, Math.hypot(x, y)) / rad];

// Half a degree of the circle looks round at any zoom; a line takes no more points than this.
const STEP_DEGREES = 0.5;
const STEPS_MOST = 128;

// Points from a to b. Opposite ends have no one great circle; they get the one over the pole.
export function greatCircle(a: Position, b: Position): Position[] {
  const from = vector(a);
  let to = vector(b);
  const dot = (u: Vector, v: Vector): number => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(from, to))));
  if (angle < 1e-9) return [a, b];
  if (Math.PI - angle < 1e-6) to = [0, 0, 1];
  const whole = Math.acos(Math.min(1, Math.max(-1, dot(from, to))));
  const steps = Math.min(STEPS_MOST, Math.max(2, Math.ceil(whole / rad / STEP_DEGREES)));
  const points = Array.from({ length: steps + 1 }, (_, i): Position => {
    const p = Math.sin((1 - i / steps) * whole) / Math.sin(whole);
    const q = Math.sin((i / steps) * whole) / Math.sin(whole);
    return position([p * from[0] + q * to[0], p * from[1] + q * to[1], p * from[2] + q * to[2]]);
  });
  return whole === angle ? points : [...points, ...greatCircle([0, 90], b).slice(1)];
}

// The same line without jumps at the antimeridian: it runs on beyond 180 degrees, where MapLibre cuts
// it and draws the rest on the other side.
export function unwrap(points: Position[]): Position[] {
  let turns = 0;
  return points.map((point, i) => {
    const before = points[i - 1];
    const jump = before ? point[0]! - before[0]! : 0;
    if (Math.abs(jump) > 180) turns -= 360 * Math.sign(jump);
    return [point[0]! + turns, point[1]!];
  });
}
