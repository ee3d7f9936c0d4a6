// SPDX-License-Identifier: BSD-2-Clause
'use strict';

/*
 * Directs the authenticator of a test: a tpmauthnd that runs with a simulator, over its control socket,
 * which carries one JSON object per line (docs/control.md). Each request has a connection of its own, so
 * that one can be made while others still wait for the device, and nothing needs to be closed.
 */

const net = require('node:net');

const VERSION = 1;
const LINE_MAX = 65536;
const TIMEOUT = 60000;
const TIMER_MAX = 2 ** 31 - 1; // setTimeout() makes 1 of more
const POLL = 50;
const WHY_CLOSED = 'it ended, or this reader was more than 256 KiB behind its events';

/*
 * The daemon lets a user have 8 connections. Half of them are for requests, one of those for what is done
 * at once: so an answer to a question never waits for requests that wait for the device. The others are
 * left to what is followed.
 */
const WAITING = 3;
const AT_ONCE = new Set(['status', 'replug', 'presence', 'fail-next']);

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class TpmauthnError extends Error {
    constructor(code, message) {
        super(message);
        this.name = 'TpmauthnError';
        this.code = code;
    }
}

// The statuses of CTAP 2.3 §8.2 that an authenticator answers with.
const status = Object.freeze({
    CTAP1_ERR_INVALID_COMMAND: 0x01,
    CTAP1_ERR_INVALID_PARAMETER: 0x02,
    CTAP1_ERR_INVALID_LENGTH: 0x03,
    CTAP1_ERR_INVALID_SEQ: 0x04,
    CTAP1_ERR_TIMEOUT: 0x05,
    CTAP1_ERR_CHANNEL_BUSY: 0x06,
    CTAP1_ERR_LOCK_REQUIRED: 0x0a,
    CTAP1_ERR_INVALID_CHANNEL: 0x0b,
    CTAP2_ERR_CBOR_UNEXPECTED_TYPE: 0x11,
    CTAP2_ERR_INVALID_CBOR: 0x12,
    CTAP2_ERR_MISSING_PARAMETER: 0x14,
    CTAP2_ERR_LIMIT_EXCEEDED: 0x15,
    CTAP2_ERR_LARGE_BLOB_STORAGE_FULL: 0x18,
    CTAP2_ERR_CREDENTIAL_EXCLUDED: 0x19,
    CTAP2_ERR_INVALID_CREDENTIAL: 0x22,
    CTAP2_ERR_NO_OPERATIONS: 0x25,
    CTAP2_ERR_UNSUPPORTED_ALGORITHM: 0x26,
    CTAP2_ERR_OPERATION_DENIED: 0x27,
    CTAP2_ERR_KEY_STORE_FULL: 0x28,
    CTAP2_ERR_UNSUPPORTED_OPTION: 0x2b,
    CTAP2_ERR_INVALID_OPTION: 0x2c,
    CTAP2_ERR_KEEPALIVE_CANCEL: 0x2d,
    CTAP2_ERR_NO_CREDENTIALS: 0x2e,
    CTAP2_ERR_USER_ACTION_TIMEOUT: 0x2f,
    CTAP2_ERR_NOT_ALLOWED: 0x30,
    CTAP2_ERR_PIN_INVALID: 0x31,
    CTAP2_ERR_PIN_BLOCKED: 0x32,
    CTAP2_ERR_PIN_AUTH_INVALID: 0x33,
    CTAP2_ERR_PIN_AUTH_BLOCKED: 0x34,
    CTAP2_ERR_PIN_NOT_SET: 0x35,
    CTAP2_ERR_PUAT_REQUIRED: 0x36,
    CTAP2_ERR_PIN_POLICY_VIOLATION: 0x37,
    CTAP2_ERR_REQUEST_TOO_LARGE: 0x39,
    CTAP2_ERR_UV_BLOCKED: 0x3c,
    CTAP2_ERR_INTEGRITY_FAILURE: 0x3d,
    CTAP2_ERR_INVALID_SUBCOMMAND: 0x3e,
    CTAP2_ERR_UNAUTHORIZED_PERMISSION: 0x40,
    CTAP1_ERR_OTHER: 0x7f,
});

