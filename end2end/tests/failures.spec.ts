// A move, or a deployment, that is hit in the middle: by a pool that fills, a libvirtd that hangs, a node that dies. Each
// ends with its reason, and the VM runs once, where the last page says.

import { heard } from '../story/guest';
import { found } from '../story/lab';
import { fillPool, ready, runsWhereItEnded, runsWhereItWas, scene } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';

for (const [name, plan] of [
  ['catalogue', 'move-cold'],
  ['shop', 'move-live'],
] as const) {
  test(`a pool that fills during a ${plan} to it: undone, with the reason`, async ({ admin, as, lab }) => {
    needsRealNodes(lab);
    const it = await scene(name, admin, as, lab);
    let giveBackPool = () => {};
    try {
      expect(it.plan).toBe(plan);
      await it.owner.agree();
      // The room was there when it was agreed to.
      giveBackPool = fillPool(lab, it.destination);
      const outcome = await it.owner.outcome(150);
      expect(outcome.word, await it.owner.said()).toBe('Undone');
      expect(await it.owner.said()).toMatch(/pool|space|room|full/i);
    } finally {
      giveBackPool();
      await it.giveBack();
    }
    await runsWhereItWas(it);
    const kept = plan === 'move-live' ? { boot_id: it.before.boot_id } : {};
    await expect.poll(() => heard(lab, it.vm), { timeout: 60_000 }).toMatchObject({ data: it.before.data, ...kept });
  });
}

test('a pool that fills while a VM is deployed to it: undone, with the reason, and nothing is left', async ({ as, lab }) => {
  needsRealNodes(lab);
  const nodes = lab.nodes.map(({ name }) => name).filter((name) => name.startsWith('lxc'));
  const owner = await as(lab.vm('catalogue').owner);
  const files = () => nodes.flatMap((node) => lab.poolFiles(node)).filter((file) => /[0-9a-f-]{36}/.test(file));
  const before = files();
  const name = `late-${test.info().retry}`;
  const modules = (signal: string) => {
    for (const node of nodes) lab.inside(node, 'pkill', `-${signal}`, '-f', '^/proc/self/exe worker');
  };
  const giveBack: (() => void)[] = [];
  try {
    await owner.open('/vms/new');
    await owner.field('Name').fill(name);
    await owner.page.getByLabel('Image').selectOption('tiny-container');
    await owner.page.getByLabel('Offer').selectOption({ index: 0 });
    // What makes the disk stands still until the room that was there has gone.
    modules('STOP');
    await owner.button('Deploy').click();
    await owner.operationOpened();
    for (const node of nodes) giveBack.push(fillPool(lab, node));
    modules('CONT');
    expect((await owner.outcome(150)).word, await owner.said()).toBe('Undone');
    expect(await owner.said()).toMatch(/pool|space|room|full/i);
  } finally {
    modules('CONT');
    for (const undo of giveBack) undo();
  }
  await expect.poll(files, { message: 'what is in the pools', timeout: 30_000 }).toEqual(before);
  // What there is no VM of is still listed, as failed, until its owner deletes it.
  await owner.open('/vms');
  const link = owner.page.locator('main a[href^="/vms/"]', { hasText: name });
  await expect(owner.page.locator('main tr', { hasText: name })).toContainText('Failed');
  await owner.remove(found(/[0-9a-f-]{36}/.exec((await link.getAttribute('href')) ?? ''), 'its id')[0]);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.open('/vms');
  await expect(link).toHaveCount(0);
});

test('a libvirtd that hangs while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.destination);
    await it.owner.agree();
    const outcome = await it.owner.outcome(170);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('unhang', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a node that dies while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  // What was made on the dead node is looked for before it is left there.
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    await it.owner.agree();
    lab.command('kill', it.destination);
    const outcome = await it.owner.outcome(300);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('start', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a libvirtd that hangs before a VM moves away from it: undone, with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.source);
    await it.owner.agree();
    const outcome = await it.owner.outcome(90);
    expect(outcome.word, await it.owner.said()).toBe('Undone');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText('the hypervisor gave no answer in time');
  } finally {
    lab.command('unhang', it.source);
    await it.giveBack();
  }
  await ready(admin, it.source);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a node that dies while a VM moves away from it: the VM runs again where its disk is', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    await it.owner.agree();
    lab.command('kill', it.source);
    lab.command('start', it.source);
    const outcome = await it.owner.outcome(300);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer|domain|does not run any more/i);
  } finally {
    await it.giveBack();
  }
  await ready(admin, it.source);
  await runsWhereItWas(it);
  // What its console holds of before is no answer: it was started anew.
  const again = { data: it.before.data, boot_id: expect.not.stringMatching(it.before.boot_id) };
  await expect.poll(() => heard(lab, it.vm), { timeout: 90_000 }).toMatchObject(again);
});
