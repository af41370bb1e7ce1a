import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 40,
  query: 'quality',
  choices: [{
    param: 'of',
    values: [
      'resolution', 'video-codec', 'range', 'frame-rate', 'audio-codec', 'audio-channels', 'audio-language', 'subtitle-language',
      'subtitle-codec', 'subtitle-decision', 'container', 'stream-resolution', 'stream-video-codec', 'stream-range', 'stream-audio-codec',
      'stream-audio-channels', 'stream-container', 'secure', 'relayed', 'location',
    ],
  }],
  columns: { value: 'word', share: 'share', watch_ms: 'duration', plays: 'count', people: 'count', finished_share: 'share' },
  measures: [
    { name: 'share', column: 'share' },
    { name: 'watch_ms', column: 'watch_ms' },
    { name: 'plays', column: 'plays' },
  ],
  mark: {
    kind: 'bars', label: 'value', filters: [['video_resolutions', 'value', 'resolution']], beside: ['watch_ms', 'plays', 'people', 'finished_share', 'share'],
  },
  isWide: true,
} satisfies ChartOf<'quality'>;
