export const deciding = {
  'undo': 'Undo',
  'undo_of': 'Undo what was done at {at}',
  'undone': 'taken back',
  'done.undo': 'Taken back',
  'failed': 'Nothing was changed: {why}',
  'unpick': 'Choose none',
} as const;
