// Axes in round numbers: of plays, of minutes and hours, or of Mbit/s.
import { scaleLinear } from 'd3-scale';
import type { Format } from './spec';

// A linear scale from 0 to at least `most`, and its ticks in the values' own unit.
export function amount(most: number, format: Format, height: number): { y: (v: number) => number; ticks: number[] } {
  const unit = format === 'duration' ? (most < 2 * 3_600_000 ? 60_000 : 3_600_000) : format === 'rate' ? 1000 : 1;
  const floor = format === 'share' ? 1 : format === 'score' ? 100 : unit === 60_000 ? 10 : 4;
  const scale = scaleLinear().domain([0, Math.max(most / unit, floor)]).range([height, 0]);
  if (format !== 'share') scale.nice(4);
  return { y: (v) => scale(v / unit), ticks: scale.ticks(4).map((tick) => tick * unit) };
}
