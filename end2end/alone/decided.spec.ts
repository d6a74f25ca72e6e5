// What an admin decides about operations that wait for the operator, in a browser: one is tried again, another given up. On
// a simulated grid, where a server can be ended at any moment and nodes be changed meanwhile.

import { found, type LabVm } from '../story/lab';
import { Panel } from '../story/panel';
import { fillMemory } from '../story/room';
import { SimulatedStory } from '../story/simulated';
import { expect, test, window } from '../story/test';

const port = Number(process.env.PORT ?? 3252) + 3;

test('an operation that waits for the operator is tried again, and another given up', async ({ allow, browser, guard }) => {
  // Of pages that stay open while there is no server.
  allow(/net::ERR_/);
  const story = new SimulatedStory(port);
  const windows: Panel[] = [];
  const as = async (email: string) => {
    const panel = new Panel(await window(browser, guard, story.lab.url), true);
    windows.push(panel);
    await panel.signIn(story.lab.user(email));
    return panel;
  };
  /** Ends it at once, and begins again with other nodes. */
  const beginChanged: SimulatedStory['beginChanged'] = async (change) => {
    await story.end();
    for (const { page } of windows.splice(0)) await page.context().close();
    await story.beginChanged(change);
  };
  /** A live move whose end nobody saw: the VM came to its destination, and has been off there since. */
  const cutOff = async (vm: LabVm) => {
    const owner = await as(vm.owner);
    const plan = await owner.preview(vm.id, { memory_mib: vm.size.memory_mib + 128 });
    expect(plan, await owner.said()).toBe('move-live');
    await owner.button('Resize').click({ noWaitAfter: true });
    await owner.page.waitForURL(/\/operations\//, { waitUntil: 'commit' });
    const operation = owner.page.url();
    // A simulated VM is there within a second or two: sooner than some browser has drawn the page.
    const page = async () => (await owner.page.request.get(operation)).text();
    const migrates = { message: 'it is on its way', intervals: [20], timeout: 15_000 };
    await expect.poll(page, migrates).toMatch(/data-step="migrate-live" data-state="started"/);
    await beginChanged((node) => {
      const there = found(node(home).domains[vm.id], 'the VM at its home');
      Object.assign(there, { state: 'shut_off', live: null });
      node(other).domains[vm.id] = structuredClone(there);
    });
    const admin = await as(story.lab.admin.email);
    await admin.open(operation);
    const waits = admin.page.getByRole('status').filter({ hasText: 'Waiting for the operator' });
    await expect(waits, await admin.said()).toBeVisible({ timeout: 30_000 });
    await expect(admin.page.locator('.outcome-reason').first()).toContainText('the VM is off at both ends');
    return { admin, operation };
  };
  let home = '';
  let other = '';
  try {
    await story.begin();
    const [shop, mail] = [story.lab.vm('shop'), story.lab.vm('mail')];
    home = shop.node;
    other = found(story.lab.others(home)[0], 'another node of its kind').name;
    expect(mail.node).toBe(home);
    await fillMemory(await as(story.lab.admin.email), home);

    const { operation } = await cutOff(shop);
    // Its guest is switched on again.
    await beginChanged((node) => {
      const there = found(node(other).domains[shop.id], 'the VM at its destination');
      Object.assign(there, { state: 'running', live: there.persistent });
    });
    const admin = await as(story.lab.admin.email);
    await admin.open(operation);
    await admin.button('Try again').click();
    const outcome = await admin.outcome();
    expect(outcome, await admin.said()).toMatchObject({ word: 'Succeeded', source: home, destination: other });
    expect(await admin.sizeOf(shop.id)).toEqual({ ...shop.size, memory_mib: shop.size.memory_mib + 128 });

    const last = await cutOff(mail);
    await last.admin.button('Give up').click();
    expect((await last.admin.outcome()).word, await last.admin.said()).toBe('Failed');
    await expect(last.admin.page.locator('.outcome-reason').first()).toContainText('given up by the operator');
    await expect(last.admin.button('Give up')).toHaveCount(0);
    await last.admin.open(`/vms/${mail.id}`);
    await expect(last.admin.page.locator('main')).toContainText('Stopped');
  } finally {
    for (const { page } of windows.splice(0)) await page.context().close();
    await story.forget();
  }
});
