export const places = {
  'place.now': 'Now',
  'place.history': 'History',
  'place.map': 'Map',
  'place.explore': 'Explore',
  'place.import': 'Import',
} as const;
