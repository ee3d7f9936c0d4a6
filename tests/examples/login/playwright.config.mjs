// SPDX-License-Identifier: BSD-2-Clause
import { defineConfig } from '@playwright/test';

// Debian's browsers: without these two lines of each project, those that `npx playwright install` fetches.
// Chromium's headless shell has no dialogs that would wait for somebody, nor discoverable passkeys; the full
// one has both. Playwright's own Firefox is not needed: it drives an ordinary one over WebDriver BiDi.
const chromium = (executablePath) => ({
    browserName: 'chromium',
    launchOptions: { executablePath, timeout: 400_000, args: ['--no-sandbox', '--disable-gpu', '--ipc-connection-timeout=120'] },
});

export default defineConfig({
    testDir: 'tests',
    workers: 1, // they share the key
    timeout: 400_000, // these are for a computer whose processor is emulated
    expect: { timeout: 180_000 },
    reporter: 'list',
    outputDir: process.env.RESULTS,
    use: { baseURL: 'http://localhost:8000' },
    webServer: {
        command: 'node server.mjs 8000',
        url: 'http://localhost:8000',
        timeout: 180_000,
    },
    projects: [
        { name: 'chromium', grepInvert: /@discoverable/, use: chromium('/usr/bin/chromium-headless-shell') },
        { name: 'chromium-full', grep: /@discoverable/, use: chromium('/usr/bin/chromium') },
        {
            name: 'firefox',
            grepInvert: /@chromium/,
            use: {
                browserName: 'firefox',
                channel: 'moz-firefox',
                launchOptions: { executablePath: '/usr/bin/firefox-esr', timeout: 400_000 },
            },
        },
    ],
});
