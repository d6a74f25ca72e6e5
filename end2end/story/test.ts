// The tests' fixtures: the lab, and a window for everyone who takes part. Whatever a page complains of (an error on
// its console, an exception, a violation of its content security policy) fails the test.

import { appendFileSync } from 'node:fs';
import { expect, test as base, type Browser, type Cookie, type Page } from '@playwright/test';
import { type Lab, readLab, type Size } from './lab';
import { Panel, type Plan } from './panel';
import { type Before, lookBefore } from './verify';

/** Sessions that earlier tests of this process opened; nobody has to sign in twice. */
const sessions = new Map<string, Cookie[]>();

interface Fixtures {
  lab: Lab;
  /** Complaints that a test provokes on purpose. */
  allow: (complaint: RegExp) => void;
  /** A window in which nobody is signed in. */
  visitor: Panel;
  /** A window in which this person is signed in. */
  as: (email: string) => Promise<Panel>;
  admin: Panel;
  /** Looks at a running VM that will be changed, and pings it until the test is over; for `verifyAfter`. */
  watch: (vm: string) => Before;
}

export interface Guard {
  complaints: string[];
  allowed: RegExp[];
}

export const test = base.extend<Fixtures & { guard: Guard }>({
  lab: async ({}, use) => use(readLab()),

  guard: [
    async ({}, use, info) => {
      const guard: Guard = { complaints: [], allowed: [] };
      await use(guard);
      const left = guard.complaints.filter((complaint) => !guard.allowed.some((pattern) => pattern.test(complaint)));
      // Where a test is tried once more a complaint is no chance that it had: `end2end/run` fails for it all the same. That
      // no server was there is said of the server.
      const file = process.env.HOSTGRID_COMPLAINTS;
      const lasting = left.filter((complaint) => !complaint.includes('net::ERR_'));
      if (file && lasting.length > 0) appendFileSync(file, lasting.map((line) => `${info.title}: ${line}\n`).join(''));
      expect(left, 'what the pages complained of').toEqual([]);
    },
    { auto: true },
  ],

  allow: async ({ guard }, use) => use((complaint) => void guard.allowed.push(complaint)),

  visitor: async ({ browser, guard, javaScriptEnabled }, use) => {
    const page = await window(browser, guard);
    await use(new Panel(page, javaScriptEnabled !== false));
    await page.context().close();
  },

  as: async ({ browser, guard, javaScriptEnabled, lab }, use) => {
    const pages: Page[] = [];
    await use(async (email) => {
      const page = await window(browser, guard);
      pages.push(page);
      const panel = new Panel(page, javaScriptEnabled !== false);
      const session = sessions.get(email);
      if (session) {
        await page.context().addCookies(session);
      } else {
        await panel.signIn(lab.user(email));
        sessions.set(email, await page.context().cookies());
      }
      return panel;
    });
    for (const page of pages) await page.context().close();
  },

  admin: async ({ as, lab }, use) => use(await as(lab.admin.email)),

  watch: async ({ lab }, use) => {
    const watched: Before[] = [];
    await use((vm) => {
      const before = lookBefore(lab, vm);
      watched.push(before);
      return before;
    });
    for (const { ping } of watched) await ping.stop();
  },
});

export { expect };

/** A window of its own; what its pages complain of fails the test. */
export async function window(browser: Browser, guard: Guard, baseURL?: string): Promise<Page> {
  const context = await browser.newContext(baseURL ? { baseURL } : {});
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', (event) =>
      console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI || 'inline'} ${event.sample}`),
    ),
  );
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') guard.complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => guard.complaints.push(`exception: ${error.message}`));
  return page;
}

/** Waits for all of them, also where one fails: none goes on when its test is over. */
export async function together(scenes: Promise<void>[]): Promise<void> {
  for (const ended of await Promise.allSettled(scenes)) if (ended.status === 'rejected') throw ended.reason;
}

/** For tests that ask the hypervisors themselves. */
export function needsRealNodes(lab: Lab): void {
  test.skip(lab.simulated, 'asks real hypervisors; this grid is simulated');
}

/** The first of these sizes that gets the wanted plan. */
export async function sizeWithPlan(panel: Panel, vm: string, wanted: Plan, sizes: Size[]): Promise<Size> {
  const answers: string[] = [];
  for (const size of sizes) {
    const plan = await panel.previewLinked(vm, size);
    if (plan === wanted) return size;
    answers.push(`${size.vcpus} vCPUs, ${size.memory_mib} MiB, ${size.disk_gib} GiB: ${plan}`);
  }
  throw new Error(`no size gets the plan ${wanted}:\n${answers.join('\n')}`);
}
