// What the page says before a login.
export const entry = {
  'entry.offline': 'The server does not answer. Trying again…',
  'entry.demo': 'This is demo data: invented people and plays on simulated servers.',
  'entry.tagline': 'Who watches what, where and how, on your own servers.',
  'login.title': 'Log in',
  'login.name': 'User name',
  'login.password': 'Password',
  'login.submit': 'Log in',
  'login.oidc': 'Log in by OpenID Connect',
  'login.plex': 'Sign in with Plex',
  'plex.waiting': 'Waiting for you to sign in at plex.tv, in its own window…',
  'plex.open': 'Open plex.tv',
  'plex.cancel': 'Cancel',
  'plex.closed': 'The window of plex.tv was closed before you had signed in.',
  'login.basic': 'Log in by the browser (HTTP Basic)',
  'login.no_answer': 'The server does not answer.',
  'login.hint': 'The administrator is the one of the configuration (ADMIN_USERNAME). The first start printed where its password is.',
} as const;
