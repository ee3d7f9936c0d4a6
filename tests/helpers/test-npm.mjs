// SPDX-License-Identifier: BSD-2-Clause
// test-npm.mjs TPMAUTHND PYTHON: the npm helper against a server that says what the test wants, and against
// the real daemon with a device on a socket, as TAP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Authenticator, TpmauthnError, status } from '../../helpers/npm/index.mjs';
import { runTests } from './tap.mjs';

const [program, python] = process.argv.slice(2);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// Answers each request by what `reply` makes of it; remembers what was asked.
class Fake {
    asked = [];
    sockets = [];

    static async start(reply = () => ({ result: {} })) {
        const fake = new Fake();
        fake.folder = mkdtempSync(join(tmpdir(), 'tpmauthn-fake-'));
        fake.path = join(fake.folder, 'control.sock');
        fake.server = net.createServer((socket) => {
            fake.sockets.push(socket);
            socket.on('error', () => {});
            createInterface({ input: socket }).on('line', (line) => {
                const request = JSON.parse(line);
                fake.asked.push(request);
                const answer = reply(request, socket);
                if (answer) socket.write(`${JSON.stringify({ v: 1, id: request.id, ...answer })}\n`);
            });
        });
        fake.server.listen(fake.path);
        await once(fake.server, 'listening');
        return fake;
    }

    stop() {
        this.server.close();
        for (const socket of this.sockets) socket.destroy();
        rmSync(this.folder, { recursive: true });
    }
}

async function withFake(reply, body) {
    const fake = await Fake.start(reply);
    try {
        await body(new Authenticator({ socket: fake.path, device: 1, timeout: 5000 }), fake);
    } finally {
        fake.stop();
    }
}

const event = (socket, members) => socket.write(`${JSON.stringify({ v: 1, event: { device: 1, time: 7, ...members } })}\n`);
const refusal = (code) => (error) => error instanceof TpmauthnError && error.code === code;

// What each method of the helper asks for, beside the device.
const wishes = [
    [(key) => key.approve(), 'presence', { mode: 'once' }],
    [(key) => key.approve({ always: true }), 'presence', { mode: 'auto' }],
    [(key) => key.deny(), 'presence', { mode: 'no' }],
    [(key) => key.deny({ always: true }), 'presence', { mode: 'deny' }],
    [(key) => key.ask(), 'presence', { mode: 'ask' }],
    [(key) => key.ignore(), 'presence', { mode: 'ignore' }],
    [(key) => key.delay(250), 'presence', { mode: 'delay', ms: 250 }],
    [(key) => key.enterPin('2468'), 'presence', { mode: 'pin', pin: '2468' }],
    [(key) => key.enterPin('1111', { once: true }), 'presence', { mode: 'pin-once', pin: '1111' }],
    [(key) => key.forgetPin(), 'presence', { mode: 'no-pin' }],
    [(key) => key.uv('blocked'), 'uv', { result: 'blocked' }],
    [(key) => key.failNext('CTAP2_ERR_KEY_STORE_FULL', 'makeCredential'), 'fail-next', { status: 0x28, command: 'makeCredential' }],
    [(key) => key.failNext(0x7f), 'fail-next', { status: 0x7f }],
    [(key) => key.setPin('2468'), 'pin-set', { pin: '2468' }],
    [(key) => key.changePin('2468', '13579'), 'pin-change', { old: '2468', pin: '13579' }],
    [(key) => key.pinStatus(), 'pin-status', {}],
    [(key) => key.delete('3f2a'), 'delete', { credential: '3f2a' }],
    [(key) => key.delete('_-8A'.repeat(16)), 'delete', { credential: 'ffef00'.repeat(16) }],
    [(key) => key.delete('0af9'.repeat(16)), 'delete', { credential: '0af9'.repeat(16) }],
    [(key) => key.show('3f2a'), 'show', { credential: '3f2a' }],
    [(key) => key.seed([{ rp_id: 'a.test' }]), 'seed', { credentials: [{ rp_id: 'a.test' }] }],
    [(key) => key.seed({ credentials: [] }), 'seed', { credentials: [] }],
    [(key) => key.request('doctor-info', { user: 5 }), 'doctor-info', { user: 5 }],
];

async function each_method_asks_for_what_the_protocol_calls_it() {
    await withFake(undefined, async (key, fake) => {
        for (const [call, method, params] of wishes) {
            await call(key);
            const asked = fake.asked.pop();
            assert.deepEqual(asked, { v: 1, id: asked.id, method, params: { device: 1, ...params } });
        }
    });
}

