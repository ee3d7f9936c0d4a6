// SPDX-License-Identifier: BSD-2-Clause
//
// The page of a site with passkeys. It asks the site for options, hands them to the browser, sends back what the
// authenticator answered, and shows each step. The site alone judges: nothing here is believed by it.

'use strict';

const byId = id => document.getElementById(id);
const toBytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const toText = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const toHex = bytes => [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, '0')).join('');

// AAGUIDs of tpmauthn: one whose keys are in this computer's TPM, and one whose TPM is a simulator.
const TPM_AAGUIDS = ['d92d51320e234c97be6245280579a962', '37c07f0225c24cd9a6330fbd53267e82'];

let state = { credentials: [] };
let lastAnswer = null; // of a login that was accepted

// --- What is shown

function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties))
        if (value !== undefined && value !== null)
            key === 'class' ? made.className = value : made.setAttribute(key, value);
    made.append(...children.filter(child => child !== null && child !== undefined));
    return made;
}

const code = text => element('code', {}, text);

function badge(aaguid) {
    if (TPM_AAGUIDS.includes(aaguid))
        return element('span', { class: 'badge tpm', title: 'from the TPM' }, 'TPM');
    return element('span', { class: 'badge key', title: 'from the authenticator' }, 'key');
}

function list(rows) {
    const dl = element('dl');
    for (const [name, ...value] of rows.filter(Boolean))
        dl.append(element('dt', {}, name), element('dd', {}, ...value));
    return dl;
}

function folded(title, ...content) {
    return element('details', {}, element('summary', {}, title), ...content);
}

const json = value => element('pre', { tabindex: '0' }, JSON.stringify(value, null, 2));

function begin(title) {
    byId('steps').replaceChildren();
    conclude('', `${title} …`);
    // On a narrow screen it is below what was pressed.
    const { top, bottom } = byId('outcome').getBoundingClientRect();
    if (top < 0 || bottom > innerHeight)
        byId('happened').scrollIntoView();
}

function step(from, text, ...content) {
    byId('steps').append(element('li', {}, element('p', {}, element('span', { class: 'from' }, `${from}: `), text), ...content));
}

function conclude(kind, text, name = '') {
    const outcome = byId('outcome');
    outcome.className = `outcome ${kind}`;
    outcome.textContent = text;
    outcome.dataset.name = name;
}

const FLAGS = {
    UP: 'a person was present', UV: 'the person was verified', BE: 'it may be backed up', BS: 'it is backed up',
    AT: 'a new credential is in it', ED: 'extensions are in it',
};

function flagList(flags) {
    return Object.entries(FLAGS).map(([name, text]) =>
        element('div', {}, `${flags[name] ? '1' : '0'} ${name} `, element('span', { class: 'hint' }, text)));
}