// A time limit, of which 0 and Infinity are none.
const limit = (timeout) => {
    if (typeof timeout !== 'number' || !(timeout >= 0))
        throw new TypeError(`the timeout ${timeout} is no number of milliseconds; 0 and Infinity are no limit`);
    return timeout || Infinity;
};

// 0, or '0' as the environment has it.
const deviceNumber = (device) => {
    const number = typeof device === 'string' && /^\d+$/.test(device) ? Number(device) : device;
    if (!Number.isInteger(number) || number < 0)
        throw new TypeError(`the device ${JSON.stringify(device)} is no number; 0 is the first`);
    return number;
};

// Lets so many things be done at a time; others wait for their turn.
class Turns {
    #free;
    #waiting = [];

    constructor(free) {
        this.#free = free;
    }

    async take(action) {
        if (this.#free > 0) this.#free--;
        else await new Promise((resolve) => this.#waiting.push(resolve));
        try {
            return await action();
        } finally {
            const next = this.#waiting.shift();
            if (next) next();
            else this.#free++;
        }
    }
}

// A socket that can still be read when it can no longer be written: who is refused is told why, not asked.
class ReadableSocket extends net.Socket {
    _write(chunk, encoding, done) {
        super._write(chunk, encoding, () => done());
    }
}

// A connection that gives what it receives, one object per line.
class Lines {
    #path;
    #socket;
    #worked = false;
    #text = '';
    #lines = [];
    #readers = [];
    #end = null;

    constructor(path) {
        this.#path = path;
        this.#socket = new ReadableSocket();
        this.#socket.connect(path);
        this.#socket.setEncoding('utf8');
        this.#socket.on('data', (text) => this.#received(text));
        this.#socket.on('error', (error) => this.#lost(error.message));
        this.#socket.on('close', () => this.#lost('the daemon closed the connection'));
    }

    send(object) {
        const line = `${JSON.stringify(object)}\n`;
        if (Buffer.byteLength(line) > LINE_MAX)
            throw new TpmauthnError('too-long', `a request has at most ${LINE_MAX} bytes`);
        this.#socket.write(line);
    }

    // The next object; at `end` of Date.now() (Infinity: whenever) an error.
    read(end, what) {
        if (this.#lines.length > 0) return Promise.resolve(this.#lines.shift());
        if (this.#end) return Promise.reject(this.#end);
        return new Promise((resolve, reject) => {
            const reader = { resolve, reject, timer: null };
            const late = () => {
                this.#readers.splice(this.#readers.indexOf(reader), 1);
                this.#rest();
                reject(new TpmauthnError('timeout', `${what} did not come in time`));
            };
            if (end < Infinity) reader.timer = setTimeout(late, Math.min(Math.max(end - Date.now(), 1), TIMER_MAX));
            this.#readers.push(reader);
            this.#socket.ref();
        });
    }

    close(reason) {
        this.#lines = [];
        this.#ended(reason ?? new TpmauthnError('closed', 'it was closed'));
        this.#socket.destroy();
    }

    #received(text) {
        const parts = (this.#text + text).split('\n');
        this.#text = parts.pop();
        for (const part of parts) {
            let line;
            try {
                line = JSON.parse(part);
            } catch {
                this.close(new TpmauthnError('bad-json', 'the daemon sent a line that is not JSON'));
                return;
            }
            this.#worked = true;
            const reader = this.#readers.shift();
            if (reader) {
                clearTimeout(reader.timer);
                reader.resolve(line);
                this.#rest();
            } else {
                this.#lines.push(line);
            }
        }
    }

    // Node need not go on for a connection that nobody waits for.
    #rest() {
        if (this.#readers.length === 0) this.#socket.unref();
    }

    #lost(why) {
        const code = this.#worked ? 'closed' : 'no-daemon';
        this.#ended(new TpmauthnError(code, `${this.#path}: ${why}${this.#worked ? `: ${WHY_CLOSED}` : ''}`));
    }

    #ended(error) {
        this.#end ??= error;
        for (const reader of this.#readers.splice(0)) {
            clearTimeout(reader.timer);
            reader.reject(this.#end);
        }
    }
}

// The id of a passkey. WebAuthn has it in base64url: 48 bytes, which are never hex digits alone.
const hex = (id) =>
    /^[\w-]{64}$/.test(id) && !/^[0-9a-f]*$/.test(id) ? Buffer.from(id, 'base64url').toString('hex') : id;

const FIXTURE = 'a fixture is an array of passkeys, or an object with one member, "credentials", which is one';

// The daemon looks at what is in it.
const credentialsOf = (fixture) => {
    if (Array.isArray(fixture)) return fixture;
    const members = typeof fixture === 'object' ? Object.keys(fixture ?? {}) : [];
    const unknown = members.find((name) => name !== 'credentials');
    if (unknown !== undefined)
        throw new TpmauthnError('bad-request', `"${unknown}" is no member of a fixture: ${FIXTURE}`);
    if (!Array.isArray(fixture?.credentials)) throw new TpmauthnError('bad-request', FIXTURE);
    return fixture.credentials;
};

const result = (line) => {
    if (line.error) throw new TpmauthnError(line.error.code, line.error.message);
    return line.result;
};

// What a reader of follow has: for await (const event of events), or the next one of a kind.
class Events {
    #lines;
    #make;
    #timeout;
    #closed = false;

    constructor(lines, make, timeout) {
        this.#lines = lines;
        this.#make = make;
        this.#timeout = timeout;
    }

    // The next event of this type, or for which this function is true; those before it are forgotten.
    async until(wanted, { timeout = this.#timeout } = {}) {
        const fits = typeof wanted === 'function' ? wanted : (event) => event.type === wanted;
        const what = typeof wanted === 'function' ? 'the event' : `the event "${wanted}"`;
        const end = Date.now() + limit(timeout);
        for (;;) {
            const event = await this.#read(end, what);
            if (event && fits(event)) return event;
        }
    }

    async next() {
        for (;;) {
            let event;
            try {
                event = await this.#read(Infinity, 'an event');
            } catch (error) {
                if (this.#closed) return { done: true, value: undefined };
                throw error;
            }
            if (event) return { done: false, value: event };
        }
    }

    close() {
        this.#closed = true;
        this.#lines.close();
    }

    async return() {
        this.close();
        return { done: true, value: undefined };
    }

    [Symbol.asyncIterator]() {
        return this;
    }

    async #read(end, what) {
        const line = await this.#lines.read(end, what);
        if (line.error) result(line);
        return line.event ? this.#make(line.event) : null;
    }
}

const frame = (event) =>
    event.type === 'frame'
        ? { ...event, time: BigInt(event.time), payload: Uint8Array.from(Buffer.from(event.payload, 'hex')) }
        : null;

class Authenticator {
    static #turns = new Map(); // of each daemon, whose devices share its connections
    #path;
    #timeout;
    #id = 0;

    constructor({ socket = process.env.TPMAUTHN_CTL, device = 0, timeout = TIMEOUT } = {}) {
        if (!socket)
            throw new TpmauthnError(
                'no-daemon',
                'TPMAUTHN_CTL is not set: run the tests by "tpmauthn ci run -- COMMAND"',
            );
        this.#path = socket;
        this.#timeout = limit(timeout);
        this.device = deviceNumber(device);
    }

    // Any method of the control protocol.
    async request(method, params = {}) {
        return this.#turn(method).take(async () => {
            const lines = new Lines(this.#path);
            try {
                return result(await this.#ask(lines, method, params));
            } finally {
                lines.close();
            }
        });
    }

    // Yes to the question that waits, or else to the next one; always: from now on.
    async approve({ always = false } = {}) {
        await this.#presence(always ? 'auto' : 'once');
    }

    async deny({ always = false } = {}) {
        await this.#presence(always ? 'deny' : 'no');
    }

    // From now on questions are answered as the daemon is configured.
    async ask() {
        await this.#presence('ask');
    }

    // The question that waits, or else the next one, is never answered.
    async ignore() {
        await this.#presence('ignore');
    }

    // From now on each yes comes after so many milliseconds.
    async delay(ms) {
        await this.#presence('delay', { ms });
    }

    // From now on a yes is given with this PIN; once: to the next question that takes one.
    async enterPin(pin, { once = false } = {}) {
        await this.#presence(once ? 'pin-once' : 'pin', { pin });
    }

    async forgetPin() {
        await this.#presence('no-pin');
    }

    // Built-in user verification: 'ok', 'fail' or 'blocked'.
    async uv(outcome) {
        await this.request('uv', { result: outcome });
    }

    // The next CTAP2 command (of this name) is answered by this status, a number or its name.
    async failNext(code, command) {
        const number = Object.hasOwn(status, code) ? status[code] : code;
        if (typeof number !== 'number')
            throw new TypeError(`${code} is no status of CTAP, such as CTAP2_ERR_KEY_STORE_FULL`);
        await this.request('fail-next', { status: number, ...(command && { command }) });
    }

    // Both return when the device can be used again.
    async replug() {
        await this.request('replug');
        return this.ready();
    }

    async reset() {
        await this.request('reset');
        return this.ready();
    }

    async setPin(pin) {
        await this.request('pin-set', { pin });
    }

    async changePin(old, pin) {
        await this.request('pin-change', { old, pin });
    }

    async pinStatus() {
        return this.request('pin-status');
    }

    // The device as `tpmauthn status` describes it.
    async status() {
        const { devices } = await this.request('status');
        const found = devices.find((device) => device.device === this.device);
        if (!found) throw new TpmauthnError('no-device', `there is no device ${this.device}`);
        return found;
    }

    async ready() {
        const end = Date.now() + this.#timeout;
        for (;;) {
            const found = await this.status();
            if (found.state === 'ready') return found;
            if (Date.now() >= end || found.state === 'failed')
                throw new TpmauthnError('not-ready', `device ${this.device} is ${found.state}: ${found.reason ?? ''}`);
            await later(POLL);
        }
    }

    // The passkeys as `tpmauthn list` shows them, and as WebAuthn has them.
    async list() {
        return this.#pages('list');
    }

    async credentials() {
        return this.#pages('credentials');
    }

    // Both take an id as list() and as credentials() has it, and the beginning of it in hex.
    async show(id) {
        return this.request('show', { credential: hex(id) });
    }

    async delete(id) {
        await this.request('delete', { credential: hex(id) });
    }

    // Makes passkeys from a fixture, with keys of the TPM: an array, or an object with `credentials`.
    async seed(fixture) {
        const { credentials } = await this.request('seed', { credentials: credentialsOf(fixture) });
        return credentials;
    }

    // What happens from now on.
    async follow() {
        return this.#events({}, (event) => (event.device === this.device ? event : null));
    }

    // The messages of CTAPHID from now on. Without `secrets` the daemon writes zeros in their place.
    async trace({ secrets = false } = {}) {
        return this.#events({ frames: true, ...(secrets && { secrets }) }, (event) =>
            event.device === this.device ? frame(event) : null,
        );
    }

    #turn(method) {
        const turns = Authenticator.#turns;
        if (!turns.has(this.#path)) turns.set(this.#path, { waiting: new Turns(WAITING), atOnce: new Turns(1) });
        const { waiting, atOnce } = turns.get(this.#path);
        return AT_ONCE.has(method) ? atOnce : waiting;
    }

    async #presence(mode, more = {}) {
        await this.request('presence', { mode, ...more });
    }

    async #events(params, make) {
        const lines = new Lines(this.#path);
        try {
            result(await this.#ask(lines, 'follow', params));
        } catch (error) {
            lines.close();
            throw error;
        }
        return new Events(lines, make, this.#timeout);
    }

    async #ask(lines, method, params) {
        const mine = method === 'status' ? {} : { device: this.device };
        lines.send({ v: VERSION, id: ++this.#id, method, params: { ...mine, ...params } });
        return lines.read(Date.now() + this.#timeout, `the answer to ${method}`);
    }

    async #pages(method) {
        const all = [];
        let after;
        do {
            const page = await this.request(method, after === undefined ? {} : { after });
            all.push(...page.credentials);
            after = page.next;
        } while (after !== undefined);
        return all;
    }
}

module.exports = { Authenticator, Events, TpmauthnError, status };
