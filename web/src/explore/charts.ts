// The charts: every file of charts/, by section and order. The file's name is the chart's.
import type { ChartName, ChartSpec } from './spec';

export const sections = ['activity', 'people', 'titles', 'quality'] as const;

const files = import.meta.glob<ChartSpec>('./charts/*.ts', { eager: true, import: 'default' });

export const charts: { name: ChartName; spec: ChartSpec }[] = Object.entries(files)
  .map(([path, spec]) => ({ name: path.replace(/^.*\/|\.ts$/g, '') as ChartName, spec }))
  .sort((a, b) => a.spec.order - b.spec.order);
