// Every test of the page, in one process: one demo and one browser serve all of them. A file alone:
// node --test tests/browser/NAME.test.mjs
import './sources.test.mjs';
import './shell.test.mjs';
import './history.test.mjs';
import './search.test.mjs';
import './explore.test.mjs';
import './map.test.mjs';
import './access.test.mjs';
import './import.test.mjs';
import './users.test.mjs';
import './tokens.test.mjs';
import './api.test.mjs';
import './sql.test.mjs';
import './servers.test.mjs';
import './backups.test.mjs';
import './people.test.mjs';
import './titles.test.mjs';
import '../guide/page.mjs';
import './login.test.mjs';
import './base_path.test.mjs';
import './old.test.mjs';
import './plex_login.test.mjs';
import './targets.test.mjs';
