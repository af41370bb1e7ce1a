export const places = {
  'place.now': 'Now',
  'place.history': 'History',
  'place.map': 'Map',
  'place.explore': 'Explore',
  'place.people': 'People',
  'place.settings': 'Settings',
  'place.import': 'Import',
  'place.users': 'Users',
} as const;
