// Who is logged in, for what only some may do. What they may see is decided by the server.
import type { User } from './types';

class Session {
  user = $state.raw<User | null>(null);
  // What is shown is invented.
  isDemo = $state(false);
  get isAdmin(): boolean {
    return this.user?.role === 'admin';
  }
}
export const session = new Session();