function aaguidText(hex) {
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function keyRows(key, mark) {
    return key ? [['public key', mark, ` ${key.algorithm} (${key.number})`],
        [key.algorithm === 'RS256' ? 'modulus' : 'x', code(key.x)],
        key.y && [key.algorithm === 'RS256' ? 'exponent' : 'y', code(key.y)]] : [];
}

// What the site read out of an answer. Nobody knows what made one that is forged.
function showSeen(seen, aaguid, isForged) {
    const parts = [], auth = seen.authenticatorData, mark = () => (isForged ? null : badge(auth?.aaguid ?? aaguid));
    if (seen.clientData)
        parts.push(element('h3', {}, 'clientDataJSON, by the browser'), element('pre', { tabindex: '0' }, seen.clientData.raw));
    if (auth)
        parts.push(element('h3', {}, isForged ? 'authenticatorData' : 'authenticatorData, by the authenticator ', mark()), list([
            ['site (rpIdHash)', code(auth.rpIdHash)], ['flags', ...flagList(auth.flags)], ['counter', String(auth.counter)],
            auth.aaguid && ['model (AAGUID)', code(aaguidText(auth.aaguid))],
            auth.credentialId && ['credential id', code(auth.credentialId)],
            auth.extensions.length > 0 && ['extensions', auth.extensions.join(', ')],
            ['all bytes', code(auth.raw)]]));
    if (seen.publicKey && auth?.aaguid)
        parts.push(list(keyRows(seen.publicKey, mark())));
    if (seen.signature)
        parts.push(list([['signature', mark(), ' ', code(seen.signature)]]));
    if (seen.attestation)
        parts.push(list([['attestation', `${seen.attestation.format}, ${{
            none: 'by nobody', self: 'by the key itself', certificates: 'by a certificate', tpm: 'by a TPM',
        }[seen.attestation.kind] ?? 'not verified'}${seen.attestation.isTrusted ? ', which leads to the root of this site' : ''}`]]));
    return element('div', {}, ...parts);
}

function showChecks(checks) {
    const marks = { passed: ['✓', 'passed'], refused: ['✗', 'refused'], 'not-reached': ['–', 'not reached'] };
    return element('ul', { class: 'checks' }, ...checks.map(c =>
        element('li', { class: c.result, 'data-check': c.name },
            element('span', { class: 'mark', role: 'img', 'aria-label': marks[c.result][1] }, marks[c.result][0]), c.text)));
}

function time(seconds) {
    return new Date(seconds * 1000).toLocaleString();
}

function showCredential(c, index) {
    const made = badge(c.aaguid), marked = c.isMarked;
    return element('div', { class: `credential${marked ? ' marked' : ''}` },
        element('h3', {}, `Passkey ${index + 1} `, made, marked ? ' possibly cloned: it opens nothing any more' : ''),
        list([['credential id', code(c.id)], ...keyRows(c.publicKey, null), ['counter', String(c.counter)],
            ['model (AAGUID)', code(aaguidText(c.aaguid))], ['transports', c.transports || 'not told'],
            ['attestation', c.attestation + (c.isTrusted ? ', trusted' : '')], ['made, last used', `${time(c.created)}, ${time(c.used)}`],
            c.note && ['sealed note', code(c.note)]]));
}

function showState(now) {
    state = now;
    const account = state.account;
    byId('who').textContent = account ? `Signed in as ${account.name}.` : 'Nobody is signed in.';
    byId('signed-in').hidden = !account;
    if (account)
        byId('name').value = account.name;
    byId('attacks-hint').hidden = Boolean(account);
    for (const button of document.querySelectorAll('button.member'))
        button.disabled = !account;
    byId('database').replaceChildren(...(account
        ? [list([['name', account.name], ['user handle', code(account.handle)]]), ...state.credentials.map(showCredential)]
        : [element('p', { class: 'hint' }, 'Nothing to show: nobody is signed in.')]));
}

// --- The site

async function call(path, body) {
    const response = await fetch(`/api/${path}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    const said = await response.json();
    if (said.state)
        showState(said.state);
    return said;
}

class Refused extends Error {
    constructor(refusal) {
        super(refusal.member ? `${refusal.text} (${refusal.member})` : refusal.text);
        this.refusal = refusal.name;
    }
}

function check(said) {
    if (said.refusal)
        throw new Refused(said.refusal);
    if (!said.accepted && !said.publicKey)
        throw new Error('The site failed. Its log says why.');
    return said;
}

// Sends an answer, and shows what the site made of it.
async function finish(kind, answer) {
    const said = await call(`${kind}/finish`, answer);
    // What it came from is known of a passkey that is shown, unless somebody else signed.
    const isForged = said.checks?.some(c => c.name === 'signature' && c.result === 'refused');
    const credential = state.credentials.find(c => c.id === answer.id);
    if (said.seen)
        step('The answer', 'what the site read in it',
            folded('Every byte, by name', showSeen(said.seen, credential?.aaguid, isForged)));
    if (said.checks)
        step('The site', said.accepted ? 'checks it, and is content' : 'checks it, and refuses', showChecks(said.checks));
    return said;
}

// What the authenticator made, as WebAuthn writes it in JSON. Secrets (PRF) stay on this page.
function plain(credential) {
    const made = credential.toJSON();
    return { id: made.id, rawId: made.rawId, type: made.type, response: made.response };
}

async function beginRegistration() {
    step('This page', 'asks the site for a challenge');
    const { publicKey } = check(await call('register/begin', {
        name: byId('name').value, userVerification: byId('verification').value, residentKey: byId('resident').value,
        attestation: byId('attestation').value,
        algorithms: [...document.querySelectorAll('.algorithm:checked')].map(box => Number(box.value)),
    }));
    step('The site', 'sends one that it never sent before, and what it wants', folded('The options', json(publicKey)));
    return publicKey;
}

async function register() {
    const options = await beginRegistration();
    step('Your browser', 'asks your authenticator to make a key for this site; you say yes');
    const credential = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
    const prf = credential.getClientExtensionResults().prf?.enabled;
    step('Your authenticator', `made a key, keeps the private half, and answers with the public one${prf ? '; it can make secrets as well (PRF)' : ''}`);
    return finish('register', plain(credential));
}

async function beginLogin(body) {
    step('This page', 'asks the site for a challenge');
    const { publicKey } = check(await call('login/begin', { userVerification: byId('verification').value, ...body }));
    const n = publicKey.allowCredentials.length;
    step('The site', n > 0
        ? `sends a fresh one, and the ${n > 1 ? `ids of the ${n} passkeys` : 'id of the passkey'} that it would accept`
        : 'sends a fresh one, and names no passkey: the authenticator has to know whom it belongs to',
    folded('The options', json(publicKey)));
    return publicKey;
}

async function ask(options) {
    const parsed = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    // Not every browser reads this extension from JSON.
    if (options.extensions?.prf)
        parsed.extensions = { prf: { eval: { first: toBytes(options.extensions.prf.eval.first) } } };
    step('Your browser', 'asks your authenticator to sign the challenge; you say yes');
    const credential = await navigator.credentials.get({ publicKey: parsed });
    step('Your authenticator', 'signed it with the key that never leaves it');
    return credential;
}

async function signIn(body) {
    const answer = plain(await ask(await beginLogin(body)));
    const said = await finish('login', answer);
    if (said.accepted)
        lastAnswer = answer;
    return said;
}

const myself = () => ({ name: state.account.name });

// --- A key in software, which is what a passkey in a TPM is not: it can be copied.

const cborHead = (major, n) => n < 24 ? [major << 5 | n] : n < 256 ? [major << 5 | 24, n] : [major << 5 | 25, n >> 8, n & 255];
const cborText = text => [...cborHead(3, text.length), ...new TextEncoder().encode(text)];
const cborBytes = bytes => [...cborHead(2, bytes.length), ...bytes];

// ECDSA as X.509 writes it: WebCrypto has two numbers side by side.
function derSignature(raw) {
    const number = bytes => {
        let start = 0;
        while (start < bytes.length - 1 && bytes[start] === 0)
            start++;
        const short = [...bytes.slice(start)];
        if (short[0] & 0x80)
            short.unshift(0);
        return [2, short.length, ...short];
    };
    const body = [...number(raw.slice(0, 32)), ...number(raw.slice(32))];
    return Uint8Array.from([0x30, body.length, ...body]);
}

class SoftwareKey {
    static async make(rpId) {
        const key = new SoftwareKey();
        key.rpId = rpId;
        key.counter = 0;
        key.id = crypto.getRandomValues(new Uint8Array(16));
        key.handle = crypto.getRandomValues(new Uint8Array(16));
        key.pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
        return key;
    }

    copy() {
        return Object.assign(new SoftwareKey(), this);
    }

    async authData(flags, more = []) {
        const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(this.rpId));
        const n = this.counter;
        return Uint8Array.from([...new Uint8Array(hash), flags, n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255, ...more]);
    }

    clientData(type, options) {
        return new TextEncoder().encode(JSON.stringify({ type, challenge: options.challenge, origin: location.origin, crossOrigin: false }));
    }

    answer(response) {
        return { id: toText(this.id), rawId: toText(this.id), type: 'public-key', response };
    }

    async create(options) {
        const { x, y } = await crypto.subtle.exportKey('jwk', this.pair.publicKey);
        const cose = [0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, ...cborBytes(toBytes(x)), 0x22, ...cborBytes(toBytes(y))];
        const data = await this.authData(0x45, [...new Uint8Array(16), 0, this.id.length, ...this.id, ...cose]);
        this.handle = toBytes(options.user.id);
        return this.answer({
            clientDataJSON: toText(this.clientData('webauthn.create', options)), transports: ['internal'],
            attestationObject: toText([0xa3, ...cborText('fmt'), ...cborText('none'), ...cborText('attStmt'), 0xa0,
                ...cborText('authData'), ...cborBytes(data)]),
        });
    }

    async get(options) {
        this.counter++;
        const client = this.clientData('webauthn.get', options), data = await this.authData(0x05);
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', client));
        const raw = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, this.pair.privateKey, Uint8Array.from([...data, ...hash]));
        return this.answer({
            clientDataJSON: toText(client), authenticatorData: toText(data),
            signature: toText(derSignature(new Uint8Array(raw))), userHandle: toText(this.handle),
        });
    }
}

// --- Attacks. Each ends with the site's verdict on a real answer.

async function replay() {
    if (!lastAnswer)
        check(await signIn(myself()));
    step('The attacker', 'recorded the last answer that was accepted, and sends it once more');
    return finish('login', lastAnswer);
}

// The window has to be opened while the click is being handled.
async function otherOrigin() {
    const page = window.open(`${state.otherOrigin}/`, 'look-alike', 'popup,width=420,height=480');
    if (!page)
        throw new Error('The browser blocked the window. Allow it for this page, and try again.');
    const heard = (kind, seconds) => new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('The look-alike did not answer.')), seconds * 1000);
        addEventListener('message', function listen(event) {
            if (event.origin !== state.otherOrigin || event.data.kind !== kind)
                return;
            removeEventListener('message', listen);
            clearTimeout(timer);
            event.data.error ? reject(new Error(event.data.error)) : resolve(event.data);
        });
    });
    try {
        const ready = heard('ready', 30), options = await beginLogin(myself());
        await ready;
        step('The attacker', `shows you a page that looks like this one, at ${state.otherOrigin}, and passes your site's challenge on`);
        const answered = heard('answer', 290);
        page.postMessage({ kind: 'ask', options }, state.otherOrigin);
        const { answer } = await answered;
        step('Your authenticator', 'signed, for the browser says that this page may use your passkeys; but it also wrote down which page asked');
        return finish('login', answer);
    } finally {
        page.close();
    }
}

async function clonedKey() {
    const key = await SoftwareKey.make(state.rpId);
    step('You', 'register a second passkey, a key in software');
    check(await finish('register', await key.create((check(await call('register/begin', { algorithms: [-7] }))).publicKey)));
    step('You', 'sign in with it: its counter is 1 now');
    check(await finish('login', await key.get(await beginLogin(myself()))));
    const clone = key.copy();
    step('The attacker', 'copies it, counter and all. Of a TPM nobody can');
    step('You', 'sign in again: the counter of your key is 2 now');
    check(await finish('login', await key.get(await beginLogin(myself()))));
    step('The attacker', 'signs in with the copy, which counts from 1 to 2 as well');
    return finish('login', await clone.get(await beginLogin(myself())));
}

async function otherSitesKey() {
    const key = await SoftwareKey.make('shop.example');
    step('The attacker', 'has a passkey too, for shop.example, and signs your challenge with it');
    return finish('login', await key.get(await beginLogin({})));
}

async function changedSignature() {
    const answer = plain(await ask(await beginLogin(myself())));
    const bytes = toBytes(answer.response.signature);
    bytes[bytes.length - 1] ^= 1;
    answer.response.signature = toText(bytes);
    step('The attacker', 'turns one bit of the signature over on the way');
    return finish('login', answer);
}

// --- A sealed note

async function noteKey() {
    const credential = await ask(await beginLogin({ ...myself(), prf: true }));
    check(await finish('login', plain(credential)));
    const secret = credential.getClientExtensionResults().prf?.results?.first;
    if (!secret)
        throw new Error('This passkey, or this browser, makes no secrets (PRF).');
    const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
    const info = new TextEncoder().encode('a note, AES-256-GCM');
    return {
        id: credential.id,
        key: await crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }, material,
            { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    };
}

async function sealNote() {
    const { id, key } = await noteKey(), iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, new TextEncoder().encode(byId('note').value));
    step('This page', 'made a key of the secret that the passkey gave, and sealed the note with it');
    const said = check(await call('note', { credential: id, note: toText([...iv, ...new Uint8Array(sealed)]) }));
    byId('note').value = '';
    step('The site', 'keeps it and cannot read it');
    return said;
}

