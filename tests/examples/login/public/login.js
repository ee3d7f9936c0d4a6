// SPDX-License-Identifier: BSD-2-Clause
// The page of the login: asks the server, calls the browser, says what came of it in #message.

const { startRegistration, startAuthentication, WebAuthnAbortService } = SimpleWebAuthnBrowser;
const { base64URLStringToBuffer, bufferToBase64URLString } = SimpleWebAuthnBrowser;
const element = (id) => document.getElementById(id);

let noteKey; // an AES key that the passkey's secret stands for

async function post(path, content) {
    const response = await fetch(path, { method: 'POST', body: JSON.stringify(content) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
}

// Browsers are more patient than the site: Chromium for minutes, whatever it is told.
async function within(timeout, ceremony) {
    const timer = setTimeout(() => WebAuthnAbortService.cancelCeremony(), timeout);
    try {
        return await ceremony;
    } finally {
        clearTimeout(timer);
    }
}

async function keyOf(secret) {
    const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
    const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new TextEncoder().encode('note') };
    return crypto.subtle.deriveKey(hkdf, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

async function encrypt(text) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, noteKey, new TextEncoder().encode(text));
    return { iv: bufferToBase64URLString(iv), data: bufferToBase64URLString(data) };
}

async function decrypt({ iv, data }) {
    const algorithm = { name: 'AES-GCM', iv: base64URLStringToBuffer(iv) };
    return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, noteKey, base64URLStringToBuffer(data)));
}

async function register() {
    const optionsJSON = await post('/register/options', { name: element('name').value });
    const response = await within(optionsJSON.timeout, startRegistration({ optionsJSON }));
    const { name, passkeys } = await post('/register', response);
    return `${name} has ${passkeys} passkey${passkeys === 1 ? '' : 's'}`;
}

async function login(name) {
    const optionsJSON = await post('/login/options', { name });
    const { first } = optionsJSON.extensions.prf.eval;
    optionsJSON.extensions.prf.eval.first = base64URLStringToBuffer(first);
    const response = await within(optionsJSON.timeout, startAuthentication({ optionsJSON }));
    const secret = response.clientExtensionResults.prf?.results?.first;
    response.clientExtensionResults = {}; // the secret stays here
    const user = await post('/login', response);
    if (secret) {
        noteKey = await keyOf(secret);
        element('note').value = user.note ? await decrypt(user.note) : '';
        element('private').hidden = false;
    }
    return `Welcome, ${user.name}`;
}

async function save() {
    await post('/note', await encrypt(element('note').value));
    return 'Saved';
}

function does(id, action) {
    element(id).addEventListener('click', async () => {
        element('message').value = '';
        try {
            element('message').value = await action();
        } catch (error) {
            element('message').value = `${error.name}: ${error.message}`;
        }
    });
}

does('register', register);
does('login', () => login(element('name').value));
does('passkey', () => login());
does('save', save);
element('cancel').addEventListener('click', () => WebAuthnAbortService.cancelCeremony());
