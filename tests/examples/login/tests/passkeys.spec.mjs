// SPDX-License-Identifier: BSD-2-Clause
// Run by `tpmauthn ci run --uv ok --pin 2468 -- npx playwright test`.

import { test as base, expect } from '@playwright/test';
import { Authenticator } from 'tpmauthn-ci';

const test = base.extend({
    // A key that says yes and has no passkey yet.
    key: async ({}, use) => {
        const key = new Authenticator({ timeout: 180_000 }); // a browser may be slow to ask
        for (const { credential } of await key.list()) await key.delete(credential);
        await use(key);
    },
    // The page of somebody new.
    site: async ({ page }, use) => {
        await page.goto('/');
        await page.getByLabel('Name').fill(`user-${Date.now()}`);
        await use({
            page,
            click: (name) => page.getByRole('button', { name, exact: true }).click(),
            says: (text) => expect(page.locator('#message')).toHaveText(text),
            note: page.getByLabel('A note'),
        });
    },
});

async function register(site) {
    await site.click('Make a passkey');
    await site.says(/has 1 passkey$/);
}

async function logIn(site) {
    await site.click('Log in');
    await site.says(/^Welcome/);
}

test('registers and logs in with the PIN', async ({ key, site }) => {
    const events = await key.follow();
    await register(site);
    expect(await events.until('question')).toMatchObject({ verify: true, rp_id: 'localhost' });
    await events.until((event) => event.type === 'done' && event.command === 'makeCredential' && event.status === 0);
    await logIn(site);
    await events.until((event) => event.type === 'done' && event.command === 'getAssertion' && event.status === 0);
    events.close();
});

test('PRF opens the note again', async ({ key, site }) => {
    await register(site);
    await logIn(site);
    await site.note.fill('the cat is fed');
    await site.click('Save');
    await site.says('Saved');
    await site.note.fill('');
    await logIn(site);
    await expect(site.note).toHaveValue('the cat is fed');
});

test('logs in without a name @discoverable', async ({ key, site }) => {
    await register(site);
    await site.click('Log in with any passkey');
    await site.says(/^Welcome, user-/);
    expect(await key.credentials()).toHaveLength(1);
});

test('denied', async ({ key, site }) => {
    await register(site);
    await key.deny();
    await site.click('Log in');
    await site.says(/NotAllowedError/);
    await logIn(site);
});

test('nobody answers', async ({ key, site }) => {
    await register(site);
    // The site waits a minute, longer than the key does; in the next ceremony 20 seconds.
    await site.page.evaluate(() => {
        const { fetch } = window;
        window.fetch = async (...request) => {
            window.fetch = fetch;
            const options = await (await fetch(...request)).json();
            return Response.json({ ...options, timeout: 20_000 });
        };
    });
    const events = await key.follow();
    await key.ignore();
    await site.click('Log in');
    expect(await events.until('verdict')).toMatchObject({ verdict: 'cancelled' });
    await site.says(/AbortError|NotAllowedError/);
    events.close();
    await logIn(site);
});

test('wrong PIN, then the right one', async ({ key, site }) => {
    await register(site);
    const events = await key.follow();
    await key.enterPin('1111', { once: true });
    await logIn(site);
    expect(await events.until('question')).toMatchObject({ tries: 3, again: false });
    expect(await events.until('question')).toMatchObject({ tries: 2, again: true });
    events.close();
});

test('wrong PIN', async ({ key, site }) => {
    await register(site);
    await key.uv('fail');
    await site.click('Log in');
    await site.says(/NotAllowedError/);
    await key.uv('ok');
    await logIn(site);
});

test('the same key is not registered twice', async ({ key, site }) => {
    await register(site);
    await site.click('Make a passkey');
    await site.says(/InvalidStateError/);
    expect(await key.list()).toHaveLength(1);
});

test('the key is full', async ({ key, site }) => {
    await key.failNext('CTAP2_ERR_KEY_STORE_FULL', 'makeCredential');
    await site.click('Make a passkey');
    await site.says(/Error/);
    expect(await key.list()).toHaveLength(0);
    await register(site);
});

// The last one: it takes eight wrong PINs, and a reset.
// Firefox says so in a dialog, which a browser without a screen cannot close.
test('PIN blocked @chromium', async ({ key, site }) => {
    await register(site);
    for (let pin = await key.pinStatus(); pin.retries > 0; pin = await key.pinStatus()) {
        if (pin.latched) await key.replug(); // after three in a row
        await expect(key.changePin('1111', '2222')).rejects.toThrow();
    }
    await site.click('Log in');
    await site.says(/NotAllowedError/);
    await key.reset();
    await key.setPin('2468');
});
