// SPDX-License-Identifier: BSD-2-Clause
// server.mjs [PORT]: a site that is logged into with passkeys. Everything is kept in memory; its page and
// script are in public/.

import { randomUUID, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import {
    generateAuthenticationOptions,
    generateRegistrationOptions,
    verifyAuthenticationResponse,
    verifyRegistrationResponse,
} from '@simplewebauthn/server';

globalThis.crypto ??= webcrypto; // Node.js 18 has it, but not there

const port = Number(process.argv[2] ?? 8000);
const rpID = 'localhost';
const timeout = 60_000; // milliseconds for a ceremony
const origin = `http://${rpID}:${port}`;

// What every passkey makes its secret for the note from (PRF).
const salt = Buffer.from('the note of this site').toString('base64url');

const users = new Map(); // name: { id, passkeys, note }
const sessions = new Map(); // cookie: { challenge, user }

class Refused extends Error {}

const file = (name) => readFileSync(new URL(name, import.meta.url));
const pages = {
    '/': ['text/html; charset=utf-8', file('public/index.html')],
    '/login.js': ['text/javascript', file('public/login.js')],
    '/simplewebauthn.js': [
        'text/javascript',
        file('node_modules/@simplewebauthn/browser/dist/bundle/index.umd.min.js'),
    ],
};

const listed = (passkeys) => passkeys.map(({ id, transports }) => ({ id, transports }));

async function registerOptions(session, { name }) {
    if (!name) throw new Refused('a name is needed');
    const user = users.get(name) ?? { name, passkeys: [], note: null };
    const options = await generateRegistrationOptions({
        rpName: 'Login',
        rpID,
        timeout,
        userName: name,
        userID: user.id && Buffer.from(user.id, 'base64url'),
        excludeCredentials: listed(user.passkeys),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        preferredAuthenticatorType: 'securityKey',
        supportedAlgorithmIDs: [-7],
        extensions: { prf: {} },
    });
    user.id = options.user.id;
    Object.assign(session, { challenge: options.challenge, registering: user });
    return options;
}

async function register(session, response) {
    const user = session.registering;
    const { verified, registrationInfo } = await verifyRegistrationResponse({
        response,
        expectedChallenge: session.challenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
    });
    if (!verified) throw new Refused('the passkey was not accepted');
    user.passkeys.push({ ...registrationInfo.credential, transports: response.response.transports });
    users.set(user.name, user);
    session.user = user;
    return { name: user.name, passkeys: user.passkeys.length };
}

// Without a name: any passkey of this site, which says whose it is.
async function loginOptions(session, { name }) {
    const passkeys = name ? users.get(name)?.passkeys : [];
    if (!passkeys) throw new Refused(`nobody is called ${name}`);
    const options = await generateAuthenticationOptions({
        rpID,
        timeout,
        allowCredentials: name ? listed(passkeys) : undefined,
        userVerification: 'required',
        extensions: { prf: { eval: { first: salt } } },
    });
    session.challenge = options.challenge;
    return { ...options, hints: ['security-key'] };
}

async function login(session, response) {
    const { userHandle } = response.response;
    const user = [...users.values()].find((u) => (userHandle ? u.id === userHandle : u.passkeys.some((p) => p.id === response.id)));
    const passkey = user?.passkeys.find((p) => p.id === response.id);
    if (!passkey) throw new Refused('this passkey is not known here');
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge: session.challenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
        credential: passkey,
    });
    if (!verified) throw new Refused('the signature is wrong');
    passkey.counter = authenticationInfo.newCounter;
    session.user = user;
    return { name: user.name, note: user.note };
}

// The server has the note only as the browser has encrypted it.
async function saveNote(session, note) {
    if (!session.user) throw new Refused('log in first');
    session.user.note = note;
    return {};
}

const calls = {
    '/register/options': registerOptions,
    '/register': register,
    '/login/options': loginOptions,
    '/login': login,
    '/note': saveNote,
};

function sessionOf(request, response) {
    let cookie = /session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
    if (!sessions.has(cookie)) {
        cookie = randomUUID();
        sessions.set(cookie, {});
        response.setHeader('Set-Cookie', `session=${cookie}; Path=/; HttpOnly; SameSite=Strict`);
    }
    return sessions.get(cookie);
}

async function body(request) {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    return JSON.parse(text);
}

createServer(async (request, response) => {
    const { pathname } = new URL(request.url, origin);
    if (request.method === 'GET' && pages[pathname]) {
        const [type, content] = pages[pathname];
        response.setHeader('Content-Type', type).end(content);
    } else if (request.method === 'POST' && calls[pathname]) {
        const session = sessionOf(request, response);
        let answer;
        try {
            answer = await calls[pathname](session, await body(request));
        } catch (error) {
            response.statusCode = error instanceof Refused ? 403 : 400;
            answer = { error: error.message };
        }
        response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
    } else {
        response.writeHead(404).end();
    }
}).listen(port, '127.0.0.1', () => console.log(`listening on ${origin}`));