async function openNote() {
    const { id, key } = await noteKey();
    const kept = state.credentials.find(c => c.id === id)?.note;
    if (!kept)
        throw new Error('There is no note with this passkey.');
    const bytes = toBytes(kept);
    const note = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: bytes.slice(0, 12) }, key, bytes.slice(12));
    byId('note').value = new TextDecoder().decode(note);
    step('This page', 'opened the note with the same secret');
    return { accepted: true };
}

// --- Buttons

// What a browser says, for people. It does not tell a no from a timeout, on purpose.
const BROWSER_SAYS = {
    NotAllowedError: 'Nobody said yes in time, or no authenticator had a fitting passkey.',
    InvalidStateError: 'This authenticator has a passkey for this account already.',
    SecurityError: 'The browser does not let this page use that site\'s passkeys.',
    OperationError: 'The note cannot be opened: it was sealed with another secret.',
};

let busy = false;

function on(id, title, done, run, event = 'click') {
    const from = event === 'submit' ? byId('account-form') : byId(id);
    from.addEventListener(event, async e => {
        e.preventDefault();
        if (busy)
            return;
        busy = true;
        document.body.setAttribute('aria-busy', 'true');
        begin(title);
        try {
            const said = await run();
            said.accepted ? conclude('accepted', done, 'accepted')
                : conclude('refused', `Refused: ${said.refusal.text}`, said.refusal.name);
        } catch (error) {
            conclude('refused', error.refusal ? `Refused: ${error.message}` : BROWSER_SAYS[error.name] ?? error.message,
                error.refusal ?? error.name);
        } finally {
            busy = false;
            document.body.removeAttribute('aria-busy');
        }
    });
}

