// What runs where: `browser`, `no-script` and, last, `failures` (nodes that die, pools that fill, servers that are killed) are
// the tests; `alone` are those that leave the grid another than the others expect, on a freshly seeded grid of their own;
// `torture`, `bench` and `pictures` are asked for by name, and so can the failures be, by themselves.
//
// `end2end/run` starts the server and sets HOSTGRID_LAB_JSON; this file reads the server's address from there.

import { defineConfig, type Project } from '@playwright/test';
import { readLab } from './story/lab';

const lab = readLab();

const failures: Project = { name: 'failures', testDir: 'tests', testMatch: /(failures|killed)\.spec\.ts$/ };
const tests: Project[] = [
  { name: 'browser', testDir: 'tests', testIgnore: [/\.no-script\.spec\.ts$/, /(failures|killed)\.spec\.ts$/] },
  { name: 'no-script', testDir: 'tests', testMatch: /\.no-script\.spec\.ts$/, use: { javaScriptEnabled: false } },
  failures,
];
const asked: Record<string, Project[]> = {
  tests,
  failures: [failures],
  alone: [
    // First: what it looks at is the grid as it was seeded.
    { name: 'as-seeded', testDir: 'alone', testMatch: /as-seeded\.spec\.ts$/ },
    { name: 'alone', testDir: 'alone', testIgnore: /as-seeded\.spec\.ts$/ },
  ],
  torture: [{ name: 'torture', testDir: 'torture' }],
  bench: [{ name: 'bench', testDir: 'bench', testMatch: /\.ts$/, timeout: 30 * 60_000 }],
  pictures: [{ name: 'pictures', testDir: 'pictures', testMatch: /\.ts$/, timeout: 10 * 60_000 }],
};

const group = process.env.HOSTGRID_END2END ?? 'tests';

export default defineConfig({
  projects: asked[group] ?? tests,
  // One grid: two tests at once would take each other's room.
  workers: 1,
  fullyParallel: false,
  // Where nobody watches, what fails once is tried once more and listed as flaky; each of these is a fault to be found.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: true,
  // A guest under emulation takes its time.
  timeout: 180_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  outputDir: `test-results/${group}`,
  use: {
    baseURL: lab.url,
    actionTimeout: 15_000,
    navigationTimeout: 30_000,
    // Pictures of all that happens would take the guests a core of the two that they are emulated on.
    trace: { mode: 'retain-on-failure', screenshots: false },
    contextOptions: { reducedMotion: 'reduce' },
    locale: 'en-GB',
    timezoneId: 'UTC',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
