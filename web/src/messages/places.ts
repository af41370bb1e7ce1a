export const places = {
  'place.now': 'Now',
  'place.history': 'History',
  'place.map': 'Map',
  'place.explore': 'Explore',
  'place.settings': 'Settings',
  'place.servers': 'Media servers',
  'place.import': 'Import',
  'place.users': 'Users',
  'place.backups': 'Backups',
  'place.tokens': 'API tokens',
  'place.audit': 'Audit log',
  'place.about': 'About',
} as const;
