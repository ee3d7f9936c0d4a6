// SPDX-License-Identifier: BSD-2-Clause
// two-keys.mjs BROWSER: somebody registers a key and a second one for the day that the first is lost. Run by
// `tpmauthn ci run --devices 2 --uv ok --presence script -- node two-keys.mjs chromium`, with the site of
// ../login on port 8000. Each key waits for a touch of its own, and the browser asks both.

import assert from 'node:assert/strict';

import puppeteer from 'puppeteer-core';
import { Authenticator } from 'tpmauthn-ci';

const limit = 400_000; // for a computer whose processor is emulated
const launch = {
    chromium: {
        executablePath: '/usr/bin/chromium-headless-shell',
        headless: 'shell',
        args: ['--no-sandbox', '--disable-gpu', '--ipc-connection-timeout=120'],
    },
    firefox: { browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true },
};

const first = new Authenticator({ device: 0, timeout: limit });
const second = new Authenticator({ device: 1, timeout: limit });

const browser = await puppeteer.launch({ ...launch[process.argv[2]], timeout: limit, protocolTimeout: limit });
const page = await browser.newPage();
page.setDefaultTimeout(limit);
await page.goto('http://localhost:8000/');
await page.type('#name', 'alice');

// Touches this key at each of its questions, until the page has its answer.
async function withTouchOf(key, button) {
    const events = await key.follow();
    await page.click(button);
    const answered = page.waitForFunction(() => document.getElementById('message').value);
    const touching = (async () => {
        for await (const event of events) if (event.type === 'question') await key.approve();
    })();
    const message = await (await answered).jsonValue();
    events.close();
    await touching;
    return message;
}

try {
    assert.equal(await withTouchOf(first, '#register'), 'alice has 1 passkey');
    assert.equal(await withTouchOf(second, '#register'), 'alice has 2 passkeys');
    assert.equal((await first.list()).length, 1);
    assert.equal((await second.list()).length, 1);

    assert.equal(await withTouchOf(second, '#login'), 'Welcome, alice');
    assert.equal(await withTouchOf(first, '#login'), 'Welcome, alice');
    // What the first has, the second does not open.
    await first.delete((await first.list())[0].credential);
    assert.equal(await withTouchOf(second, '#login'), 'Welcome, alice');
    console.log(`${process.argv[2]}: two keys registered, and each logged in`);
} finally {
    await browser.close();
}
