// SPDX-License-Identifier: BSD-2-Clause
// verify.mjs {ROOT REGISTRATIONS}...: what libraries of servers say of `tpm` attestation statements.
//
// A registration is a line of JSON: {"client": clientDataJSON, "object": attestationObject}, both in base64url. Each
// library has to take it if certificates must lead to the ROOT before its file, and to refuse it if they must lead to
// another of the roots, or if the signature was changed. Then "FILE ALGORITHM CLASS: LIBRARY, ..." is printed for it.
//
// @simplewebauthn/server checks all of it by itself. fido2-lib knows only RSA keys in these statements, and a chain only
// by a function of its own. webauthn4js, which is go-webauthn, knows every key and takes no roots: its chains are checked
// by fido2-lib.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node.js 18 has it, but not there

const { SettingsService, verifyRegistrationResponse } = await import('@simplewebauthn/server');
const { decodeAttestationObject, decodeCredentialPublicKey, parseAuthenticatorData } = await import('@simplewebauthn/server/helpers');
const { CertManager, Fido2Lib } = await import('fido2-lib/lib/main.js'); // Node.js 18 cannot require() what its other form does
const { default: goWebAuthn } = await import('webauthn4js');

const rpID = 'localhost';
const origin = 'http://localhost:8000';
const algorithms = { '-7': 'ES256', '-35': 'ES384', '-257': 'RS256' };
const { dependencies } = createRequire(import.meta.url)('./package.json');

const base64url = (bytes) => Buffer.from(bytes).toString('base64url');
const arrayBuffer = (bytes) => Uint8Array.from(bytes).buffer;
const fromBase64url = (text) => Buffer.from(text, 'base64url');

function demand(holds, what) {
    if (!holds) throw new Error(what);
}

// What a client gives to a server, and what is in it.
function read(client, object) {
    const made = decodeAttestationObject(object);
    const { credentialID, credentialPublicKey } = parseAuthenticatorData(made.get('authData'));
    const response = { clientDataJSON: base64url(client), attestationObject: base64url(object) };
    const id = base64url(credentialID);
    return {
        challenge: JSON.parse(client).challenge,
        fmt: made.get('fmt'),
        statement: made.get('attStmt'),
        key: credentialPublicKey,
        response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response },
    };
}

async function leadsTo(root, statement) {
    await CertManager.verifyCertChain(statement.get('x5c').map(arrayBuffer), [root]);
}

const libraries = {
    '@simplewebauthn/server': async ({ challenge, response }, root) => {
        SettingsService.setRootCertificates({ identifier: 'tpm', certificates: [root] });
        const { verified } = await verifyRegistrationResponse({
            response,
            expectedChallenge: challenge,
            expectedOrigin: origin,
            expectedRPID: rpID,
            requireUserVerification: false,
            supportedAlgorithmIDs: Object.keys(algorithms).map(Number),
        });
        demand(verified, 'not verified');
    },

    'fido2-lib': async ({ challenge, response, statement }, root) => {
        const { id, response: inner } = response;
        const { audit } = await new Fido2Lib({ rpId: rpID }).attestationResult(
            {
                id: arrayBuffer(fromBase64url(id)),
                rawId: arrayBuffer(fromBase64url(id)),
                response: { ...inner, attestationObject: arrayBuffer(fromBase64url(inner.attestationObject)) },
            },
            { challenge, origin, factor: 'either' },
        );
        demand(audit.complete && audit.info.get('attestation-type') === 'AttCA', 'not verified');
        await leadsTo(root, statement);
    },

    webauthn4js: async ({ challenge, response, statement }, root) => {
        const server = await go;
        const user = { id: Buffer.from('somebody'), name: 'somebody', displayName: 'Somebody', credentials: [] };
        const { sessionData } = await server.beginRegistration(user);
        const { attestationType } = await server.finishRegistration(user, { ...sessionData, challenge }, response);
        demand(attestationType === 'tpm', `not verified: ${attestationType}`);
        await leadsTo(root, statement);
    },
};

const go = goWebAuthn({ RPDisplayName: 'Relying party', RPID: rpID, RPOrigins: [origin] });

// Algorithm and class of the key, which stands in its public area: TPMT_PUBLIC.objectAttributes, userWithAuth.
function kind({ statement, key }) {
    const attributes = Buffer.from(statement.get('pubArea')).readUInt32BE(4);
    return [algorithms[decodeCredentialPublicKey(key).get(3)], attributes & 0x40 ? 'A' : 'B'];
}

// Why a library refuses a registration; undefined if it takes it.
async function refusal(library, registration, root) {
    try {
        await libraries[library](registration, root);
        return undefined;
    } catch (error) {
        return error.message;
    }
}

async function judge(library, registration, changed, root, others) {
    const good = await refusal(library, registration, root);
    demand(good === undefined, `${library} refuses it: ${good}`);
    const forged = await refusal(library, changed, root);
    demand(/sign|verif/i.test(forged), `${library}, for a changed signature: ${forged}`);
    for (const other of others) {
        const untrusted = await refusal(library, registration, other);
        demand(/chain|paths/.test(untrusted), `${library}, for another root: ${untrusted}`);
    }
    return `${library} ${dependencies[library]}`;
}

function withAnotherSignature(client, object, signature) {
    const changed = Buffer.from(object);
    changed[object.indexOf(signature) + signature.length - 1] ^= 1;
    return read(client, changed);
}

async function verify(line, root, others) {
    const { client, object } = JSON.parse(line);
    const bytes = [fromBase64url(client), fromBase64url(object)];
    const registration = read(...bytes);
    demand(registration.fmt === 'tpm', `the format is ${registration.fmt}`);
    const changed = withAnotherSignature(...bytes, Buffer.from(registration.statement.get('sig')));
    const [algorithm, keyClass] = kind(registration);
    const judges = Object.keys(libraries).filter((name) => name !== 'fido2-lib' || algorithm === 'RS256');
    const said = [];
    for (const library of judges) said.push(await judge(library, registration, changed, root, others));
    return `${algorithm} ${keyClass}: ${said.join(', ')}`;
}

const paths = process.argv.slice(2);
const roots = paths.filter((_, i) => i % 2 === 0).map((path) => readFileSync(path, 'utf8'));
const files = paths.filter((_, i) => i % 2 === 1);
demand(new Set(roots).size > 1 && roots.length === files.length, 'roots and registrations, of two authorities at least');
for (const [i, file] of files.entries()) {
    for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
        console.log(`${file} ${await verify(line, roots[i], [...new Set(roots)].filter((other) => other !== roots[i]))}`);
    }
}
(await go).exit(0);
