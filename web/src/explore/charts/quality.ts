import type { ChartOf } from '../spec';

export default {
  section: 'quality',
  order: 30,
  query: 'quality',
  columns: { value: 'word', share: 'share', watch_ms: 'duration', plays: 'count', people: 'count', finished_share: 'share' },
  measures: [
    { name: 'of_resolution', column: 'watch_ms', params: { of: 'resolution' } },
    { name: 'of_video', column: 'watch_ms', params: { of: 'video-codec' } },
    { name: 'of_range', column: 'watch_ms', params: { of: 'range' } },
    { name: 'of_audio', column: 'watch_ms', params: { of: 'audio-codec' } },
    { name: 'of_channels', column: 'watch_ms', params: { of: 'audio-channels' } },
    { name: 'of_subtitles', column: 'watch_ms', params: { of: 'subtitle-language' } },
    { name: 'of_container', column: 'watch_ms', params: { of: 'container' } },
    { name: 'of_secure', column: 'watch_ms', params: { of: 'secure' } },
  ],
  mark: { kind: 'bars', label: 'value', filters: [] },
} satisfies ChartOf<'quality'>;
