// SPDX-License-Identifier: BSD-2-Clause
// Runs functions as tests, one after the other, and prints TAP. What they print goes to standard error.

export async function runTests(tests, ...args) {
    let failed = 0;
    console.log(`1..${tests.length}`);
    for (const [index, test] of tests.entries()) {
        try {
            await test(...args);
            console.log(`ok ${index + 1} - ${test.name}`);
        } catch (error) {
            failed++;
            console.log(`not ok ${index + 1} - ${test.name}`);
            console.log(String(error?.stack ?? error).replace(/^/gm, '# '));
        }
    }
    process.exitCode = failed > 0 ? 1 : 0;
}
