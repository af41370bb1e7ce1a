export const places = {
  'place.now': 'Now',
  'place.history': 'History',
} as const;