async function a_refusal_is_an_error_with_its_code() {
    const reply = () => ({ error: { code: 'not-simulator', message: 'It is a real TPM.' } });
    await withFake(reply, async (key) => {
        await assert.rejects(key.uv('ok'), (e) => refusal('not-simulator')(e) && e.message === 'It is a real TPM.');
        await assert.rejects(key.follow(), refusal('not-simulator'));
    });
}

async function a_list_of_several_pages_is_read_whole() {
    const pages = { first: { credentials: [{ id: 'a' }, { id: 'b' }], next: 2 }, 2: { credentials: [{ id: 'c' }] } };
    const reply = ({ params }) => ({ result: pages[params.after ?? 'first'] });
    await withFake(reply, async (key, fake) => {
        assert.deepEqual(await key.credentials(), [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
        assert.deepEqual(await key.list(), [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
        assert.deepEqual(fake.asked.map((r) => r.method), ['credentials', 'credentials', 'list', 'list']);
    });
}

async function replug_waits_until_the_device_is_ready() {
    const states = ['starting', 'starting', 'ready'];
    const reply = ({ method }) =>
        method === 'status' ? { result: { devices: [{ device: 0, state: 'ready' }, { device: 1, state: states.shift() }] } } : { result: {} };
    await withFake(reply, async (key, fake) => {
        assert.equal((await key.replug()).device, 1);
        assert.deepEqual(fake.asked.map((r) => r.method), ['replug', 'status', 'status', 'status']);
    });
    await withFake(() => ({ result: { devices: [{ device: 1, state: 'failed', reason: 'no TPM' }] } }), async (key) => {
        await assert.rejects(key.reset(), (e) => refusal('not-ready')(e) && /no TPM/.test(e.message));
    });
}

async function events_are_followed_by_device_and_type() {
    const reply = (request, socket) => {
        setImmediate(() => {
            event(socket, { type: 'question', device: 0, rp_id: 'other.test' });
            event(socket, { type: 'plugged' });
            event(socket, { type: 'question', rp_id: 'a.test' });
            event(socket, { type: 'done', status: 0 });
        });
        return { result: {} };
    };
    await withFake(reply, async (key) => {
        const events = await key.follow();
        assert.equal((await events.until('question')).rp_id, 'a.test');
        assert.equal((await events.until((e) => e.status === 0)).type, 'done');
        await assert.rejects(events.until('verdict', { timeout: 50 }), refusal('timeout'));
        events.close();
        for await (const e of events) assert.fail(e);

        const types = [];
        for await (const e of await key.follow()) {
            types.push(e.type);
            if (e.type === 'done') break;
        }
        assert.deepEqual(types, ['plugged', 'question', 'done']);
    });
}

async function the_end_of_what_is_followed_is_an_error() {
    const reply = (request, socket) => {
        setImmediate(() => {
            event(socket, { type: 'question' });
            event(socket, { type: 'verdict' });
            socket.end();
        });
        return { result: {} };
    };
    await withFake(reply, async (key) => {
        const events = await key.follow();
        await events.until('verdict');
        await assert.rejects(events.next(), (e) => refusal('closed')(e) && /256 KiB/.test(e.message));
        await assert.rejects(events.until('done'), refusal('closed'));
    });
    await withFake(reply, async (key) => {
        const events = await key.follow();
        await events.until('question');
        events.close();
        await assert.rejects(events.until('verdict'), refusal('closed'));
        assert.deepEqual(await events.next(), { done: true, value: undefined });
    });
}

async function what_cannot_be_asked_for_is_said() {
    await withFake(undefined, async (key, fake) => {
        const wrong = (text) => (e) => refusal('bad-request')(e) && e.message.includes(text);
        for (const fixture of [undefined, null, 'a.test', 7, {}, { credentials: {} }])
            await assert.rejects(key.seed(fixture), wrong('a fixture is an array of passkeys, or an object'));
        await assert.rejects(key.seed({ credentials: [], colour: 'red' }), wrong('"colour" is no member'));
        for (const code of ['NOPE', 'toString', undefined]) await assert.rejects(key.failNext(code), TypeError);
        for (const device of ['', ' 0', 'one', '-1', -1, 0.5, null, [0]])
            assert.throws(() => new Authenticator({ socket: fake.path, device }), (e) => e instanceof TypeError && /device/.test(e.message));
        assert.deepEqual(fake.asked, []);
        const second = new Authenticator({ socket: fake.path, device: '1' });
        await second.approve();
        assert.equal(fake.asked[0].params.device, 1);
        assert.equal(second.device, 1);
    });
}

async function a_trace_has_the_bytes_and_the_nanoseconds() {
    const reply = (request, socket) => {
        assert.equal(request.params.frames, true);
        setImmediate(() => {
            event(socket, { type: 'question' });
            event(socket, { type: 'frame', time: '1790000000123456789', direction: 'in', cid: 1, command: 16, payload: '0b00ff' });
        });
        return { result: {} };
    };
    await withFake(reply, async (key, fake) => {
        for await (const frame of await key.trace({ secrets: true })) {
            assert.equal(frame.time, 1790000000123456789n);
            assert.deepEqual([...frame.payload], [0x0b, 0, 0xff]);
            break;
        }
        assert.equal(fake.asked[0].params.secrets, true);
    });
}

async function no_daemon_and_what_is_no_protocol_are_errors() {
    delete process.env.TPMAUTHN_CTL;
    assert.throws(() => new Authenticator(), (e) => refusal('no-daemon')(e) && /tpmauthn ci run/.test(e.message));
    await assert.rejects(new Authenticator({ socket: '/nonexistent' }).approve(), refusal('no-daemon'));
    await withFake(() => null, async (key, fake) => {
        const hasty = new Authenticator({ socket: fake.path, timeout: 50 });
        await assert.rejects(hasty.approve(), refusal('timeout'));
        await assert.rejects(key.seed([{ user: 'x'.repeat(70000) }]), refusal('too-long'));
    });
    await withFake((request, socket) => void socket.end('{"v":1,\n'), async (key) => {
        await assert.rejects(key.approve(), refusal('bad-json'));
    });
    await withFake((request, socket) => void socket.destroy(), async (key) => {
        await assert.rejects(key.approve(), refusal('no-daemon'));
    });
}

async function a_time_limit_may_be_long_or_none() {
    const reply = (request, socket) => {
        setTimeout(() => {
            socket.write(`${JSON.stringify({ v: 1, id: request.id, result: {} })}\n`);
            setTimeout(event, 50, socket, { type: 'question' });
        }, 50);
        return null;
    };
    await withFake(reply, async (key, fake) => {
        for (const timeout of [0, Infinity, 3e9, Number.MAX_VALUE]) {
            const patient = new Authenticator({ socket: fake.path, device: 1, timeout });
            await (await patient.follow()).until('question');
            await (await key.follow()).until('question', { timeout });
        }
        const events = await key.follow();
        for (const timeout of [-1, NaN, '5', null]) {
            assert.throws(() => new Authenticator({ socket: fake.path, timeout }), TypeError);
            await assert.rejects(events.until('question', { timeout }), TypeError);
        }
        events.close();
    });
}

// The status that node ends with after this script, which has a key of the fake daemon.
async function run(fake, script) {
    const module = JSON.stringify(here('../../helpers/npm/index.cjs'));
    const child = spawn(
        process.execPath,
        ['-e', `const { Authenticator } = require(${module}); const key = new Authenticator({ device: 1 }); (async () => {${script}})();`],
        { stdio: 'inherit', env: { ...process.env, TPMAUTHN_CTL: fake.path }, timeout: 20000 },
    );
    const [code, signal] = await once(child, 'exit');
    return signal ?? code;
}

async function node_ends_when_nobody_waits_for_events() {
    const reply = (request, socket) => {
        setTimeout(() => event(socket, { type: 'question' }), 200);
        setTimeout(() => event(socket, { type: 'verdict' }), 400);
        return { result: {} };
    };
    await withFake(reply, async (key, fake) => {
        assert.equal(await run(fake, 'await key.follow();'), 0);
        assert.equal(await run(fake, 'const events = await key.follow(); await events.until("verdict", { timeout: 0 }); process.exitCode = 3;'), 3);
        assert.equal(await run(fake, 'for await (const e of await key.follow()) if (e.type === "verdict") process.exit(4);'), 4);
        assert.equal(await run(fake, 'const e = await key.follow(); await e.until("verdict", { timeout: 1 }).catch(() => process.exitCode = 5);'), 5);
    });
}

async function a_question_can_be_answered_while_requests_wait() {
    const waiting = [];
    const answer = ({ request, socket }) => socket.write(`${JSON.stringify({ v: 1, id: request.id, result: { credentials: [] } })}\n`);
    let asked = false;
    const reply = (request, socket) => {
        if (request.method === 'presence') asked = true;
        if (request.method === 'presence') return { result: {} };
        if (asked) answer({ request, socket });
        else waiting.push({ request, socket });
        return null;
    };
    await withFake(reply, async (key, fake) => {
        const others = new Authenticator({ socket: fake.path, timeout: 5000 });
        const listed = Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? key : others).list()));
        while (waiting.length < 3) await new Promise(setImmediate);
        await key.approve();
        assert.equal(waiting.length, 3); // the others have no connection yet
        waiting.forEach(answer);
        assert.deepEqual(await listed, Array(10).fill([]));
    });
}

async function both_kinds_of_modules_and_the_types_say_the_same() {
    const required = createRequire(import.meta.url)('../../helpers/npm/index.cjs');
    assert.equal(required.Authenticator, Authenticator);
    const types = readFileSync(here('../../helpers/npm/index.d.cts'), 'utf8');
    for (const name of Object.getOwnPropertyNames(Authenticator.prototype)) assert.match(types, new RegExp(`^    ${name}\\(`, 'm'));
    for (const [name, code] of Object.entries(status))
        assert.ok(types.includes(`readonly ${name}: 0x${code.toString(16).padStart(2, '0')};`), name);
    // They are the daemon's.
    const header = readFileSync(here('../../ctap/status.h'), 'utf8');
    const codes = [...header.matchAll(/(CTAP[12]_ERR_\w+) = (0x\w+)/g)].map(([, name, code]) => [name, Number(code)]);
    assert.deepEqual(Object.entries(status), codes);
}

// ---- the real daemon ----

async function withDaemon(options, body) {
    const child = spawn(python, [here('daemon.py'), program, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    try {
        const { value: socket, done } = await lines.next();
        assert.ok(!done, 'the daemon did not start');
        const select = async () => {
            child.stdin.write('select\n');
            return Number((await lines.next()).value);
        };
        await body(new Authenticator({ socket }), select);
    } finally {
        child.stdin.end();
        await ended;
    }
}

async function a_real_question_is_approved_and_denied() {
    await withDaemon(['--presence=script'], async (key, select) => {
        assert.equal((await key.ready()).simulator, true);
        await key.approve();
        assert.equal(await select(), 0);
        await key.deny();
        assert.equal(await select(), status.CTAP2_ERR_OPERATION_DENIED);
        await key.deny({ always: true });
        assert.equal(await select(), status.CTAP2_ERR_OPERATION_DENIED);
        await key.approve({ always: true });
        assert.equal(await select(), 0);
        await key.ask();
        await key.approve();
        assert.equal(await select(), 0);
    });
}

async function a_real_question_is_ignored_and_delayed_and_followed() {
    await withDaemon(['--presence=script', '--set=presence.timeout=2s'], async (key, select) => {
        const events = await key.follow();
        await key.ignore();
        assert.equal(await select(), status.CTAP2_ERR_USER_ACTION_TIMEOUT);
        assert.equal((await events.until('question')).verb, 'select');
        assert.equal((await events.until('verdict')).verdict, 'timeout');
        assert.equal((await events.until('done')).status_name, 'CTAP2_ERR_USER_ACTION_TIMEOUT');
        await key.delay(100);
        await key.approve();
        assert.equal(await select(), 0);
        const { time } = await events.until('question');
        const verdict = await events.until('verdict');
        assert.equal(verdict.verdict, 'yes');
        assert.ok(verdict.time - time >= 90, `${verdict.time - time} ms`);
        await key.replug();
        await events.until('unplugged');
        assert.match((await events.until('plugged')).path, /device/);
        events.close();
    });
}

async function a_real_daemon_has_room_for_eight() {
    await withDaemon(['--presence=auto'], async (key) => {
        for (const pin of await Promise.all(Array.from({ length: 20 }, () => key.pinStatus()))) assert.equal(pin.set, false);
        const followed = [];
        for (let i = 0; i < 8; i++) followed.push(await key.follow());
        for (let i = 0; i < 8; i++) await assert.rejects(key.pinStatus(), refusal('busy'));
        await assert.rejects(key.follow(), refusal('busy'));
        followed.pop().close();
        assert.equal((await key.pinStatus()).set, false);
        for (const events of followed) events.close();
    });
}

async function a_real_command_fails_once_and_verification_as_told() {
    await withDaemon(['--presence=auto'], async (key, select) => {
        await key.failNext('CTAP2_ERR_KEY_STORE_FULL', 'selection');
        assert.equal(await select(), status.CTAP2_ERR_KEY_STORE_FULL);
        assert.equal(await select(), 0);
        await key.setPin('2468');
        await key.enterPin('2468');
        await key.ready();
        await key.uv('blocked');
        assert.equal((await key.pinStatus()).uv_retries, 0);
        await key.replug();
        await key.uv('ok');
        assert.equal((await key.pinStatus()).uv_retries, 3);
    });
}

async function real_messages_are_traced() {
    await withDaemon(['--presence=deny'], async (key, select) => {
        const frames = await key.trace();
        const before = BigInt(Date.now()) * 1000000n;
        assert.equal(await select(), status.CTAP2_ERR_OPERATION_DENIED);
        const seen = [];
        for await (const { time, direction, command, payload } of frames) {
            assert.ok(time >= before - 1000000n, `${time}`);
            if (command !== 0x3b) seen.push([direction, command, payload.length, payload[0]]);
            if (seen.length === 4) break;
        }
        assert.deepEqual(seen[0].slice(0, 3), ['in', 0x06, 8]);
        assert.deepEqual(seen[1].slice(0, 3), ['out', 0x06, 17]);
        assert.deepEqual(seen.slice(2), [['in', 0x10, 1, 0x0b], ['out', 0x10, 1, status.CTAP2_ERR_OPERATION_DENIED]]);
    });
}

async function real_passkeys_are_seeded_and_listed() {
    await withDaemon(['--presence=auto'], async (key) => {
        const fixture = ['alice', 'bob'].map((name) => ({
            rp_id: 'a.test',
            user: { id: Buffer.from(name).toString('base64url'), name },
            extensions: { prf: true },
        }));
        const made = await key.seed(fixture);
        const known = await key.credentials();
        assert.deepEqual(known.map((c) => c.id).sort(), made.map((c) => c.id).sort());
        assert.deepEqual(known.map((c) => c.user.name).sort(), ['alice', 'bob']);
        assert.equal((await key.show(made[0].id)).user_name, 'alice');
        await key.delete(made[0].id);
        const [bob, ...others] = await key.list();
        assert.deepEqual([bob.user_name, others], ['bob', []]);
        assert.deepEqual(await key.show(made[1].id), await key.show(bob.credential));
        await key.delete(bob.credential);
        assert.deepEqual(await key.list(), []);
        await assert.rejects(key.seed([{ user: { id: 'YQ' } }]), refusal('bad-request'));
    });
}

async function a_real_pin_is_set_and_changed_and_erased() {
    await withDaemon(['--presence=auto'], async (key) => {
        assert.equal((await key.pinStatus()).set, false);
        await key.setPin('2468');
        assert.equal((await key.pinStatus()).set, true);
        await assert.rejects(key.changePin('1111', '13579'), refusal('pin-refused'));
        await key.changePin('2468', '13579');
        await key.enterPin('13579');
        await key.forgetPin();
        assert.deepEqual(await key.list(), []);
        await assert.rejects(key.delete('3f2a'), refusal('not-found'));
        assert.equal((await key.replug()).state, 'ready');
        assert.equal((await key.pinStatus()).set, true);
        await key.reset();
        assert.equal((await key.pinStatus()).set, false);
        await assert.rejects(key.request('no-such-method'), refusal('unknown-method'));
    });
}

await runTests([
    each_method_asks_for_what_the_protocol_calls_it,
    a_refusal_is_an_error_with_its_code,
    a_list_of_several_pages_is_read_whole,
    replug_waits_until_the_device_is_ready,
    events_are_followed_by_device_and_type,
    the_end_of_what_is_followed_is_an_error,
    a_trace_has_the_bytes_and_the_nanoseconds,
    no_daemon_and_what_is_no_protocol_are_errors,
    what_cannot_be_asked_for_is_said,
    a_time_limit_may_be_long_or_none,
    node_ends_when_nobody_waits_for_events,
    a_question_can_be_answered_while_requests_wait,
    both_kinds_of_modules_and_the_types_say_the_same,
    a_real_question_is_approved_and_denied,
    a_real_question_is_ignored_and_delayed_and_followed,
    a_real_daemon_has_room_for_eight,
    a_real_command_fails_once_and_verification_as_told,
    real_messages_are_traced,
    real_passkeys_are_seeded_and_listed,
    a_real_pin_is_set_and_changed_and_erased,
]);