on('register', 'Registration', 'Registered: the site has a public key, and you are signed in.', register, 'submit');
on('sign-in', 'Login', 'Signed in: the signature is right, and newer than the last one.', () =>
    byId('name').reportValidity() ? signIn({ name: byId('name').value }) : Promise.reject(new Error('A name is missing.')));
on('sign-in-anybody', 'Login without a name', 'Signed in: the passkey said whom it belongs to.', () => signIn({}));
on('sign-out', 'Signing out', 'Signed out.', async () => check(await call('logout', {})));
on('forget', 'Deleting the account', 'Deleted. The passkey in your authenticator is of no use any more; delete it there as well.', async () => {
    lastAnswer = null;
    return check(await call('forget', {}));
});
on('seal', 'Sealing a note', 'Sealed: look at what the site keeps.', sealNote);
on('open', 'Opening the note', 'Opened: it stands in its field, and nowhere else.', openNote);
on('attack-replay', 'Attack: replay', 'It was accepted, which it should not have been.', replay);
on('attack-origin', 'Attack: another origin', 'It was accepted, which it should not have been.', otherOrigin);
on('attack-clone', 'Attack: a cloned key', 'It was accepted, which it should not have been.', clonedKey);
on('attack-other', 'Attack: another site\'s passkey', 'It was accepted, which it should not have been.', otherSitesKey);
on('attack-signature', 'Attack: a changed signature', 'It was accepted, which it should not have been.', changedSignature);

if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON)
    conclude('refused', 'This browser is too old for this page, or has no passkeys.');
call('state', {}).then(check).catch(error => conclude('refused', error.message));
