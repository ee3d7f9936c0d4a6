// SPDX-License-Identifier: BSD-2-Clause
//
// The phisher's page. It is on another port, so of another origin, but the browser lets it use the passkeys of
// localhost: what saves the site is that the origin is in what the authenticator signs.

'use strict';

const said = document.getElementById('said');

addEventListener('message', async event => {
    if (event.source !== opener || event.data.kind !== 'ask')
        return;
    const reply = message => opener.postMessage({ kind: 'answer', ...message }, event.origin);
    said.textContent = 'Sign in, please. (Do not.)';
    try {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(event.data.options);
        const { id, rawId, type, response } = (await navigator.credentials.get({ publicKey })).toJSON();
        reply({ answer: { id, rawId, type, response } });
    } catch (error) {
        reply({ error: `${error.name}: ${error.message}` });
    }
});

if (opener)
    opener.postMessage({ kind: 'ready' }, '*');
else
    said.textContent = 'Nobody opened this page.';
