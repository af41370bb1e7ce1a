// An OpenID Connect provider that says what a test wants it to, the truth or a lie. Everybody who comes
// to its authorization endpoint is logged in at once.
import { createHash, createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import http from 'node:http';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export function newKey(kind, kid = randomUUID()) {
  const { privateKey, publicKey } = kind === 'EC'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: kind === 'short RSA' ? 1024 : 2048 });
  const alg = kind === 'EC' ? 'ES256' : 'RS256';
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg } };
}
// A compact JWS of these claims; header overrides what its key says.
export function signed(claims, key, header = {}) {
  const input = `${b64({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })}.${b64(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
// Signed by the public key's own text, as if that were a shared secret.
export function confused(claims, key) {
  const input = `${b64({ alg: 'HS256', kid: key.kid, typ: 'JWT' })}.${b64(claims)}`;
  const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
  return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
}
export const unsigned = (claims) => `${b64({ alg: 'none' })}.${b64(claims)}.`;

export async function startProvider() {
  const key = newKey('RSA');
  const p = {
    clientId: 'cartographus', clientSecret: 'a secret of 32 characters, or so', subject: 'u-1',
    key, keys: [key.jwk], requests: [],
    // What a test changes; each is given the truth.
    discovery: (truth) => truth, claims: (truth) => truth, token: (claims) => signed(claims, p.key),
    answer: (truth) => truth, userinfo: () => ({ sub: p.subject }), back: (query) => query,
  };
  const codes = new Map();
  const honest = { ...p };
  // Back to the truth.
  p.reset = () => Object.assign(p, honest, { key, keys: [key.jwk], requests: [] });
  const json = (response, status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };
  const routes = {
    '/.well-known/openid-configuration': (request, response) => json(response, 200, p.discovery({
      issuer: p.issuer, authorization_endpoint: `${p.issuer}/authorize`, token_endpoint: `${p.issuer}/token`,
      jwks_uri: `${p.issuer}/keys`, userinfo_endpoint: `${p.issuer}/me` })),
    '/authorize': (request, response, query) => {
      const code = randomUUID();
      codes.set(code, Object.fromEntries(query));
      const back = p.back({ code, state: query.get('state'), iss: p.issuer });
      response.writeHead(302, { location: `${query.get('redirect_uri')}?${new URLSearchParams(back)}` });
      response.end();
    },
    '/token': (request, response, query, body) => {
      const form = new URLSearchParams(body);
      const asked = codes.get(form.get('code'));
      codes.delete(form.get('code'));
      const basic = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
      if (basic !== `${encodeURIComponent(p.clientId)}:${encodeURIComponent(p.clientSecret)}`)
        return json(response, 401, { error: 'invalid_client', error_description: 'no such client' });
      const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (!asked || asked.redirect_uri !== form.get('redirect_uri') || asked.code_challenge !== challenge
        || asked.code_challenge_method !== 'S256')
        return json(response, 400, { error: 'invalid_grant', error_description: 'not so' });
      const now = Math.floor(Date.now() / 1000);
      const claims = p.claims({ iss: p.issuer, aud: p.clientId, sub: p.subject, iat: now, exp: now + 300,
        nonce: asked.nonce, preferred_username: 'ann', roles: ['admin'] });
      return json(response, 200, p.answer({ access_token: 'at-1', token_type: 'Bearer', id_token: p.token(claims) }));
    },
    '/keys': (request, response) => json(response, 200, { keys: p.keys }),
    '/me': (request, response) => {
      if (request.headers.authorization !== 'Bearer at-1') return json(response, 401, {});
      return json(response, 200, p.userinfo());
    },
  };
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, p.issuer);
    p.requests.push(pathname);
    let body = '';
    for await (const chunk of request) body += chunk;
    if (routes[pathname]) routes[pathname](request, response, searchParams, body);
    else json(response, 404, {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  p.issuer = honest.issuer = `http://127.0.0.1:${server.address().port}`;
  p.end = () => { server.closeAllConnections(); server.close(); };
  return p;
}
