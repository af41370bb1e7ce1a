// The kinds of media server, by the program's own list, and the options that make it watch one.
import rows from '../../../src/model/server_kinds.def?raw';
import type { ServerKind } from './types';

const row = /^SERVER_KIND\((\w+), (\w+), "\w+", "([^"]+)",\s*"(\d+)",\s*"(\w+)",\s*"\w+",\s*"(\w+)"/gm;

type Kind = { word: ServerKind; label: string; port: string; enabled: string; lines: string[] };
export const serverKinds: Kind[] = [...rows.matchAll(row)].map(([, name = '', word = '', label = '', port = '', enabled = '', token = '']) =>
  ({ word: word as ServerKind, label, port, enabled, lines: [`${enabled}=true`, `${name}_URL=http://192.168.1.100:${port}`, `${token}=…`] }));

export const labelOf = (word: string): string => serverKinds.find((kind) => kind.word === word)?.label ?? word;
