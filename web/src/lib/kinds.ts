// The kinds of media server, by the program's own list, and the options that make it watch one.
import rows from '../../../src/model/server_kinds.def?raw';

const row = /^SERVER_KIND\((\w+), \w+, "\w+", "([^"]+)",\s*"(\d+)",\s*"(\w+)",\s*"\w+",\s*"(\w+)"/gm;

export const serverKinds = [...rows.matchAll(row)].map(([, name = '', label = '', port = '', enabled = '', token = '']) =>
  ({ label, enabled, lines: [`${enabled}=true`, `${name}_URL=http://192.168.1.100:${port}`, `${token}=…`] }));
