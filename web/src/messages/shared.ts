// What more than one place says.
export const shared = {
  'wait': 'One moment…',
  'unknown': 'unknown',
  'unknown_person': 'Unknown person',
  'error.retry': 'Try again',
  'error.no_answer': 'The server does not answer.',
  'error.request': 'Request {id}',
  'type.movie': 'Films',
  'type.episode': 'Episodes',
  'type.track': 'Music',
  'type.live': 'Live TV',
  'type.clip': 'Clips',
  'type.extra': 'Extras',
  'type.photo': 'Photos',
  'decision.direct play': 'Direct play',
  'decision.copy': 'Direct stream',
  'decision.transcode': 'Transcode',
} as const;
