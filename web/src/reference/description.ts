// The description of the API (/openapi.json), as the page shows it: routes by group, shapes as text.

interface Schema {
  $ref?: string;
  type?: string | string[];
  anyOf?: Schema[];
  enum?: string[];
  format?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  description?: string;
  minimum?: number;
  maximum?: number;
}
interface Ref { $ref: string }
interface Content { schema: Schema }
interface Response { description: string; content?: Record<string, Content> }
export interface Parameter { name: string; in: 'path' | 'query'; description: string; schema: Schema; example: string | number }
interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  'x-role': Role;
  parameters: Ref[];
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, Response | Ref>;
}
export interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter>; responses: Record<string, Response> };
}
export type Role = 'nobody' | 'viewer' | 'admin';

export interface Route {
  id: string;
  method: string;
  path: string;
  group: string;
  role: Role;
  summary: string;
  about: string;
  operation: Operation;
  words: string; // what is searched
}

export function routesOf(all: Description, isAdmin: boolean): Route[] {
  return Object.entries(all.paths).flatMap(([path, methods]) => Object.entries(methods).map(([verb, operation]) => {
    const { operationId: id, summary, description: about = '', tags: [group = ''], 'x-role': role } = operation;
    const method = verb.toUpperCase();
    return { id, method, path, group, role, summary, about, operation, words: `${method} ${path} ${group} ${summary} ${about}`.toLowerCase() };
  })).filter((route) => isAdmin || route.role !== 'admin');
}

export function groupsOf(routes: Route[]): [string, Route[]][] {
  const groups = new Map<string, Route[]>();
  for (const route of routes) groups.set(route.group, [...(groups.get(route.group) ?? []), route]);
  return [...groups];
}

const nameOf = (ref: string): string => ref.split('/').at(-1) ?? '';

export const parametersOf = (all: Description, route: Route): Parameter[] =>
  route.operation.parameters.flatMap(({ $ref }) => all.components.parameters[nameOf($ref)] ?? []);

// The parameters that all questions have in common: the filter, and what each answer can be had as.
export function sharedParameters(all: Description): Set<string> {
  const questions = routesOf(all, true).filter((route) => route.path.includes('/analytics/'));
  const [first, ...others] = questions.map((route) => parametersOf(all, route).map((one) => one.name));
  return new Set((first ?? []).filter((name) => others.every((names) => names.includes(name))));
}

const plain: Record<string, string> = { string: 'text', integer: 'int', number: 'number', boolean: 'true | false', null: 'null', object: '{…}' };

// A schema in a few words: of a parameter, or of a member that has no members of its own.
export function kindOf(all: Description, schema: Schema): string {
  if (schema.$ref) return kindOf(all, all.components.schemas[nameOf(schema.$ref)] ?? {});
  if (schema.anyOf) return schema.anyOf.map((one) => kindOf(all, one)).join(' | ');
  const types = [schema.type ?? []].flat();
  if (schema.enum) return [...schema.enum.map((one) => JSON.stringify(one)), ...types.filter((one) => one === 'null')].join(' | ');
  const words = types.map((one) => (one === 'string' && schema.format === 'date-time' ? 'time' : plain[one] ?? one)).join(' | ') || 'anything';
  const { minimum, maximum } = schema;
  return words + (minimum === undefined ? '' : maximum === undefined ? ` ≥ ${minimum}` : `, ${minimum} – ${maximum}`);
}

const DEEPEST = 4;

// As JSON with what stands for each value, and its help as a comment.
export function shapeOf(all: Description, schema: Schema, indent = '', depth = 0): string {
  if (schema.$ref) return shapeOf(all, all.components.schemas[nameOf(schema.$ref)] ?? {}, indent, depth);
  if (schema.anyOf) return schema.anyOf.map((one) => shapeOf(all, one, indent, depth)).join(' | ');
  if (schema.items) return `[${shapeOf(all, schema.items, indent, depth)}]${[schema.type].flat().includes('null') ? ' | null' : ''}`;
  const members = Object.entries(schema.properties ?? {});
  if (!members.length) return kindOf(all, schema);
  if (depth === DEEPEST) return '{…}';
  const inner = `${indent}  `;
  const lines = members.map(([name, member]) => {
    const isNeeded = schema.required?.includes(name);
    const help = member.description ? `  // ${member.description}` : '';
    const shape = shapeOf(all, member, inner, depth + 1);
    // Of what is long the help stands before it, not after its last bracket.
    const [first = '', ...rest] = shape.split('\n');
    return `${inner}"${name}"${isNeeded ? '' : '?'}: ${first}${help}${rest.length ? `\n${rest.join('\n')}` : ''}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

export interface Answer { status: string; what: string; shape: string }
const isFile = (type: string): boolean => type !== 'application/json';

// What it answers when all went well: with the shape of JSON, or the types of a file.
export function answersOf(all: Description, route: Route): Answer[] {
  return Object.entries(route.operation.responses).flatMap(([status, answer]) => {
    if ('$ref' in answer) return [];
    const content = Object.entries(answer.content ?? {});
    const json = content.find(([type]) => !isFile(type));
    const files = content.map(([type]) => type).filter(isFile);
    return [{ status, what: [answer.description, ...files].join(', '), shape: json ? shapeOf(all, json[1].schema) : '' }];
  });
}

export function errorsOf(all: Description, route: Route): { status: string; what: string }[] {
  return Object.entries(route.operation.responses).flatMap(([status, answer]) =>
    '$ref' in answer && status !== 'default' ? [{ status, what: all.components.responses[nameOf(answer.$ref)]?.description ?? '' }] : []);
}

export function bodyOf(all: Description, route: Route): { isFile: boolean; shape: string } | null {
  const [type, content] = Object.entries(route.operation.requestBody?.content ?? {})[0] ?? [];
  if (!type || !content) return null;
  return { isFile: isFile(type), shape: isFile(type) ? '' : shapeOf(all, content.schema) };
}

// A value that the schema takes.
function sample(all: Description, schema: Schema): unknown {
  if (schema.$ref) return sample(all, all.components.schemas[nameOf(schema.$ref)] ?? {});
  if (schema.anyOf?.[0]) return sample(all, schema.anyOf[0]);
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat()[0];
  if (type === 'object') {
    const needed = schema.required?.length ? schema.required : Object.keys(schema.properties ?? {}).slice(0, 1);
    return Object.fromEntries(needed.map((name) => [name, sample(all, schema.properties?.[name] ?? {})]));
  }
  if (type === 'array') return [1, 2];
  return { integer: 1, number: 1, boolean: true }[type ?? ''] ?? '…';
}

// To be typed in a shell. origin: with BASE_PATH. Null: a WebSocket, which curl is not for.
export function curlOf(all: Description, route: Route, origin: string): string | null {
  if ('101' in route.operation.responses) return null;
  const given = parametersOf(all, route);
  const path = given.filter((one) => one.in === 'path')
    .reduce((text, one) => text.replace(`{${one.name}}`, encodeURIComponent(one.example)), route.path);
  const asked = given.some((one) => one.name === 'days') ? '?days=30' : '';
  const lines = [`curl ${route.method === 'GET' ? '' : `-X ${route.method} `}'${origin}${path}${asked}'`];
  if (route.role !== 'nobody') lines.push("-H 'Authorization: Bearer cgt_…'");
  const [type, content] = Object.entries(route.operation.requestBody?.content ?? {})[0] ?? [];
  if (type && content)
    lines.push(...(isFile(type) ? ['--data-binary @FILE'] : ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(sample(all, content.schema))}'`]));
  return lines.join(' \\\n  ');
}
